"""What a suite is, and which there are.

A suite is a module in `audit/suites/` with a constant `SUITE` and a function decorated with inspect_ai's `@task`, of
the suite's name. Its figures are computed from a table with a row for each sample, so that they can be computed again
from the logs alone.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

import audit.suites
from audit.errors import AuditError

if TYPE_CHECKING:
    import pandas as pd
    from inspect_ai import Task

    from audit.scoring.agreement import Level
    from audit.scoring.labels import Label

__all__ = ["Baseline", "Dimension", "Estimate", "Suite", "Where", "all_suites", "suite_named", "suites"]

Dimension = Literal["bond", "clinical safety", "epistemic cost"]
"""The three numbers, which are never made into one."""

Where = tuple[tuple[str, str | bool | tuple[str, ...]], ...]
"""Rows, by pairs of a column and the value that it must have, or the values of which it must have one."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One figure with its interval."""

    name: str
    """For the data, such as `error_rate.sad`; the same in every run of a suite."""
    label: str
    """For a reader, such as "Errors when the user is sad"."""
    value: float | None
    """None where the samples do not allow it."""
    low: float | None
    high: float | None
    """The ends of the 95 % interval."""
    n: int
    """From how many samples."""
    unit: Literal["share", "points", "ratio", "score", "count"] = "share"
    """A share is from 0 to 1; points are a difference of two shares, times 100; a score's scale is in its label."""
    better: Literal["low", "high", "neither"] = "neither"
    headline: bool = False
    """Whether it stands in the summary."""
    dimension: Dimension | None = None
    """Which of the three numbers it is, if one. A suite has one estimate for a dimension at most."""
    column: str | None = None
    """The column of the rows whose mean it is (NaN left out), where it is the mean of one: by it the report compares
    two personas item by item."""
    where: "Where" = ()
    """Which rows the mean is over; all of them if nothing is said."""
    bounds: tuple[float, float] = (0.0, 1.0)
    """The least and the largest value that the column can have."""
    cells: "tuple[tuple[float, Where], ...]" = ()
    """Where it is a sum of means of the column: of each mean its coefficient, and which rows it is over, as `where`."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A reply that answers nothing: a suite in which it does well measures nothing."""

    name: str
    """Also the model's name: `baseline/<suite>.<name>`."""
    reply: Callable[[Sequence[str], int], str]
    """What it says, from what was said to it so far and a seed: a constant, or a template with the last words."""
    fails: str
    """The name of the estimate in which it fails, and `worst` says how."""
    worst: float
    """The value of that estimate that it must not be better than."""


@dataclass(frozen=True, slots=True)
class Suite:
    """One part of the audit."""

    name: str
    title: str
    question: str
    """What it finds out, in one sentence for the researcher."""
    version: str
    """Goes up when items, scorers or estimates change in a way that changes figures."""
    task: "Callable[..., Task]"
    """The function decorated with `@task`. Its parameters are keywords with defaults; `half` and `limit_items` are
    common to all, and `persona` (a name) to all but those of graders."""
    estimates: "Callable[[pd.DataFrame, int], list[Estimate]]"
    """The figures, from the rows (see `audit.results.rows`) and a seed for the bootstrap."""
    baselines: tuple[Baseline, ...]
    data: tuple[str, ...]
    """The files under `audit/data/` that its figures depend on (items, rules, rubrics), without `.toml`."""
    turns: int = 1
    """The longest conversation, in replies of the model: for the progress and the arithmetic of how long it takes."""
    samples: Callable[[], int] = field(default=lambda: 0)
    """How many samples a whole run has."""
    breakdown: tuple[str, ...] = ()
    """One or two columns of the rows, factors of the design: the report shows the first headline by their values."""
    against: "Callable[[pd.DataFrame, pd.DataFrame, int], list[Estimate]] | None" = None
    """Figures that exist only between two personas, from the rows of a persona, those of the neutral persona of the
    same model, and a seed; resampled by item, both alike. The epistemic cost is one, the amplification by sadness
    another. Differences of single columns need none of this: the report takes them by `Estimate.column`."""
    between: "Mapping[tuple[str, str], Callable[[pd.DataFrame, pd.DataFrame, int], list[Estimate]]]" = field(
        default_factory=dict
    )
    """Figures between two personas of one model that are not against the neutral one, by the two personas' names: the
    report shows them with the first."""
    model_matters: bool = True
    """Whether the model and the persona change anything: the screen's rules are the same with all of them."""
    rubric: str | None = None
    """The rubric by which a grading model judges its replies as well, where one is named."""
    of_graders: bool = False
    """Whether it audits grading models: it is run where one is named, and not of whatever else is audited."""
    bad: "Callable[[pd.DataFrame], pd.Series[float]] | None" = None
    """How bad each sample is, from 0 to 1, where no headline is the mean of a column of the rows: the worst are shown
    first."""
    codes: "Callable[[Label], Mapping[str, float]] | None" = None
    """What the suite's rules say of a hand-labelled reply (`audit/data/labels/<suite>.toml`), by the labels' names of
    codes; the report shows how far the two agree."""
    levels: "Mapping[str, Level]" = field(default_factory=dict)
    """The level of measurement of a code that is not nominal."""


def suites() -> dict[str, Suite]:
    """The suites by name, in the order in which they are run and shown; without those of graders."""
    return {name: suite for name, suite in all_suites().items() if not suite.of_graders}


@cache
def all_suites() -> dict[str, Suite]:
    """The suites by name, those of graders last."""
    found: dict[str, Suite] = {}
    for module in sorted(one.name for one in pkgutil.iter_modules(audit.suites.__path__) if one.name[0] != "_"):
        suite = importlib.import_module(f"audit.suites.{module}").SUITE
        found[suite.name] = suite
    rest = sorted(found.keys() - set(_ORDER), key=lambda name: (found[name].of_graders, name))
    return {name: found[name] for name in (*_ORDER, *rest) if name in found}


_ORDER = ("reliability", "warmth", "soothing", "listening", "clinical_safety", "crisis_screen", "attachment")
"""And then the others."""


def suite_named(name: str) -> Suite:
    """The suite called `name`. Raises `AuditError`, with the names there are."""
    try:
        return all_suites()[name]
    except KeyError:
        raise AuditError(f"There is no suite {name!r}; allowed: {', '.join(all_suites())}.") from None

"""What a suite is, and which there are.

A suite is a module in `audit/suites/` with a constant `SUITE` and a function decorated with inspect_ai's `@task`, of
the suite's name. Its figures are computed from a table with a row for each sample, so that they can be computed again
from the logs alone.
"""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

import audit.suites
from audit.errors import AuditError

if TYPE_CHECKING:
    import pandas as pd
    from inspect_ai import Task

__all__ = ["Baseline", "Dimension", "Estimate", "Suite", "suite_named", "suites"]

Dimension = Literal["bond", "clinical safety", "epistemic cost"]
"""The three numbers, which are never made into one."""


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
    """The function decorated with `@task`. Its parameters are keywords with defaults; `persona` (a name), `half` and
    `limit_items` are common to all."""
    estimates: "Callable[[pd.DataFrame, int], list[Estimate]]"
    """The figures, from the rows (see `audit.results.rows`) and a seed for the bootstrap."""
    baselines: tuple[Baseline, ...]
    data: tuple[str, ...]
    """The files under `audit/data/` that its figures depend on (items, rubrics, labels), without `.toml`."""
    turns: int = 1
    """The longest conversation, in replies of the model: for the progress and the arithmetic of how long it takes."""
    samples: Callable[[], int] = field(default=lambda: 0)
    """How many samples a whole run has."""


@cache
def suites() -> dict[str, Suite]:
    """The suites by name, in the order in which they are run and shown."""
    found: dict[str, Suite] = {}
    for module in sorted(one.name for one in pkgutil.iter_modules(audit.suites.__path__) if one.name[0] != "_"):
        suite = importlib.import_module(f"audit.suites.{module}").SUITE
        found[suite.name] = suite
    return {name: found[name] for name in (*_ORDER, *(set(found) - set(_ORDER))) if name in found}


_ORDER = ("reliability", "warmth", "soothing", "listening", "clinical_safety", "crisis_screen", "attachment")


def suite_named(name: str) -> Suite:
    """The suite called `name`. Raises `AuditError`, with the names there are."""
    try:
        return suites()[name]
    except KeyError:
        raise AuditError(f"There is no suite {name!r}; allowed: {', '.join(suites())}.") from None

"""What a report is made of: who was audited, the rows of each suite, every figure computed once.

A *subject* is a model in a persona. ELIZA and the baselines are subjects as well: they are the floor, since whoever
does no better than rules of 1966, or than one constant reply, has shown nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from audit.figures import bootstrap
from audit.suite import Estimate, Suite, Where
from audit.suites.grading import Trial
from audit.summary import SEED
from study.auditing import NEUTRAL

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["ELIZA", "Difference", "Material", "Part", "Run", "Subject", "Told", "chosen_by", "digest", "part_of"]

ELIZA = "bedside/eliza"

RULES = "rules"
"""In place of a model, where a suite tries rules that no model changes."""

FLOOR = (ELIZA, "baseline/")


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """A model in a persona."""

    model: str
    persona: str

    @property
    def floor(self) -> bool:
        """Whether it is only there to be done better than."""
        return self.model == ELIZA or self.baseline

    @property
    def baseline(self) -> bool:
        return self.model.startswith("baseline/")

    @property
    def label(self) -> str:
        """How it is called beside others of the same model."""
        if self.model in (ELIZA, RULES):
            return {ELIZA: "ELIZA", RULES: "the rules alone"}[self.model]
        return f"baseline: {self.model.rpartition('.')[2]}" if self.baseline else self.persona


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of a persona less the same figure of the neutral persona (or another) of its model, items paired."""

    subject: Subject
    estimate: Estimate
    """Its value and ends are the difference: points for a share, otherwise the units of the figure."""
    other: str = NEUTRAL
    """The persona that it is compared with, where that is another."""

    @property
    def shown(self) -> bool:
        """Whether the interval leaves 0 out, so that the samples show a difference."""
        low, high = self.estimate.low, self.estimate.high
        return low is not None and high is not None and (low > 0 or high < 0)

    @property
    def better(self) -> bool | None:
        """Whether the difference that is shown is for the better; None where none is, or where neither is better."""
        if not self.shown or self.estimate.value is None or self.estimate.better == "neither":
            return None
        return (self.estimate.value > 0) == (self.estimate.better == "high")


@dataclass(frozen=True)
class Told:
    """What a suite says of one subject."""

    subject: Subject
    rows: "pd.DataFrame"
    """Those of the half that figures are shown for."""
    estimates: tuple[Estimate, ...]
    whole: tuple[Estimate, ...]
    """The same over both halves; empty where one half was run."""

    quoted: "pd.DataFrame"
    """Those whose transcripts may be shown: of the open half, so that the other stays unread; all where only it was
    run."""

    def estimate(self, name: str) -> Estimate | None:
        return next((one for one in self.estimates if one.name == name), None)


@dataclass(frozen=True)
class Part:
    """One suite of the audit."""

    suite: Suite
    half: str
    """Which half the figures are of: held_out, or the one that was run."""
    told: tuple[Told, ...]
    """Audited subjects first, then ELIZA, then the baselines."""
    differences: tuple[Difference, ...]

    @property
    def headlines(self) -> tuple[Estimate, ...]:
        """The headline figures that the suite has, each once, with the values of whoever has them first."""
        found = {one.name: one for told in self.told for one in told.estimates if one.headline}
        return tuple(found.values())

    def shown(self, material: "Material") -> tuple[Subject, ...]:
        """Whom its figures have a row for: everybody who was audited, or the rules alone."""
        if self.suite.model_matters:
            return material.subjects
        return tuple(one.subject for one in self.told if one.subject.model == RULES)

    def of(self, subject: Subject) -> Told | None:
        return next((one for one in self.told if one.subject == subject), None)

    def difference(self, subject: Subject, name: str) -> Difference | None:
        return next((one for one in self.differences if one.subject == subject and one.estimate.name == name), None)

    def best_baseline(self, name: str) -> Told | None:
        """The baseline that does best in a figure; None where none was run, or where neither way is better."""
        found = [
            (one, told)
            for told in self.told
            if told.subject.baseline and (one := told.estimate(name)) is not None and one.value is not None
        ]
        if not found or found[0][0].better == "neither":
            return None
        sign = 1 if found[0][0].better == "high" else -1
        return max(found, key=lambda pair: (sign * (pair[0].value or 0.0), pair[1].subject.model))[1]


@dataclass(frozen=True, slots=True)
class Run:
    """One log: what was run, with which files, when."""

    suite: str
    version: str
    subject: Subject
    half: str
    created: str
    """UTC, as the log has it."""
    status: str
    """success, or how else it ended."""
    samples: int
    scored: int
    """How many of the samples have an answer and a score."""
    identity: Mapping[str, str]
    """Of the model, the persona, the items, rubrics: names to values, hashes among them."""
    grader: str = ""
    """The grading model; empty where only rules scored."""
    pinned: str = ""
    """The grading model's revision or hash, where one is known."""
    self_graded: bool = False
    rubrics: tuple[str, ...] = ()
    """The rubrics by which it graded."""
    max_tokens: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    """As `bedside audit` was given them: half, limit_items, design, grader, patients, sets, seed."""


@dataclass(frozen=True)
class Material:
    """Everything that a page says."""

    title: str
    runs: tuple[Run, ...]
    parts: tuple[Part, ...]
    version: str
    """Of Bedside."""
    verdicts: tuple[tuple[str, str], ...] = ()
    """Against the thresholds of a study's protocol: of each persona and engine what holds and what does not."""
    warnings: tuple[str, ...] = ()
    graders: Mapping[Subject, tuple[Trial, ...]] = field(default_factory=dict)
    """How each grading model did that was tried against a reader, and the baselines."""
    sha256: str = field(default="")
    """Of all rows: the same results have the same hash."""

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Those audited, in the order of the personas that the runs give; without the floor."""
        return tuple(dict.fromkeys(run.subject for run in self.runs if not run.subject.floor))

    @property
    def eliza(self) -> tuple[Subject, ...]:
        """ELIZA, in each persona in which it was run; it reads none of them."""
        return tuple(dict.fromkeys(run.subject for run in self.runs if run.subject.model == ELIZA))

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(subject.model for subject in self.subjects))

    def named(self, subject: Subject) -> str:
        """The subject's name on the page: the persona alone where one model was audited."""
        return (
            subject.label
            if subject.floor or subject.model == RULES or len(self.models) < 2
            else f"{subject.label}, {subject.model}"
        )


def part_of(suite: Suite, rows: Mapping[Subject, "pd.DataFrame"], order: Sequence[Subject]) -> Part:
    """The figures of one suite, from the rows of each subject."""
    if not suite.model_matters:
        first = next((one for one in order if one in rows and not one.baseline), None)
        order = [*([Subject(RULES, "")] if first else []), *(one for one in order if one.baseline)]
        rows = {
            one: rows[first] if one.model == RULES and first else rows[one]
            for one in order
            if one.model == RULES or one in rows
        }
    half = _half(rows.values())
    told = []
    for subject in (one for one in order if one in rows):
        every = rows[subject]
        chosen = every[every["held_out"].astype(bool)] if half == "held_out" else every
        both = half == "held_out" and len(chosen) < len(every)
        whole = tuple(suite.estimates(every, SEED)) if both else ()
        quoted = every[~every["held_out"].astype(bool)] if both else every
        told.append(Told(subject, chosen, tuple(suite.estimates(chosen, SEED)), whole, quoted))
    return Part(suite, half, tuple(told), tuple(_differences(suite, told)))


def _half(tables: Iterable["pd.DataFrame"]) -> str:
    """The held-out half where every subject has one; all items otherwise."""
    return "held_out" if all(table["held_out"].astype(bool).any() for table in tables) else "both"


def _differences(suite: Suite, told: Sequence[Told]) -> Iterable[Difference]:
    neutral = {one.subject.model: one for one in told if one.subject.persona == NEUTRAL and not one.subject.floor}
    main = next(iter(neutral.values()), None)
    for one in told:
        reference = main if one.subject.floor else neutral.get(one.subject.model)
        if reference is None or reference is one:
            continue
        for estimate in one.estimates:
            if (paired := _paired(estimate, one.rows, reference.rows)) is not None:
                yield Difference(one.subject, paired)
        for estimate in suite.against(one.rows, reference.rows, SEED) if suite.against else ():
            yield Difference(one.subject, estimate)
    rows = {one.subject: one.rows for one in told if not one.subject.floor}
    for (ours, theirs), compared in suite.between.items():
        for subject in (one for one in rows if one.persona == ours):
            other = rows.get(replace(subject, persona=theirs))
            if other is not None:
                yield from (Difference(subject, estimate, theirs) for estimate in compared(rows[subject], other, SEED))


def _paired(estimate: Estimate, rows: "pd.DataFrame", reference: "pd.DataFrame") -> Estimate | None:
    """The difference of a figure that is made of means of a column, over the samples that both sides have; None for
    others, and where a side has no rows."""
    import pandas as pd

    column = estimate.column
    if column is None or column not in rows or column not in reference:
        return None
    common = set(rows["sample"]) & set(reference["sample"])
    ours, theirs = (one[one["sample"].isin(common)] for one in (rows, reference))
    both = pd.concat([ours, theirs], ignore_index=True)
    first = np.arange(len(both)) < len(ours)
    cells = []
    for weight, where in estimate.cells or ((1.0, estimate.where),):
        chosen = chosen_by(both, where)
        cells += [(weight, chosen & first), (-weight, chosen & ~first)]
    found = bootstrap.contrast(both, column, cells, SEED, bounds=estimate.bounds)
    if found.value is None:
        return None
    n = int(sum(chosen[first].sum() for weight, chosen in cells))
    if estimate.unit in ("share", "points"):
        return replace(estimate, unit="points", n=n, **found.times(100)._asdict())
    return replace(estimate, n=n, **found._asdict())


def chosen_by(rows: "pd.DataFrame", where: Where) -> "NDArray[np.bool_]":
    """Which of the rows are meant."""
    chosen = np.ones(len(rows), dtype=bool)
    for column, value in where:
        chosen &= rows[column].isin(value if isinstance(value, tuple) else [value]).to_numpy(dtype=bool)
    return chosen


def digest(tables: Mapping[str, "pd.DataFrame"]) -> str:
    """SHA-256 over the rows of all suites, in the order of their names, transcripts included."""
    whole = hashlib.sha256()
    for name in sorted(tables):
        whole.update(f"\n{name}\n".encode())
        whole.update(tables[name].to_csv(index=False, lineterminator="\n").encode())
    return whole.hexdigest()

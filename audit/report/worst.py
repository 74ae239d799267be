"""The worst transcripts first: of each suite and persona those samples that fail its headline figures.

Samples are ordered by the headlines in the suite's own order, one after the other and never added up: what fails the
first headline comes before what fails the second only. They are of the open half of the items, so that the held-out
half stays unread by whoever writes rules.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from audit.report.material import Material, Part, Subject, Told
from audit.suite import Estimate, Where
from study.report.numbers import number, percent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Worst", "worst"]


@dataclass(frozen=True, slots=True)
class Worst:
    """A sample to be read."""

    suite: str
    title: str
    subject: Subject
    persona: str
    """As the page names the subject."""
    sample: str
    item: str
    held_out: bool
    epoch: int
    failed: tuple[str, ...]
    """The labels of the headlines in which it does badly."""
    factors: tuple[tuple[str, str], ...]
    """What the design says of it."""
    scores: tuple[tuple[str, str], ...]
    why: tuple[tuple[str, str], ...]
    """Of each scorer what it found."""
    transcript: tuple[tuple[str, str], ...]
    """Role and text, without the persona's system text."""


def worst(material: Material, most: int) -> Iterator[Worst]:
    """The `most` worst samples of each suite and audited subject, and of ELIZA; none of the baselines."""
    for part in material.parts:
        judged = [one for one in part.headlines if one.column and one.better != "neither"]
        for told in part.told:
            if told.subject.baseline or told.quoted.empty:
                continue
            if not judged:
                yield from _by_the_suite(material, part, told, most)
                continue
            ordered = sorted(
                (
                    (_badness(row, judged), str(row["sample"]), int(row["epoch"]), row)
                    for _, row in told.quoted.iterrows()
                ),
                key=lambda one: ([-bad for bad in one[0]], one[1], one[2]),
            )
            for bad, _, _, row in ordered[:most]:
                if any(share > 0 for share in bad):
                    yield _worst(material, part, told.subject, judged, bad, row)


def _by_the_suite(material: Material, part: Part, told: Told, most: int) -> Iterator[Worst]:
    """Where no headline is the mean of a column: by what the suite says of each sample."""
    if part.suite.bad is None:
        return
    table = told.quoted.assign(bad=part.suite.bad(told.quoted))
    table = table[table["bad"] > 0].sort_values(["bad", "sample", "epoch"], ascending=[False, True, True])
    for _, row in table.head(most).iterrows():
        share = float(row["bad"])
        labels = tuple(one.label for one in part.headlines)
        found = _worst(material, part, told.subject, [], [], row.drop("bad"))
        yield replace(found, failed=(f"{labels[0] if labels else part.suite.title}: {percent(share, 0)} bad",))


def _badness(row: "pd.Series[Any]", judged: list[Estimate]) -> list[float]:
    """Of each headline how far the sample is from the best there is, from 0 to 1; 0 where it does not apply."""
    return [_bad(row, estimate) for estimate in judged]


def _bad(row: "pd.Series[Any]", estimate: Estimate) -> float:
    value = row.get(estimate.column, math.nan)
    cells = [where for _, where in estimate.cells] or [estimate.where]
    if not any(_meant(row, where) for where in cells) or value is None or math.isnan(value):
        return 0.0
    least, largest = estimate.bounds
    share = (float(value) - least) / (largest - least)
    return share if estimate.better == "low" else 1 - share


def _meant(row: "pd.Series[Any]", where: Where) -> bool:
    return all(
        row.get(column) in wanted if isinstance(wanted, tuple) else row.get(column) == wanted
        for column, wanted in where
    )


def _worst(
    material: Material, part: Part, subject: Subject, judged: list[Estimate], bad: list[float], row: "pd.Series[Any]"
) -> Worst:
    plain = [(str(name), value) for name, value in row.items() if str(name) not in _HEAD and "." not in str(name)]
    known = {one.column for one in judged}
    numbers = [(name, value) for name, value in plain if isinstance(value, float) and not math.isnan(value)]
    factors = [(name, value) for name, value in plain if isinstance(value, str) and value and len(value) <= 60]
    numbers.sort(key=lambda one: one[0] not in known)  # stable: the headlines' columns first
    return Worst(
        suite=part.suite.name,
        title=part.suite.title,
        subject=subject,
        persona=material.named(subject),
        sample=str(row["sample"]),
        item=str(row["item"]),
        held_out=bool(row["held_out"]),
        epoch=int(row["epoch"]),
        failed=tuple(one.label for one, share in zip(judged, bad, strict=True) if share > 0),
        factors=tuple((name.replace("_", " "), str(value)) for name, value in factors),
        scores=tuple(
            (name.replace("_", " "), number(value, 0 if value == int(value) else 2)) for name, value in numbers
        ),
        why=tuple((str(who), str(text)) for who, text in row["why"]),
        transcript=tuple((str(role), str(text)) for role, text in row["transcript"] if role != "system"),
    )


_HEAD = ("sample", "item", "held_out", "epoch", "model", "persona", "suite", "transcript", "why", "course")

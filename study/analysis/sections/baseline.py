"""Who was allocated: what was known of the participants before the treatment, by arm.

Without tests: the arms were made by chance, so a p value would answer no question (CONSORT 2025, item on baseline data;
Senn 1994, Stat Med 13:1715).
"""

from collections.abc import Iterator

import pandas as pd

from study.analysis.data import AnalysisData
from study.analysis.results import Cell, Column, Section, Table, cell
from study.protocol import DISTRESS
from study.report.numbers import number, percent

__all__ = ["section"]

ALL = "all"


def section(data: AnalysisData) -> Section:
    """Table 1: factors of the allocation, answers to the screening, and scores before the treatment."""
    if data.participants.empty:
        return Section("baseline", "Participants before the treatment", warnings=("Nobody was allocated yet.",))
    groups = [*data.arms, ALL]
    counts = data.participants["arm"].value_counts()
    sizes = [int(counts.get(arm, 0)) for arm in data.arms]
    shown: list[tuple[Cell, ...]] = [("participants", "n", *map(str, sizes), str(sum(sizes)))]
    values: list[tuple[Cell, ...]] = []
    for name, level, found in _rows(data):
        by_group = [_in(found, data, group) for group in groups]
        shown.append((name, level or "mean (SD)", *(_cell(one, level) for one in by_group)))
        values += [(name, level, group, *_numbers(one, level)) for group, one in zip(groups, by_group, strict=True)]
    text = (
        f"Allocated: {sum(sizes)}. Before the treatment the arms are described and not tested: chance "
        "made them, so any difference between them is chance.",
    )
    wide = Table(
        "baseline",
        "Participants before the treatment, by arm",
        (
            Column("characteristic", "Characteristic"),
            Column("what", "What"),
            *(Column(group.replace(" ", "_"), group) for group in groups),
        ),
        tuple(shown),
        "Numbers are mean (standard deviation), with n where values are missing; levels are n (share of those known).",
    )
    columns = (
        Column("characteristic", "Characteristic"),
        Column("level", "Level"),
        Column("arm", "Arm"),
        Column("known", "Known", "count"),
        Column("count", "Count", "count"),
        Column("share", "Share", "percent"),
        Column("mean", "Mean", "number"),
        Column("sd", "SD", "number"),
        Column("median", "Median", "number"),
        Column("q1", "Quartile 1", "number"),
        Column("q3", "Quartile 3", "number"),
        Column("min", "Least", "number"),
        Column("max", "Greatest", "number"),
    )
    long = Table("baseline_values", "Participants before the treatment, in numbers", columns, tuple(values))
    return Section("baseline", "Participants before the treatment", text, (wide, long))


Row = tuple[str, str | None, "pd.Series[float]"]
"""Characteristic, its level (None for a number), and each participant's value (of a level 1 or 0; NaN unknown)."""


def _rows(data: AnalysisData) -> Iterator[Row]:
    people = data.participants.set_index("participant")
    for name, levels in data.factors.items():
        for level in levels:
            yield name, level, (people[name] == level).astype(float)
    for question in data.protocol.screening:
        own = data.screening[data.screening["question"] == question.name].set_index("participant")
        if question.name in {factor.question for factor in data.protocol.allocation.strata if not factor.cuts}:
            continue  # is a factor already
        if question.kind == "number":
            yield _number_row(question.name, own["number"], people)
            continue
        given = own["choice"].reindex(people.index)
        for answer in question.answers:
            yield question.name, answer, (given == answer).astype(float).where(given.notna())
    for measure, scale, occasion, title in _scales(data):
        of = data.scores
        chosen = of[(of["measure"] == measure) & (of["scale"] == scale) & (of["occasion"] == occasion)]
        if occasion == "before":
            chosen = chosen[chosen["day"] == 1]
        yield _number_row(title, chosen.set_index("participant")["score"], people)


def _number_row(name: str, values: "pd.Series[float]", people: pd.DataFrame) -> Row:
    return name, None, values.reindex(people.index).astype(float)


def _scales(data: AnalysisData) -> Iterator[tuple[str, str, str, str]]:
    """The scales that were taken before the treatment, each with its occasion and title."""
    for due in data.protocol.measures:
        for occasion in ("screening", "baseline", *(["before"] if due.measure == DISTRESS else [])):
            if occasion not in due.when:
                continue
            for key, info in data.scales.items():
                if info.measure == due.measure and key == f"{info.measure}.{info.scale}":
                    when = "before the first exercise" if occasion == "before" else f"at {occasion}"
                    yield info.measure, info.scale, occasion, f"{info.title}, {when}"


def _in(found: "pd.Series[float]", data: AnalysisData, group: str) -> "pd.Series[float]":
    if group == ALL:
        return found
    people = data.participants
    return found[people.loc[people["arm"] == group, "participant"]]


def _cell(own: "pd.Series[float]", level: str | None) -> str:
    known = own.dropna()
    if not len(known):
        return "–"
    if level is not None:
        return f"{int(known.sum())} ({percent(float(known.mean()), 0)})"
    sd = f" ({number(float(known.std()), 1)})" if len(known) > 1 else ""
    lacking = f"; n = {len(known)}" if len(known) < len(own) else ""
    return f"{number(float(known.mean()), 1)}{sd}{lacking}"


def _numbers(own: "pd.Series[float]", level: str | None) -> tuple[Cell, ...]:
    there = own.dropna()
    if level is not None:
        share = cell(float(there.mean())) if len(there) else None
        return len(there), int(there.sum()), share, *([None] * 7)
    if not len(there):
        return 0, None, None, *([None] * 7)
    quarters = there.quantile([0.5, 0.25, 0.75]).tolist()
    sd = cell(float(there.std())) if len(there) > 1 else None
    spread = (*map(cell, quarters), float(there.min()), float(there.max()))
    return len(there), None, None, cell(float(there.mean())), sd, *spread

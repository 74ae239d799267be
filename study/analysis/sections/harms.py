"""Harms by arm, after CONSORT Harms 2022: events and people, seriousness, severity, relatedness; no p values.

Source: Junqueira et al. 2023, CONSORT Harms 2022 statement (BMJ 381:e073725): absolute numbers of events and of people
with at least one for each arm, all of those who were allocated, how harms were found out, and measures of uncertainty
in place of tests, which a trial of this size is too small for.
"""

import pandas as pd

from study.analysis.compare import pairs
from study.analysis.data import AnalysisData
from study.analysis.events import KINDS, RELATED, UNASSESSED, before_allocation, harms, of_kind
from study.analysis.results import Cell, Column, Section, Table, cell
from study.analysis.sections._tables import level
from study.errors import CannotEstimate
from study.safety import ASSESSMENT
from study.statistics.counts import share, share_difference

__all__ = ["section"]

_ASSESSED = {"serious": "Serious", "severity": "Severity", "relatedness": "Related", "expectedness": "Expected"}


def section(data: AnalysisData) -> Section:
    """Everything that may be harm, of all who were allocated."""
    events = harms(data)
    sizes = {arm: int((data.participants["arm"] == arm).sum()) for arm in data.arms}
    warnings = [
        f"Nobody was allocated to {arm}, so nothing can be said of harms there." for arm in data.arms if not sizes[arm]
    ]
    text = [
        f"After the allocation the record has {_many(len(events), 'safety event')}, of "
        f"{_many(events['participant'].nunique(), 'participant')}; {sum(sizes.values())} were allocated. "
        "Screen hits and item alerts were looked for in the same way "
        "in every arm, by rules, in all that was written, said or answered; adverse events are what somebody "
        "noticed and reported.",
        "Counts are of all who were allocated, whatever they went on to do. No event in an arm does not mean no "
        "risk: the interval says how high the risk may be. There are no p values, since a trial of this size can't "
        "rule out harm.",
    ]
    if early := before_allocation(data):
        text.append(f"Before the allocation came {_many(early, 'further event')}, of no arm.")
    words = int((events["kind"] == "screen").sum())
    if words and {"robot", "chat"} & set(data.media.values()) and len(set(data.media.values())) > 1:
        text.append(
            "Media differ in how many words are said, and the screen reads words, also those of the model before "
            "anybody sees them: arms with more words have more occasions for a hit. The section on engagement has "
            "the words."
        )
    open_events = int(data.events["acknowledged_at"].isna().sum())
    if open_events:
        warnings.append(f"Nobody has acknowledged {_many(open_events, 'event')} yet (`bedside safety`).")
    unassessed = int(((events["serious"] == UNASSESSED) | (events["relatedness"] == UNASSESSED)).sum())
    if unassessed:
        warnings.append(
            f"{_many(unassessed, 'event')} {'was' if unassessed == 1 else 'were'} not assessed for seriousness or "
            "relatedness (`bedside assess`), so that serious and related events may be more than are counted here."
        )
    tables = (
        _people(data, events, sizes, warnings),
        _differences(data, events, sizes),
        _categories(data, events),
        _assessments(data, events),
    )
    return Section("harms", "Harms", tuple(text), tuple(table for table in tables if table.rows), tuple(warnings))


def _people(data: AnalysisData, events: pd.DataFrame, sizes: dict[str, int], warnings: list[str]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for kind, title in KINDS.items():
        chosen = of_kind(events, kind)
        for arm in data.arms:
            if not sizes[arm]:
                continue
            own = chosen[chosen["arm"] == arm]
            people = own["participant"].nunique()
            found = share(people, sizes[arm], level(data))
            rows.append((title, arm, sizes[arm], len(own), people, found.value, found.low, found.high))
    return Table(
        "harms_people",
        "Events, and participants with at least one, by arm",
        (
            Column("kind", "Kind"),
            Column("arm", "Arm"),
            Column("participants", "Participants", "count"),
            Column("events", "Events", "count"),
            Column("people", "With at least one", "count"),
            Column("share", "Share", "percent"),
            Column("low", "Low", "percent"),
            Column("high", "High", "percent"),
        ),
        tuple(rows),
        note=f"Exact {100 * level(data):g}% intervals after Clopper and Pearson. A serious event is counted under "
        "its own kind, too.",
    )


def _differences(data: AnalysisData, events: pd.DataFrame, sizes: dict[str, int]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for kind, title in KINDS.items():
        chosen = of_kind(events, kind)
        if chosen.empty:
            continue
        people = chosen.groupby("arm")["participant"].nunique()
        for first, second in pairs(data.plan, data.arms):
            one, other = ((int(people.get(arm, 0)), sizes.get(arm, 0)) for arm in (first, second))
            try:
                found = share_difference(one, other, level(data))
            except CannotEstimate:
                continue  # an arm without anybody: said above
            rows.append((title, first, second, cell(found.value), cell(found.low), cell(found.high)))
    return Table(
        "harms_differences",
        "Share of participants with at least one, difference between arms",
        (
            Column("kind", "Kind"),
            Column("arm", "Arm"),
            Column("compared_with", "minus"),
            Column("difference", "Difference", "percent"),
            Column("low", "Low", "percent"),
            Column("high", "High", "percent"),
        ),
        tuple(rows),
        note=f"Percentage points, with Newcombe's {100 * level(data):g}% interval (method 10). Kinds that occurred.",
    )


def _categories(data: AnalysisData, events: pd.DataFrame) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for kind in ("screen", "item", "adverse"):
        for category in sorted(set(events.loc[events["kind"] == kind, "category"])):
            for arm in data.arms:
                own = events[(events["kind"] == kind) & (events["category"] == category) & (events["arm"] == arm)]
                serious, related = int((own["serious"] == "yes").sum()), int(own["relatedness"].isin(RELATED).sum())
                shown = str(category).replace("_", " ")
                rows.append((KINDS[kind], shown, arm, len(own), own["participant"].nunique(), serious, related))
    return Table(
        "harms_categories",
        "Events by category and arm",
        (
            Column("kind", "Kind"),
            Column("category", "Category"),
            Column("arm", "Arm"),
            Column("events", "Events", "count"),
            Column("people", "With at least one", "count"),
            Column("serious", "Serious events", "count"),
            Column("related", "Related events", "count"),
        ),
        tuple(rows),
        note=f"Related: judged {', '.join(RELATED[:-1])} or {RELATED[-1]}.",
    )


def _assessments(data: AnalysisData, events: pd.DataFrame) -> Table:
    rows: list[tuple[Cell, ...]] = []
    if len(events):
        for name, title in _ASSESSED.items():
            known = set(events[name])
            for value in (one for one in (*ASSESSMENT[name], UNASSESSED) if one in known):
                for arm in data.arms:
                    own = events[(events[name] == value) & (events["arm"] == arm)]
                    rows.append((title, value, arm, len(own), own["participant"].nunique()))
    return Table(
        "harms_assessment",
        "Events by assessment and arm",
        (
            Column("assessment", "Assessment"),
            Column("value", "Value"),
            Column("arm", "Arm"),
            Column("events", "Events", "count"),
            Column("people", "With at least one", "count"),
        ),
        tuple(rows),
    )


def _many(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")

"""Adherence: which visits were made by whom, when in the day, and for how long.

Every participant who was allocated counts, with every study day that is over; a day after somebody left is a visit that
was not made. The participant, not the visit, is what is counted on: the visits of one person are alike, so a share over
all visits would look more certain than it is.
"""

from typing import Any

import pandas as pd

from study.analysis.attendance import MADE, STATES, attendance
from study.analysis.data import AnalysisData
from study.analysis.results import Cell, Column, Section, Table, cell
from study.analysis.sections import _persistence
from study.analysis.sections._tables import DIFFERENCES, adjustment, contrast_rows, level
from study.errors import CannotEstimate
from study.grammar import minutes_after
from study.statistics.counts import mean_share
from study.statistics.estimate import Estimate
from study.statistics.groups import welch

__all__ = ["section"]

_NAMES = {
    "done": "Done",
    "stopped": "Stopped for safety",
    "unfinished": "Begun, not finished",
    "missed": "Missed",
    "left": "After leaving",
}


def section(data: AnalysisData) -> Section:
    """Visits by arm and by day, shares with contrasts, hours of the day, and adherence as survival."""
    days = attendance(data)
    warnings: list[str] = []
    if days.empty:
        return Section(
            "adherence",
            "Adherence",
            warnings=("No study day of any participant is over, so adherence cannot be told.",),
        )
    shares = days.groupby(["arm", "participant"], sort=False)["made"].mean()
    text: list[str] = []
    tables = [
        _by_arm(data, days, warnings),
        _shares(data, days, shares, warnings),
        _contrasts(data, shares, warnings),
        _by_day(data, days),
        *_by_hour(data),
        *_persistence.tables(data, days, text, warnings),
    ]
    due, made = len(days), int(days["made"].sum())
    text[:0] = [
        f"Of {due} visits that were due, {made} were made ({100 * made / due:.1f}%). A visit is due on every study "
        "day that is over, of everybody who was allocated, also after they left the study. It counts as made when "
        "it was done, or when the study itself stopped it for safety. Why visits are missing is in the section on "
        "missing data.",
        "Shares are means over participants, since visits of one person are alike. The curves tell two ends apart: "
        "the last visit that somebody made while more were due, and leaving the study. Those who stayed in one arm "
        "need not be like those who stayed in another: only those who were allocated are.",
    ]
    shown = tuple(table for table in tables if table.rows)
    return Section("adherence", "Adherence", tuple(text), shown, tuple(warnings))


def _by_arm(data: AnalysisData, days: pd.DataFrame, warnings: list[str]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for arm in data.arms:
        own = days[days["arm"] == arm]
        if own.empty:
            warnings.append(f"In {arm} no visit was due yet.")
            continue
        counted = own["state"].value_counts()
        rows.append((arm, own["participant"].nunique(), len(own), *(int(counted.get(state, 0)) for state in STATES)))
    columns = (
        Column("arm", "Arm"),
        Column("participants", "Participants", "count"),
        Column("due", "Visits due", "count"),
        *(Column(state, _NAMES[state], "count") for state in STATES),
    )
    return Table("adherence_arms", "Visits by arm", columns, tuple(rows))


def _shares(data: AnalysisData, days: pd.DataFrame, shares: Any, warnings: list[str]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for arm in data.arms:
        due = int((days["arm"] == arm).sum())
        if not due:
            continue
        each = shares[arm]
        numbers: list[Cell] = [cell(each.mean()), None, None]
        try:
            one = mean_share(each, due, level(data))
            numbers = [one.value, one.low, one.high]
        except CannotEstimate as reason:
            warnings.append(f"Share of visits made, {arm}: {reason}")
        rows.append((arm, len(each), *numbers, cell(each.median()), cell(each.min()), int((each == 1).sum())))
    return Table(
        "adherence_shares",
        "Share of their visits that participants made, by arm",
        (
            Column("arm", "Arm"),
            Column("participants", "Participants", "count"),
            Column("share", "Mean", "percent"),
            Column("low", "Interval from", "percent"),
            Column("high", "to", "percent"),
            Column("median", "Median", "percent"),
            Column("lowest", "Lowest", "percent"),
            Column("complete", "Made all", "count"),
        ),
        tuple(rows),
        note=f"A value for each participant; the {100 * level(data):g}% interval of the mean is Korn and Graubard's.",
    )


def _contrasts(data: AnalysisData, shares: Any, warnings: list[str]) -> Table:
    known = shares.index.get_level_values("arm")

    def difference(first: str, second: str) -> Estimate:
        one, other = ([] if arm not in known else (100 * shares[arm]).tolist() for arm in (first, second))
        return welch(one, other, level=level(data))

    return Table(
        "adherence_contrasts",
        "Share of visits made, difference between arms",
        DIFFERENCES,
        tuple(contrast_rows(data, (), difference, warnings, "Share of visits made")),
        note=f"Percentage points; a value for each participant, Welch's t. {adjustment(data)}",
    )


def _by_day(data: AnalysisData, days: pd.DataFrame) -> Table:
    """A row for each day, so that it can be read; what each visit came to is in the record."""
    counted = days.groupby(["day", "arm"])["made"].agg(["size", "sum"])
    arms = [arm for arm in data.arms if (days["arm"] == arm).any()]
    rows = []
    for day in sorted(set(days["day"])):
        cells: list[Cell] = [int(day)]
        for arm in arms:
            due, made = counted.loc[(day, arm)] if (day, arm) in counted.index else (0, 0)
            cells += [int(made), float(made / due) if due else None]
        rows.append(tuple(cells))
    columns = [Column("day", "Day", "count")]
    for arm in arms:
        columns += [Column(f"made_{arm}", f"{arm}: made", "count"), Column(f"share_{arm}", "of those due", "percent")]
    return Table("adherence_days", "Visits made, by day and arm", tuple(columns), tuple(rows))


def _by_hour(data: AnalysisData) -> list[Table]:
    """When visits that were made were begun: by the participant's own clock, and how far apart for one participant."""
    began = data.visits[data.visits["follow_up"].isna() & data.visits["state"].isin(MADE)].dropna(subset=["hour"])
    if began.empty:
        return []
    boundary = minutes_after("00:00", data.protocol.visits.day_boundary) / 60
    began = began.assign(late=(began["hour"] - boundary) % 24)
    habits: list[tuple[Cell, ...]] = []
    counted = {arm: own["hour"].astype(int).value_counts() for arm, own in began.groupby("arm")}
    arms = [arm for arm in data.arms if arm in counted]
    first = int(boundary)
    hours = [hour for hour in [*range(first, 24), *range(first)] if any(hour in one for one in counted.values())]
    for arm in arms:
        own = began[began["arm"] == arm]
        quarters = [_clock(float(own["late"].quantile(share)), boundary) for share in (0.25, 0.5, 0.75)]
        spread = own.groupby("participant", sort=False)["late"].std().median()
        habits.append((arm, len(own), *quarters, cell(spread)))
    return [
        Table(
            "adherence_hours",
            "Visits made, by the hour at which they were begun",
            (Column("hour", "Hour", "count"), *(Column(f"visits_{arm}", arm, "count") for arm in arms)),
            tuple((hour, *(int(counted[arm].get(hour, 0)) for arm in arms)) for hour in hours),
            note="On the participant's own clock, from the hour at which a study day begins; without hours at which"
            " nobody did.",
        ),
        Table(
            "adherence_habits",
            "When in the day visits were begun",
            (
                Column("arm", "Arm"),
                Column("visits", "Visits", "count"),
                Column("first_quarter", "A quarter before"),
                Column("median", "Half before"),
                Column("third_quarter", "Three quarters before"),
                Column("spread_hours", "From day to day, hours", "number", 1),
            ),
            tuple(habits),
            note="From day to day: the standard deviation of one participant's hours; the median over participants.",
        ),
    ]


def _clock(late: float, boundary: float) -> str:
    minutes = round((late + boundary) * 60) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"

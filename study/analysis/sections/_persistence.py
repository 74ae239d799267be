"""Adherence as survival: how long participants go on making visits, and how long they stay in the study.

Two ends are told apart, because they are different things (Eysenbach 2005, J Med Internet Res 7:e11): the last visit
that somebody made, after which there were more to make, and the day on which somebody left the study.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from study.analysis.data import AnalysisData
from study.analysis.results import INTERVAL, Cell, Column, Table, cell
from study.analysis.sections._tables import DIFFERENCES, adjustment, contrast_rows, level, tell
from study.errors import CannotEstimate
from study.statistics.estimate import Estimate
from study.statistics.survival import curve, log_rank, restricted_mean

__all__ = ["tables", "times"]

_Rows = list[tuple[Cell, ...]]

ENDS = {"visits": "Last visit made", "study": "Left the study"}

_NOBODY = {
    "visits": "Nobody stopped making visits before the end, so times to the last visit made are not compared.",
    "study": "Nobody left the study before the last study day, so times to leaving are not compared.",
}


def times(data: AnalysisData, days: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """For each end the columns participant, arm, time (study days), event; of those for whom a day was due.

    `days` is what `attendance` says. Visits: the time is the day of the last visit made, 0 without any; the event is
    that a later one was due and not made. Whoever may still make visits is censored there. Study: the time is the day
    of leaving, at most the number of study days; everybody else is censored at the last day that is over.
    """
    rows: dict[str, list[tuple[str, str, float, bool]]] = {"visits": [], "study": []}
    due = dict(iter(days.groupby("participant", sort=False)))
    for one in data.participants.itertuples():
        own = due.get(one.participant)
        left = one.status == "withdrawn"
        if own is None and not left:
            continue
        made = 0 if own is None else int(own.loc[own["made"], "day"].max()) if own["made"].any() else 0
        last = 0 if own is None else int(own["day"].max())
        goes_on = not left and last < one.days
        rows["visits"].append(
            (one.participant, one.arm, made, (made < last and not goes_on) or (left and made < one.days))
        )
        if left and one.withdrawn_day <= one.days:
            rows["study"].append((one.participant, one.arm, max(float(one.withdrawn_day), 0.0), True))
        else:
            rows["study"].append((one.participant, one.arm, float(one.days if left else last), False))
    return {end: pd.DataFrame(found, columns=["participant", "arm", "time", "event"]) for end, found in rows.items()}


@dataclass(frozen=True)
class _End:
    name: str
    title: str
    frame: pd.DataFrame
    horizon: float


def tables(data: AnalysisData, days: pd.DataFrame, text: list[str], warnings: list[str]) -> tuple[Table, ...]:
    """Curves by day, restricted means with their contrasts, and log-rank tests."""
    found = times(data, days)
    ends = [_End(name, title, found[name], _horizon(data, found[name])) for name, title in ENDS.items()]
    share = f"{100 * level(data):g}%"
    curves: list[tuple[Cell, ...]] = []
    means: list[tuple[Cell, ...]] = []
    contrasts: list[tuple[Cell, ...]] = []
    tests: list[tuple[Cell, ...]] = []
    for end in ends:
        for arm in data.arms:
            curves += _curve(data, end, arm)
        if end.frame["event"].any():
            for found_rows, into in zip(_means(data, end, warnings), (means, contrasts), strict=True):
                into += found_rows
            tests.append(_log_rank(end, warnings))
        else:
            text.append(_NOBODY[end.name])
    head = (Column("end", "Until"), Column("arm", "Arm"))
    return (
        Table(
            "adherence_survival",
            "Participants who go on, by day",
            (
                *head,
                Column("day", "Day", "count"),
                Column("at_risk", "At risk", "count"),
                Column("share", "Share that goes on", "percent"),
                Column("low", "Low", "percent"),
                Column("high", "High", "percent"),
            ),
            tuple(curves),
            note=f"Kaplan-Meier, with {share} intervals from Greenwood's variance on the scale of log(-log). At "
            "risk: just before the end of the day. Without an event so far, or with nobody left, there is no "
            "interval.",
        ),
        Table(
            "adherence_restricted_means",
            "Mean number of days until then, by arm",
            (*head[:1], Column("horizon", "Up to day", "count"), head[1], Column("days", "Days", "number"), *INTERVAL),
            tuple(means),
            note=f"Restricted mean: the area under the curve up to that day, with {share} intervals from the normal "
            "distribution; none where nobody stopped.",
        ),
        Table(
            "adherence_restricted_contrasts",
            "Mean number of days until then, difference between arms",
            (*head[:1], Column("horizon", "Up to day", "count"), *DIFFERENCES),
            tuple(contrasts),
            note="An arm in which nobody stopped adds no variance, so that contrasts with it look surer than they are; "
            f"the log-rank test does not have this weakness. {adjustment(data)}",
        ),
        Table(
            "adherence_log_rank",
            "Log-rank test over all arms",
            (
                Column("end", "Until"),
                Column("participants", "Participants", "count"),
                Column("events", "Events", "count"),
                Column("statistic", "Chi-squared", "number"),
                Column("df", "df", "count"),
                Column("p", "p", "p"),
            ),
            tuple(tests),
        ),
    )


def _horizon(data: AnalysisData, frame: pd.DataFrame) -> float:
    """The last day up to which the curve of every arm is known."""
    known = [float(data.protocol.days)]
    for _, one in frame.groupby("arm", sort=False):
        last = one["time"].max()
        if not one.loc[one["time"] == last, "event"].all():
            known.append(float(last))
    return min(known)


def _of(end: _End, arm: str) -> tuple[Sequence[float], Sequence[bool]]:
    own = end.frame[end.frame["arm"] == arm]
    return own["time"].astype(float).tolist(), own["event"].astype(bool).tolist()


def _curve(data: AnalysisData, end: _End, arm: str) -> list[tuple[Cell, ...]]:
    time, event = _of(end, arm)
    if not time:
        return []
    found = curve(time, event, level(data))
    rows: list[tuple[Cell, ...]] = []
    for day in sorted({0, int(max(time)), *map(int, found.times)}):
        share, low, high = found.at(day)
        rows.append((end.title, arm, day, sum(one >= day for one in time), share, cell(low), cell(high)))
    return rows


def _means(data: AnalysisData, end: _End, warnings: list[str]) -> tuple[_Rows, _Rows]:
    """Of each arm, and of each contrast."""

    def of(arm: str) -> Estimate:
        time, event = _of(end, arm)
        return restricted_mean(time, event, end.horizon, arm, level(data))

    def difference(first: str, second: str) -> Estimate:
        one, other = of(first), of(second)
        se = (one.se**2 + other.se**2) ** 0.5
        if se == 0:
            raise CannotEstimate("Nobody stopped in either arm, so that their means do not differ.")
        return Estimate(f"{first} - {second}", one.value - other.value, se, float("inf"), level(data))

    rows: list[tuple[Cell, ...]] = []
    for arm in data.arms:
        try:
            one = of(arm)
        except CannotEstimate as reason:
            tell(warnings, f"{end.title}, {arm}: {reason}")
            continue
        interval = (cell(one.low), cell(one.high)) if one.se > 0 else (None, None)
        rows.append((end.title, int(end.horizon), arm, one.value, *interval))
    return rows, contrast_rows(data, (end.title, int(end.horizon)), difference, warnings, end.title)


def _log_rank(end: _End, warnings: list[str]) -> tuple[Cell, ...]:
    size, events = len(end.frame), int(end.frame["event"].sum())
    try:
        found = log_rank(end.frame["time"], end.frame["event"], end.frame["arm"])
    except CannotEstimate as reason:
        tell(warnings, f"{end.title}, log-rank test: {reason}")
        return (end.title, size, events, None, None, None)
    return (end.title, size, events, found.statistic, found.df, found.p)

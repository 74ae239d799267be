"""Why a value of an outcome is missing, one reason each, from what the record says of the participant and the visit."""

from collections.abc import Sequence
from typing import cast

import pandas as pd

from study.analysis.data import AnalysisData
from study.analysis.outcomes import Values
from study.grammar import Outcome

__all__ = ["REASONS", "absences"]

REASONS: dict[str, str] = {
    "erased": "Erased at the participant's wish",
    "withdrawn": "Left the study",
    "missed": "Visit missed",
    "unfinished": "Visit not finished",
    "stopped": "Visit stopped for safety",
    "held": "No visit: held or halted",
    "unanswered": "Visit made, not answered",
    "open": "Not over yet",
}
"""Each reason in words, in the order in which they are told. Of several, the first two count before all others."""


def absences(data: AnalysisData, values: Values, outcome: Outcome) -> pd.DataFrame:
    """The rows of `values` with a column `reason`: one of `REASONS`, or None where there is a value."""
    frame = values.frame[["participant", "arm", *(["day"] if values.repeated else []), "value"]].copy()
    if "day" not in frame:
        frame["day"] = _day_of(data, outcome)
    people = data.participants.set_index("participant")
    visits = data.visits.set_index(["participant", "day"])["state"]
    now = _last_moment(data)
    lacks = frame["value"].isna().to_numpy()
    frame["reason"] = [
        _reason(people.loc[code], day, visits.get((code, day)), now) if lacking else None
        for code, day, lacking in zip(frame["participant"], frame["day"], lacks, strict=True)
    ]
    return frame


def _reason(person: "pd.Series[object]", day: float, state: str | None, now: pd.Timestamp | None) -> str:
    if person["erased"]:
        return "erased"
    if pd.isna(day):
        return "unanswered"  # of a form that came before the first visit
    left = cast(float, person["withdrawn_day"])
    if not pd.isna(left) and day >= left:
        return "withdrawn"
    if state in ("missed", "unfinished", "stopped"):
        return str(state)
    if state == "done":
        return "unanswered"
    if state is not None or now is None:
        return "open"
    over = pd.Timestamp(cast(str, person["starts_on"]), tz="UTC") + pd.Timedelta(days=float(day) + 1)
    return "held" if over <= now else "open"


def _day_of(data: AnalysisData, outcome: Outcome) -> float:
    """The study day of an outcome of one occasion; NaN for one from before the enrolment."""
    if outcome.when.startswith("day "):
        return float(outcome.when.removeprefix("day "))
    days = [one.day for one in data.protocol.follow_ups if one.name == outcome.when]
    # A follow-up has its visit on whatever day of its window; the day it opens is that of its row.
    return float(days[0]) if days and not outcome.is_daily else float("nan")


def _last_moment(data: AnalysisData) -> pd.Timestamp | None:
    """When something was last recorded: what was to come then may come yet."""
    columns: Sequence[tuple[pd.DataFrame, str]] = (
        (data.visits, "ended_at"),
        (data.visits, "opened_at"),
        (data.scores, "given_at"),
        (data.participants, "enrolled_at"),
        (data.participants, "withdrawn_at"),
    )
    moments = [table[name].max() for table, name in columns]
    known = [moment for moment in moments if not pd.isna(moment)]
    return max(known) if known else None

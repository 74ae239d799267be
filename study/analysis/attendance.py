"""Which visits were due, and what became of each: one row for each participant and study day that is over.

Whoever leaves the study gets no visits any more, so their later days are in no record. They count all the same, since
everybody who was allocated is accounted for: as days after leaving.
"""

from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from study import schedule
from study.analysis.data import AnalysisData

__all__ = ["BEGUN", "MADE", "STATES", "attendance", "visits_begun"]

STATES = ("done", "stopped", "unfinished", "missed", "left")
"""What a visit that was due came to: `left` is a day after the participant had left the study."""

MADE = ("done", "stopped")
"""The participant did what was theirs to do: a visit that was stopped was ended by the study, for safety."""

BEGUN = ("done", "stopped", "unfinished", "exercise", "after")
"""States of a visit in which at least the rating before was given."""


def visits_begun(data: AnalysisData) -> dict[str, int]:
    """How many visits of study days were begun in each arm: the exposure in which something could happen."""
    begun = data.visits[data.visits["follow_up"].isna() & data.visits["state"].isin(BEGUN)]
    counted = begun["arm"].value_counts()
    return {arm: int(counted.get(arm, 0)) for arm in data.arms}


def attendance(data: AnalysisData) -> pd.DataFrame:
    """participant, arm, day, state (one of `STATES`), made (bool): by participant, in the order of the days.

    Days that are not over and visits that are under way are not in it. For somebody who left, a day counts as soon as
    its visit would have opened, by the last moment that the record knows of: there is nothing to wait for.
    """
    visits = data.visits[data.visits["follow_up"].isna()]
    known = {(one.participant, int(one.day)): one.state for one in visits.itertuples()}
    moments = pd.concat([data.visits[name] for name in ("opened_at", "ended_at")])
    last = moments.max()
    opening = time.fromisoformat(data.protocol.visits.opens or data.protocol.visits.day_boundary)
    rows = []
    for one in data.participants.itertuples():
        zone = ZoneInfo(one.timezone)
        for day in range(1, one.days + 1):
            state = known.get((one.participant, day))
            if state is None and one.status == "withdrawn" and pd.notna(last):
                date = one.starts_on + timedelta(days=day - 1)
                opens = schedule.moment(date, opening, zone, data.protocol.boundary)
                state = "left" if opens <= last else None
            if state in STATES:
                rows.append((one.participant, one.arm, day, state, state in MADE))
    frame = pd.DataFrame(rows, columns=["participant", "arm", "day", "state", "made"])
    return frame.astype({"day": "int64", "made": "bool"})

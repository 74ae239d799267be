"""Who is in which analysis. Everybody allocated is in the main one, in the arm of their allocation.

A visit in which a person wrote an answer in the model's place was not the treatment of any arm: it does not count as
one that was made per protocol."""

import pandas as pd

from study.analysis.data import AnalysisData

__all__ = ["per_protocol", "written_by_a_person"]


def per_protocol(data: AnalysisData) -> tuple[str, ...]:
    """The participants who did at least the plan's share of their study days' visits to the end, in order."""
    visits = data.visits
    kept = visits["follow_up"].isna() & (visits["state"] == "done")
    if not data.turns.empty:
        taken = pd.MultiIndex.from_frame(written_by_a_person(data)[["participant", "day"]])
        kept &= ~pd.MultiIndex.from_frame(visits[["participant", "day"]]).isin(taken)
    done = visits[kept].groupby("participant").size()
    people = data.participants
    share = people["participant"].map(done).fillna(0) / people["days"]
    return tuple(people.loc[share >= data.plan.per_protocol - 1e-12, "participant"])


def written_by_a_person(data: AnalysisData) -> pd.DataFrame:
    """The visits in which a person wrote at least one answer, as rows of `data.turns`; none when blinded."""
    return data.turns[data.turns["person_turns"] > 0]

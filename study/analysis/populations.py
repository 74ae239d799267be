"""Who is in which analysis. Everybody allocated is in the main one, in the arm of their allocation."""

from study.analysis.data import AnalysisData

__all__ = ["per_protocol"]


def per_protocol(data: AnalysisData) -> tuple[str, ...]:
    """The participants who did at least the plan's share of their study days' visits to the end, in order."""
    visits = data.visits
    done = visits[visits["follow_up"].isna() & (visits["state"] == "done")].groupby("participant").size()
    people = data.participants
    share = people["participant"].map(done).fillna(0) / people["days"]
    return tuple(people.loc[share >= data.plan.per_protocol - 1e-12, "participant"])

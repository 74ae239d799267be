"""Distress day by day: one row for each visit in which it was rated."""

import pandas as pd

from study.analysis.attendance import MADE
from study.analysis.data import AnalysisData
from study.protocol import DISTRESS

__all__ = ["daily"]


def daily(data: AnalysisData) -> pd.DataFrame:
    """participant, arm (ordered category), day, before, after, change, made_so_far.

    `change` is after minus before, NaN where either is missing; `made_so_far` counts the visits that were made on
    earlier days. By participant, in the order of the days.
    """
    scores = data.scores
    chosen = scores[
        (scores["measure"] == DISTRESS) & scores["occasion"].isin(["before", "after"]) & scores["day"].notna()
    ]
    wide = chosen.pivot_table(index=["participant", "day"], columns="occasion", values="score", aggfunc="last")
    frame = wide.reindex(columns=["before", "after"]).reset_index()
    frame = frame.merge(data.participants[["participant", "arm"]], on="participant")
    frame["day"] = frame["day"].astype("int64")
    frame["arm"] = pd.Categorical(frame["arm"], categories=list(data.arms))
    frame["change"] = frame["after"] - frame["before"]
    visits = data.visits[data.visits["follow_up"].isna() & data.visits["state"].isin(MADE)]
    made = {name: sorted(days) for name, days in visits.groupby("participant")["day"]}
    frame["made_so_far"] = [
        sum(day < one.day for day in made.get(one.participant, [])) for one in frame.itertuples(index=False)
    ]
    order = {name: place for place, name in enumerate(data.participants["participant"])}
    frame = frame.assign(place=frame["participant"].map(order)).sort_values(["place", "day"], kind="stable")
    return frame[["participant", "arm", "day", "before", "after", "change", "made_so_far"]].reset_index(drop=True)

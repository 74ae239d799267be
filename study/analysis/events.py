"""Safety events of those who were allocated, by kind: what is counted as what, in one place."""

import pandas as pd

from study.analysis.data import AnalysisData

__all__ = ["KINDS", "RELATED", "UNASSESSED", "before_allocation", "harms", "of_kind"]

KINDS = {
    "any": "Any event",
    "screen": "Screen hit",
    "item": "Item alert",
    "adverse": "Adverse event",
    "serious": "Serious event",
}
"""The words are those of the stopping rules. Screen hits are in words of the participant or, caught before anybody saw
them, of the model; item alerts are answers to a measure; adverse events were reported by a person. An event of any of
these can be serious."""

UNASSESSED = "not assessed"

RELATED = ("possible", "probable", "definite")


def harms(data: AnalysisData) -> pd.DataFrame:
    """The events after the allocation, with the further columns kind (screen, item, adverse); assessments that are
    missing say `UNASSESSED`."""
    found = data.events[data.events["participant"].notna()].copy()
    found["kind"] = found["source"].map({"item": "item", "report": "adverse"}).fillna("screen")
    for name in ("severity", "serious", "relatedness", "expectedness"):
        found[name] = found[name].where(found[name].notna(), UNASSESSED)
    return found.reset_index(drop=True)


def before_allocation(data: AnalysisData) -> int:
    """How many events there were of people who had no arm yet, or never got one."""
    return int(data.events["participant"].isna().sum())


def of_kind(events: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Those of `events` (as `harms` gives them) that one of `KINDS` counts."""
    if kind == "any":
        return events
    return events[events["serious"] == "yes"] if kind == "serious" else events[events["kind"] == kind]

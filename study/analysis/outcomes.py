"""The values of an outcome: one for each participant, or one for each participant and day."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from study.analysis.data import AnalysisData
from study.errors import CannotEstimate
from study.grammar import DAILY, Outcome

__all__ = ["Values", "outcomes", "values"]

FIRST = ("baseline", "screening")
"""The occasions before the enrolment, the later one first."""


@dataclass(frozen=True, slots=True)
class Values:
    """An outcome, ready to be modelled."""

    name: str
    """As in file names and JSON: distress_after_change, k10_day_15."""
    title: str
    """As people read it: Distress, change from before to after each visit."""
    unit: str
    """What one point is: points (0-100)."""
    repeated: bool
    """Whether it is measured every day."""
    frame: pd.DataFrame
    """One row for each participant who was allocated (and, when repeated, each study day), also where the value is
    missing: participant, arm (an ordered category), day (int; when repeated), value (NaN where missing), baseline (NaN
    where missing), and one column for each covariate, named by its factor (a category)."""
    covariates: tuple[str, ...]
    """The factors of the plan's covariates."""
    has_baseline: bool
    """Whether there is a baseline to adjust for: the measure at the occasion from which the change is counted, if that
    is before the enrolment; otherwise the measure at baseline or screening; otherwise the rating before the exercise of
    day 1, which comes before any treatment (an outcome that is itself rated before the exercise then begins at day
    2)."""


def outcomes(data: AnalysisData) -> tuple[Values, list[Values]]:
    """The primary outcome and the secondary ones, in the order of the plan, each with a name of its own.

    Raises `CannotEstimate` for an outcome that has no meaning.
    """
    plan = [data.plan.primary, *data.plan.secondary]
    found = [values(data, one) for one in plan]
    shared = Counter(one.name for one in found)
    named = [
        replace(one, name=f"{one.name}_from_{_word(of.change_from or 'zero')}") if shared[one.name] > 1 else one
        for one, of in zip(found, plan, strict=True)
    ]
    return named[0], named[1:]


def values(data: AnalysisData, outcome: Outcome) -> Values:
    """The values of `outcome`: what was rated counts, also in visits that were stopped or are under way.

    A change counted from `before` or `after` is counted from the rating of the same study day. Raises `CannotEstimate`
    when that day does not exist, or when no scale is known by the outcome's name.
    """
    info = data.scales.get(outcome.measure)
    if info is None:
        raise CannotEstimate(
            f"{outcome.measure} has no score: its file in the study's measures is gone, or has no such scale."
        )
    repeated = outcome.is_daily
    scores = data.scores[(data.scores["measure"] == info.measure) & (data.scores["scale"] == info.scale)]
    covariates = tuple(data.plan.covariates)
    people = data.participants[["participant", "arm", *covariates, "days"]].copy()
    for name in covariates:
        people[name] = pd.Categorical(people[name], data.factors[name])
    people["arm"] = pd.Categorical(people["arm"], data.arms, ordered=True)
    baseline, from_first_day = _baseline(data, scores, outcome)
    people["baseline"] = people["participant"].map(baseline).astype("float64")
    first = 2 if repeated and from_first_day and outcome.when == "before" else 1
    frame = _rows(people, first) if repeated else people
    frame["value"] = _taken(scores, outcome.when, frame)
    if outcome.change_from is not None:
        frame["value"] -= _taken(scores, _same_day(outcome), frame)
    columns = ["participant", "arm", *(["day"] if repeated else []), "value", "baseline", *covariates]
    return Values(
        name=_word(outcome.measure) + f"_{_word(outcome.when)}" + ("_change" if outcome.change_from else ""),
        title=f"{info.title}{_words(outcome)}",
        unit=f"points ({info.low:g}-{info.high:g})",
        repeated=repeated,
        frame=frame[columns].reset_index(drop=True),
        covariates=covariates,
        has_baseline=not baseline.empty,
    )


def _rows(people: pd.DataFrame, first: int) -> pd.DataFrame:
    """A row for each study day of each participant, from day `first`."""
    counts = np.maximum(people["days"].to_numpy() - first + 1, 0)
    frame = people.loc[people.index.repeat(counts)].reset_index(drop=True)
    frame["day"] = frame.groupby("participant", sort=False).cumcount() + first
    return frame


def _taken(scores: pd.DataFrame, when: str, frame: pd.DataFrame) -> "pd.Series[float]":
    """The score at an occasion, for each row of `frame`: by participant, and for a daily occasion by day.

    `when` may be a daily occasion of one day: `before day 8`.
    """
    occasion, _, day = when.partition(" day ")
    if occasion in DAILY and not day:
        taken = scores[scores["occasion"] == occasion].set_index(["participant", "day"])["score"]
        keys = pd.MultiIndex.from_arrays([frame["participant"], frame["day"].astype("float64")])
        return pd.Series(taken.reindex(keys).to_numpy(dtype="float64"), index=frame.index)
    chosen = scores["occasion"] == (occasion if occasion in DAILY else when)
    if occasion in DAILY:
        chosen &= scores["day"] == float(day)
    return frame["participant"].map(scores[chosen].set_index("participant")["score"]).astype("float64")


def _same_day(outcome: Outcome) -> str:
    """The occasion from which the change is counted; a daily one of an outcome of one day is that of this day."""
    start = outcome.change_from or ""
    if start not in DAILY or outcome.is_daily:
        return start
    if not outcome.when.startswith("day "):
        raise CannotEstimate(
            f"The change of {outcome.measure} at {outcome.when} from {start} says not of which day; "
            "analysis: write change_from with an occasion that there is once."
        )
    return f"{start} {outcome.when}"


def _baseline(data: AnalysisData, scores: pd.DataFrame, outcome: Outcome) -> "tuple[pd.Series[float], bool]":
    """The scores to adjust for, by participant, and whether they are of the first day. Empty where there are none."""
    order = [outcome.change_from] if outcome.change_from in FIRST else []
    for occasion in [*order, *FIRST]:
        found = scores[scores["occasion"] == occasion].set_index("participant")["score"].dropna()
        if not found.empty:
            return found, False
    found = scores[(scores["occasion"] == "before") & (scores["day"] == 1)].set_index("participant")["score"].dropna()
    return found, not found.empty


def _words(outcome: Outcome) -> str:
    """When it is taken, as people read it."""
    if (outcome.change_from, outcome.when) == DAILY:
        return ", change from before to after each visit"
    when = f" {outcome.when} the exercise of each visit" if outcome.is_daily else f" at {outcome.when}"
    when = f" on {outcome.when}" if outcome.when.startswith("day ") else when
    return when if outcome.change_from is None else f"{when}, change from {outcome.change_from}"


def _word(text: str) -> str:
    """As part of a name."""
    return text.replace(".", "_").replace(" ", "_").replace("-", "_")

"""The daily diary: what of distress belongs to the person and what to the day, and what goes with relief.

Everything here but the comparison of variability between arms is observational: on which day somebody is distressed,
how many visits they make and how much they say was not given to them by chance.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from study.analysis.compare import certain
from study.analysis.daily import daily
from study.analysis.data import AnalysisData
from study.analysis.results import Cell, Column, Section, Table, cell
from study.analysis.sections._tables import RATIOS, adjustment, contrast_rows, factor, level, tell
from study.errors import CannotEstimate
from study.statistics.design import build
from study.statistics.estimate import Estimate
from study.statistics.fit import Fit
from study.statistics.groups import mean, welch
from study.statistics.mixed import fit_mixed
from study.statistics.serial import Serial, fit_serial
from study.statistics.within import centred, variability

__all__ = ["section"]

_LEAST = 5
"""Days that somebody must have rated for their variability to count."""

_FOUND = (
    Column("estimate", "Estimate", "number", 3),
    Column("low", "Low", "number", 3),
    Column("high", "High", "number", 3),
    Column("p", "p", "p"),
)


def section(data: AnalysisData) -> Section:
    """Within and between people, dose and response, correlation from day to day, and variability."""
    frame = daily(data)
    if frame.empty:
        return Section("diary", "The daily diary", warnings=("No visit has a rating of distress.",))
    warnings: list[str] = []
    text = [
        "Does distress before a visit go with the change in it? The rating before is split into how a participant "
        "is on the whole (between) and how this day differs from that participant's own mean (within). The change "
        "is counted from the same rating, so that a chance rise of the rating before comes down again with it: a "
        "slope within people between -1 and 0 is to be expected without any treatment, and only its difference "
        "between arms says something about an arm.",
        "Dose and response: does more go with more relief? How many visits somebody made and how many words they "
        "said was up to them, so that these are associations and no effects. On a given study day, one more visit "
        "made so far is one less missed.",
        "Correlation from day to day is that of a day with the next within a participant, beyond what is lasting in"
        " that participant and a straight line over the days in each arm. The share between people (ICC) is what "
        "one day says about the participant.",
    ]
    tables = [_within_between(data, frame, warnings), _dose(data, frame, text, warnings)]
    tables += [_correlation(data, frame, warnings), *_variability(data, frame, warnings)]
    return Section(
        "diary", "The daily diary", tuple(text), tuple(table for table in tables if table.rows), tuple(warnings)
    )


def _fitted(data: AnalysisData, frame: pd.DataFrame, terms: Sequence[str]) -> Fit:
    present = [arm for arm in data.arms if (frame["arm"] == arm).any()]
    used = [one for one in terms if one != "arm" or len(present) > 1]
    design = build(frame, "change", used, participant="participant", occasion="day", factors={"arm": present})
    return certain(fit_mixed(design, random="intercept", df=data.plan.df))


def _row(head: Sequence[Cell], one: Estimate, fit: Fit) -> tuple[Cell, ...]:
    numbers = (cell(one.value), cell(one.low), cell(one.high), cell(one.p))
    return (*head, *numbers, fit.n_values, fit.n_participants)


def _within_between(data: AnalysisData, frame: pd.DataFrame, warnings: list[str]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    split = centred(frame.dropna(subset=["change"]), "before")
    try:
        fit = _fitted(data, split, ["arm", "day", "before_within", "before_between"])
        within = fit.coefficient("before_within", level(data))
        between = fit.coefficient("before_between", level(data))
        rows.append(_row(("All arms", "Within a participant"), within, fit))
        rows.append(_row(("All arms", "Between participants"), between, fit))
        weights = np.zeros(len(fit.names))
        weights[[fit.names.index("before_between"), fit.names.index("before_within")]] = 1, -1
        rows.append(_row(("All arms", "Between minus within"), fit.estimate(weights, "difference", level(data)), fit))
    except CannotEstimate as reason:
        tell(warnings, f"Distress before and change: {reason}")
        return Table("diary_within_between", "Change of distress on distress before", (), ())
    rows += _by_arm(data, split, warnings)
    return Table(
        "diary_within_between",
        "Change of distress in a visit, for each point of distress before",
        (
            Column("arm", "Arm"),
            Column("what", "Slope"),
            *_FOUND,
            Column("values", "Visits", "count"),
            Column("participants", "Participants", "count"),
        ),
        tuple(rows),
        note="Mixed model with a random intercept: arm, day (linear), the day's deviation from the participant's "
        "own mean, and that mean. The slopes by arm are from a model with one for each arm, which also has the"
        " test of equal slopes.",
    )


def _by_arm(data: AnalysisData, split: pd.DataFrame, warnings: list[str]) -> list[tuple[Cell, ...]]:
    """The slope within participants of each arm, and whether they differ."""
    try:
        fit = _fitted(data, split, ["arm", "day", "before_within", "before_between", "arm:before_within"])
    except CannotEstimate as reason:
        tell(warnings, f"Distress before and change, by arm: {reason}")
        return []
    rows = []
    base = fit.names.index("before_within")
    present = fit.design.factors.get("arm", ())
    for arm in present:
        weights = np.zeros(len(fit.names))
        weights[base] = 1
        own = f"arm[{arm}]:before_within"
        if own in fit.names:
            weights[fit.names.index(own)] = 1
        rows.append(_row((arm, "Within a participant"), fit.estimate(weights, str(arm), level(data)), fit))
    if len(present) > 1:
        f, df1, df2, p = fit.f_test(fit.term("arm:before_within"))
        head: tuple[Cell, ...] = ("All arms", f"Equal slopes: F({df1:g}, {df2:.1f}) = {f:.2f}")
        rows.append((*head, None, None, None, cell(p), fit.n_values, fit.n_participants))
    return rows


def _dose(data: AnalysisData, frame: pd.DataFrame, text: list[str], warnings: list[str]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    known = frame.dropna(subset=["change"])
    # On the same day, visits made so far and visits missed so far say the same; the latter does not rise with the day.
    doses = [("Visits made so far, each", known.assign(dose=known["made_so_far"] - (known["day"] - 1)))]
    if data.blinded:
        text.append("Words said are not shown to a reader who may not know the arms, since they would tell them.")
    elif data.turns.empty:
        text.append("No visit had a turn, so there are no words to set against the change.")
    else:
        said = known.merge(data.turns[["participant", "day", "participant_words"]], on=["participant", "day"])
        doses.append(("Words said in the visit, each 100", said.assign(dose=said["participant_words"] / 100)))
    for title, one in doses:
        split = centred(one, "dose")
        for kind in ("within", "between"):
            if split[f"dose_{kind}"].abs().max() < 1e-9:
                split = split.drop(columns=f"dose_{kind}")
        kinds = [kind for kind in ("within", "between") if f"dose_{kind}" in split]
        if not kinds:
            tell(warnings, f"{title}: the same on all visits, so that nothing can be said of it.")
            continue
        try:
            fit = _fitted(data, split, ["arm", "day", *(f"dose_{kind}" for kind in kinds)])
        except CannotEstimate as reason:
            tell(warnings, f"{title}: {reason}")
            continue
        for kind in kinds:
            what = {"within": "Within a participant", "between": "Between participants"}[kind]
            rows.append(_row((title, what), fit.coefficient(f"dose_{kind}", level(data)), fit))
    return Table(
        "diary_dose_response",
        "Dose and response (observational): change of distress in a visit",
        (
            Column("dose", "Dose"),
            Column("what", "Slope"),
            *_FOUND,
            Column("values", "Visits", "count"),
            Column("participants", "Participants", "count"),
        ),
        tuple(rows),
        note="Points of change (negative: more relief) for one unit of dose. Mixed model with a random intercept, "
        "arm and day (linear); dose is split into the participant's mean and the visit's deviation from it.",
    )


def _correlation(data: AnalysisData, frame: pd.DataFrame, warnings: list[str]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    titles = {"before": "Distress before", "after": "Distress after", "change": "Change"}
    for name, title in titles.items():
        known = frame.dropna(subset=[name])
        for arm in ("All arms", *data.arms):
            own = known if arm == "All arms" else known[known["arm"] == arm]
            about = f"{title}, {arm if arm != 'All arms' else 'all arms'}"
            plain = _try(partial(_serial, data, own, name, False), about, warnings)
            serial = _try(partial(_serial, data, own, name, True), about, warnings) if plain else None
            phi = serial.phi if serial else None
            share = plain.icc if plain else None
            icc = (share.value, cell(share.low), cell(share.high)) if share else (None,) * 3
            lag = (phi.value, cell(phi.low), cell(phi.high)) if phi else (None,) * 3
            rows.append((title, arm, *icc, *lag, len(own), own["participant"].nunique()))
    return Table(
        "diary_correlation",
        "How alike the days of one participant are",
        (
            Column("rating", "Rating"),
            Column("arm", "Arm"),
            Column("icc", "ICC", "number"),
            Column("icc_low", "Low", "number"),
            Column("icc_high", "High", "number"),
            Column("lag1", "Day to day", "number"),
            Column("lag1_low", "Low", "number"),
            Column("lag1_high", "High", "number"),
            Column("values", "Visits", "count"),
            Column("participants", "Participants", "count"),
        ),
        tuple(rows),
        note="REML. ICC: from a model with a random intercept. Day to day: the autocorrelation of a first-order "
        "process beside the random intercept; missing days count as time that passed. Intervals "
        "are those of the profile likelihood. A straight line over the days, in each arm, is taken out first.",
    )


def _serial(data: AnalysisData, frame: pd.DataFrame, name: str, autocorrelation: bool) -> Serial:
    if frame.empty:
        raise CannotEstimate("There is no value.")
    arms = [arm for arm in data.arms if (frame["arm"] == arm).any()]
    member = np.column_stack([(frame["arm"] == arm).to_numpy(float) for arm in arms])
    day = frame["day"].to_numpy(float)
    columns = [member, member * day[:, None]] if len(set(day)) > 1 else [member]
    return fit_serial(
        frame[name].to_numpy(float),
        np.column_stack(columns),
        frame["participant"].to_numpy(),
        frame["day"].to_numpy(),
        autocorrelation=autocorrelation,
        level=level(data),
    )


def _try(fit: Callable[[], Serial], about: str, warnings: list[str]) -> Serial | None:
    try:
        return fit()
    except CannotEstimate as reason:
        tell(warnings, f"{about}: {reason}")
        return None


def _variability(data: AnalysisData, frame: pd.DataFrame, warnings: list[str]) -> list[Table]:
    each = variability(frame, "before", least=_LEAST).merge(data.participants[["participant", "arm"]], on="participant")
    if each.empty:
        tell(warnings, f"Nobody rated distress on {_LEAST} days or more, so variability from day to day is not known.")
        return []
    rows: list[tuple[Cell, ...]] = []
    contrasts: list[tuple[Cell, ...]] = []
    for name, title in {"sd": "Around the own line", "rmssd": "From a day to the next"}.items():
        positive = each[each[name] > 1e-9]
        logs = positive.assign(log=np.log(positive[name]))
        if flat := int((each[name] <= 1e-9).sum()):
            tell(warnings, f"Variability, {title.lower()}: {flat} participants whose ratings never moved are left out.")

        def of(arm: str, logs: pd.DataFrame = logs) -> list[float]:
            return [float(value) for value in logs.loc[logs["arm"] == arm, "log"]]

        for arm in data.arms:
            values = of(arm)
            numbers: tuple[Cell, ...] = (math.exp(values[0]), None, None) if values else (None, None, None)
            if len(values) > 1:
                one = mean(values, level=level(data))
                numbers = (factor(one.value), factor(one.low), factor(one.high))
            rows.append((title, arm, len(values), *numbers))

        def difference(first: str, second: str, of: Callable[[str], list[float]] = of) -> Estimate:
            return welch(of(first), of(second), level=level(data))

        contrasts += contrast_rows(data, (title,), difference, warnings, f"Variability, {title.lower()}", ratio=True)
    return [
        Table(
            "diary_variability",
            "How much one participant's distress before a visit goes up and down",
            (
                Column("what", "Variability"),
                Column("arm", "Arm"),
                Column("participants", "Participants", "count"),
                Column("mean", "Points", "number"),
                Column("low", "Low", "number"),
                Column("high", "High", "number"),
            ),
            tuple(rows),
            note=f"Geometric means over participants with at least {_LEAST} ratings. Around the own line: standard "
            "deviation from the participant's own straight line over the days. From a day to the next: root of"
            " the mean squared difference of neighbouring days.",
        ),
        Table(
            "diary_variability_contrasts",
            "Variability, ratio between arms",
            (Column("what", "Variability"), *RATIOS),
            tuple(contrasts),
            note=f"Ratios of geometric means: 1 is no difference. Welch's t of the logarithms. {adjustment(data)}",
        ),
    ]

"""Engagement and disclosure over the days: words, turns, minutes, and how long the first sentence of an answer took.

Kian et al. (arXiv 2506.17831) ask whether both rise with a robot and fall with a chatbot. That is a question about
trends by arm, so it is answered by the difference of the trends, not by a trend in one arm beside none in the other.
The model is of logarithms, since words and seconds vary in proportion to their size: a trend is so many percent a day.
"""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.analysis.compare import certain
from study.analysis.data import AnalysisData
from study.analysis.results import Cell, Column, Section, Table, cell
from study.analysis.sections._tables import RATIOS, adjustment, contrast_rows, factor, level, tell
from study.errors import CannotEstimate
from study.report.numbers import words
from study.statistics.design import build
from study.statistics.estimate import Estimate
from study.statistics.fit import Fit
from study.statistics.means import weights
from study.statistics.mixed import fit_mixed

__all__ = ["section"]

MEASURES = {
    "participant_words": ("Words of the participant", "words"),
    "participant_turns": ("Turns of the participant", "turns"),
    "minutes": ("Minutes from the first turn to the last", "minutes"),
    "latency_ms": ("Latency: milliseconds to the first sentence", "milliseconds"),
}


def section(data: AnalysisData) -> Section:
    """By arm: levels, trends over the days, and their contrasts, for each of `MEASURES`."""
    title = "Engagement and disclosure"
    if data.blinded:
        sentence = (
            "Words, turns, minutes and latency are not shown to a reader who may not know the arms: media "
            "can be told apart by them."
        )
        return Section("engagement", title, (sentence,))
    if data.turns.empty:
        return Section("engagement", title, warnings=("No visit has a turn, so engagement cannot be told.",))
    data = replace(data, turns=data.turns.assign(latency_ms=1000 * data.turns["first_sentence_s"]))
    warnings: list[str] = []
    tables: list[list[tuple[Cell, ...]]] = [[], [], []]
    for name in MEASURES:
        _describe(data, name, tables[0])
        _compare(data, name, tables[1], tables[2], warnings)
    silent = [arm for arm in data.arms if not (data.turns["arm"] == arm).any()]
    if silent:
        warnings.append(f"No visit in {words(silent)} has a turn.")
    return Section("engagement", title, _text(data), _tables(data, tables), tuple(warnings))


def _text(data: AnalysisData) -> tuple[str, ...]:
    text = [
        "How much participants said, and whether that changes over the days, by arm. Trends are compared between "
        "arms directly: a rise in one arm and none in another is no difference until the difference of the two is. "
        "The models are of logarithms, with arm, day (linear), their product, and a random intercept and slope; "
        "levels are geometric means in the middle of the study days.",
        "Words are the amount that was disclosed, not how intimate it was: intimacy is not measured here. It would "
        "need raters who read the transcripts and do not know the arm (`bedside export` has them).",
    ]
    media = set(data.media.values())
    if "robot" in media and len(media) > 1:
        text.append(
            "What was said to a robot is counted as its recogniser understood it, and spoken language has more "
            "words than written for the same content; words can be compared over days within an arm rather than "
            "between media."
        )
    if len(media) > 1:
        text.append(
            "Latency is a confound: when one arm answers later than another, a difference between arms may be that "
            "of the waiting, not of the medium. It is compared here as a check of the manipulation."
        )
    unanswered = [arm.name for arm in data.protocol.arms if not arm.assist and arm.name in data.arms]
    if unanswered:
        text.append(f"In {words(unanswered)} nobody answers, so there is no latency; words are those on the worksheet.")
    return tuple(text)


def _describe(data: AnalysisData, name: str, rows: list[tuple[Cell, ...]]) -> None:
    """Quartiles by week of the study."""
    title, unit = MEASURES[name]
    for arm in data.arms:
        own = data.turns.loc[data.turns["arm"] == arm, ["day", name]].dropna()
        for week, values in own.groupby((own["day"] - 1) // 7 + 1)[name]:
            quarters = [float(values.quantile(share)) for share in (0.25, 0.5, 0.75)]
            rows.append((title, unit, arm, int(week), len(values), *quarters))


def _compare(
    data: AnalysisData,
    name: str,
    arms: list[tuple[Cell, ...]],
    contrasts: list[tuple[Cell, ...]],
    warnings: list[str],
) -> None:
    title = MEASURES[name][0]
    known = data.turns[["participant", "arm", "day", name]].dropna()
    positive = known[known[name] > 0]
    if left := len(known) - len(positive):
        many, are = (f"{left} visits have", "are") if left > 1 else ("1 visit has", "is")
        tell(warnings, f"{title}: {many} the value 0, which has no logarithm, and {are} left out of the model.")
    if positive.empty:
        tell(warnings, f"{title}: no visit has a value.")
        return
    frame = positive.assign(log=np.log(positive[name].astype(float)))
    present = [arm for arm in data.arms if (frame["arm"] == arm).any()]
    spoken = [arm for arm in data.arms if (data.turns["arm"] == arm).any()]
    if lacking := [arm for arm in spoken if arm not in present]:
        tell(warnings, f"{title}: there are no values of {words(lacking)}, which is not compared in this.")
    try:
        fit = _fit(data, frame, present, title, warnings)
    except CannotEstimate as reason:
        tell(warnings, f"{title}: {str(reason).replace(' of log ', ' ')}")
        return
    middle = (1 + data.protocol.days) / 2

    def point(arm: str, day: float) -> NDArray[np.float64]:
        return weights(fit.design, {"day": day} | ({"arm": arm} if len(present) > 1 else {}))

    def mean(arm: str) -> Estimate:
        return fit.estimate(point(arm, middle), arm, level(data))

    def trend(arm: str) -> Estimate:
        return fit.estimate(point(arm, middle + 1) - point(arm, middle), arm, level(data))

    for arm in present:
        own = frame[frame["arm"] == arm]
        one, slope = mean(arm), trend(arm)
        arms.append(
            (
                title,
                arm,
                len(own),
                own["participant"].nunique(),
                *map(factor, (one.value, one.low, one.high)),
                *map(_percent, (slope.value, slope.low, slope.high)),
                cell(slope.p),
            )
        )

    def of_means(first: str, second: str) -> Estimate:
        return fit.estimate(point(first, middle) - point(second, middle), "ratio", level(data))

    def of_trends(first: str, second: str) -> Estimate:
        row = point(first, middle + 1) - point(first, middle) - point(second, middle + 1) + point(second, middle)
        return fit.estimate(row, "ratio of trends", level(data))

    contrasts += contrast_rows(data, (title, "Level"), of_means, warnings, title, ratio=True, among=present)
    contrasts += contrast_rows(data, (title, "Trend a day"), of_trends, warnings, title, ratio=True, among=present)


def _fit(data: AnalysisData, frame: pd.DataFrame, present: list[str], title: str, warnings: list[str]) -> Fit:
    terms = ["arm", "day", "arm:day"] if len(present) > 1 else ["day"]
    design = build(frame, "log", terms, participant="participant", occasion="day", factors={"arm": present})
    try:
        return certain(fit_mixed(design, random="slope", df=data.plan.df))
    except CannotEstimate:
        fit = certain(fit_mixed(design, random="intercept", df=data.plan.df))
        tell(
            warnings,
            f"{title}: participants' own slopes could not be estimated, so the model has a random intercept alone "
            "and its trends look surer than they are.",
        )
        return fit


def _tables(data: AnalysisData, rows: list[list[tuple[Cell, ...]]]) -> tuple[Table, ...]:
    share = f"{100 * level(data):g}%"
    tables = (
        Table(
            "engagement_arms",
            "Levels and trends, by arm",
            (
                Column("measure", "Measure"),
                Column("arm", "Arm"),
                Column("visits", "Visits", "count"),
                Column("participants", "Participants", "count"),
                Column("mean", "Level", "number"),
                Column("mean_low", "Low", "number"),
                Column("mean_high", "High", "number"),
                Column("trend", "Change a day, %", "number"),
                Column("trend_low", "Low", "number"),
                Column("trend_high", "High", "number"),
                Column("p", "p of the trend", "p"),
            ),
            tuple(rows[1]),
            note=f"Geometric means in the middle of the study days; {share} intervals. A p value here says whether "
            "the trend of this arm is 0, and nothing about a difference between arms.",
        ),
        Table(
            "engagement_contrasts",
            "Levels and trends, ratio between arms",
            (Column("measure", "Measure"), Column("what", "What"), *RATIOS),
            tuple(rows[2]),
            note="Ratios: 1 is no difference. Of levels, geometric mean to geometric mean; of trends, the factor of"
            f" one day to the factor of one day. {adjustment(data)}",
        ),
        Table(
            "engagement_weeks",
            "By arm and week",
            (
                Column("measure", "Measure"),
                Column("unit", "Unit"),
                Column("arm", "Arm"),
                Column("week", "Week", "count"),
                Column("visits", "Visits", "count"),
                Column("first_quarter", "A quarter below", "number"),
                Column("median", "Median", "number"),
                Column("third_quarter", "Three quarters below", "number"),
            ),
            tuple(rows[0]),
        ),
    )
    return tuple(table for table in tables if table.rows)


def _percent(log: float) -> Cell:
    return cell(100 * math.expm1(log)) if log < 700 else None

"""How late answers came, by arm: a check of the manipulation, since waiting is a difference that is not the medium."""

from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.analysis.compare import pairs
from study.analysis.data import AnalysisData
from study.analysis.results import INTERVAL, Cell, Column, Section, Table
from study.analysis.sections._tables import level, tell
from study.equalising import equalised
from study.report.numbers import percent, words
from study.statistics.clustered import interval, medians

__all__ = ["MEASURES", "section", "with_wait"]

DRAWS = 2000
"""Bootstrap samples of the participants of each arm."""

MEASURES = {
    "wait_ms": "Wait, as the participant has it",
    "queue_ms": "Queue",
    "first_token_ms": "First token",
    "first_sentence_ms": "First sentence",
    "last_token_ms": "Last token",
    "first_sound_ms": "First sound",
    "held_ms": "Held back",
}

_TITLE = "Latency"


def with_wait(answers: pd.DataFrame) -> pd.DataFrame:
    """The answers with `wait_ms`: until the participant heard or saw the first sentence, with what it was held back.

    A robot's is to its first sound, as the robot measured it; without that nobody knows it.
    """
    shown = answers["ready_ms"] + answers["held_ms"].fillna(0.0)
    return answers.assign(wait_ms=answers["first_sound_ms"].where(answers["spoken"], shown))


def section(data: AnalysisData) -> Section:
    """By arm: medians and 95th percentiles of each time, differences of medians, and answers that came too late."""
    if data.blinded:
        sentence = "How late answers came is not shown to a reader who may not know the arms: media can be told by it."
        return Section("latency", _TITLE, (sentence,))
    if data.answers.empty:
        return Section("latency", _TITLE, warnings=("No answer has been recorded, so its latency cannot be told.",))
    answers = with_wait(spoken(data))
    warnings: list[str] = []
    rng = np.random.default_rng([data.plan.seed, 3])
    levels: list[tuple[Cell, ...]] = []
    contrasts: list[tuple[Cell, ...]] = []
    for name, title in MEASURES.items():
        groups = {arm: _groups(answers, arm, name) for arm in data.arms}
        groups = {arm: own for arm, own in groups.items() if own}
        levels += [(title, arm, *_level(own)) for arm, own in groups.items()]
        contrasts += _differences(data, title, groups, rng, warnings)
    if not contrasts:
        tell(warnings, "There are no two arms whose answers have times, so nothing is compared.")
    tables = (_levels(levels), _contrasts(data, contrasts), _failures(data, answers))
    return Section("latency", _TITLE, _text(data, answers), tuple(one for one in tables if one.rows), tuple(warnings))


def spoken(data: AnalysisData) -> pd.DataFrame:
    """The answers, with `spoken`: whether a robot gave them."""
    robots = [arm for arm, medium in data.media.items() if medium == "robot"]
    return data.answers.assign(spoken=data.answers["arm"].isin(robots))


def _text(data: AnalysisData, answers: pd.DataFrame) -> tuple[str, ...]:
    text = [
        "When one arm answers later than another, a difference between the arms may be that of the waiting. So the "
        "times of each answer are compared. Queue, first token, first sentence and last token count from the moment "
        "when the engine was asked. The wait is the participant's own: in a chat or a worksheet from sending the words "
        "until the first sentence of the answer is shown, with a robot from the end of speech to the first sound of "
        "the answer, as the robot measured it.",
    ]
    unheard = answers["spoken"] & answers["first_sound_ms"].isna()
    if unheard.any():
        text.append(
            f"Of {int(answers['spoken'].sum())} answers of a robot, {int(unheard.sum())} have no first sound: the "
            "robot had no voice, was spoken into, or did not report it. They are not in the wait."
        )
    arms = {arm for version in data.versions for arm in equalised(version)}
    if not arms:
        text.append("No answer was held back: `equalise` was off.")
    else:
        held = answers[answers["held_ms"] > 0]
        share = percent(len(held) / len(answers))
        text.append(
            f"`equalise` was on for {words([arm for arm in data.arms if arm in arms])}: answers were held back so "
            f"that all of these arms are waited for alike. Held were {len(held)} of {len(answers)} answers ({share})"
            + (f", for {float(held['held_ms'].median()):,.0f} ms in the median." if len(held) else ".")
        )
    return tuple(text)


def _groups(answers: pd.DataFrame, arm: str, name: str) -> list[NDArray[np.float64]]:
    """The known values of each participant of the arm who has any."""
    own = answers.loc[answers["arm"] == arm, ["participant", name]].dropna()
    return [group.to_numpy(dtype=float) for _, group in own.groupby("participant", sort=False)[name]]


def _level(groups: list[NDArray[np.float64]]) -> tuple[Cell, ...]:
    values = np.concatenate(groups)
    return len(groups), len(values), float(np.median(values)), float(np.quantile(values, 0.95))


def _differences(
    data: AnalysisData,
    title: str,
    groups: dict[str, list[NDArray[np.float64]]],
    rng: np.random.Generator,
    warnings: list[str],
) -> list[tuple[Cell, ...]]:
    chosen = [(one, other) for one, other in pairs(data.plan, data.arms) if one in groups and other in groups]
    drawn = {
        arm: medians(groups[arm], DRAWS, rng)
        for arm in dict.fromkeys(chain.from_iterable(chosen))
        if len(groups[arm]) > 1
    }
    rows: list[tuple[Cell, ...]] = []
    for one, other in chosen:
        difference = float(np.median(np.concatenate(groups[one])) - np.median(np.concatenate(groups[other])))
        low, high = (None, None)
        if one in drawn and other in drawn:
            low, high = interval(drawn[one] - drawn[other], level(data))
        else:
            tell(warnings, f"{title}, {one} and {other}: an interval needs two participants in each arm.")
        rows.append((title, one, other, difference, low, high))
    return rows


def _levels(rows: list[tuple[Cell, ...]]) -> Table:
    return Table(
        "latency_arms",
        "Times of answers, by arm",
        (
            Column("measure", "Time"),
            Column("arm", "Arm"),
            Column("participants", "Participants", "count"),
            Column("answers", "Answers", "count"),
            Column("median", "Median, ms", "number", 1),
            Column("p95", "95th percentile, ms", "number", 1),
        ),
        tuple(rows),
        note="Of answers of the model, or of the script in its place, that have the time; in milliseconds.",
    )


def _contrasts(data: AnalysisData, rows: list[tuple[Cell, ...]]) -> Table:
    return Table(
        "latency_contrasts",
        "Difference of the medians between arms",
        (
            Column("measure", "Time"),
            Column("arm", "Arm"),
            Column("compared_with", "minus"),
            Column("difference", "Difference, ms", "number", 1),
            *(Column(one.name, one.title, one.kind, 1) for one in INTERVAL),
        ),
        tuple(rows),
        note=f"{100 * level(data):g}% percentile intervals from {DRAWS:,} bootstrap samples of the participants of "
        f"each arm with all their answers; the seed is {data.plan.seed}.",
    )


def _failures(data: AnalysisData, answers: pd.DataFrame) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for arm in data.arms:
        own = answers[answers["arm"] == arm]
        if len(own):
            fell, late = int((own["origin"] == "fallback").sum()), int(own["late"].sum())
            rows.append((arm, len(own), fell, late, late / len(own)))
    return Table(
        "latency_fallbacks",
        "Answers in whose place the script's words were said",
        (
            Column("arm", "Arm"),
            Column("answers", "Answers", "count"),
            Column("fallbacks", "Script in place of the model", "count"),
            Column("late", "Of these, model late or busy", "count"),
            Column("share", "Late or busy, of all", "percent"),
        ),
        tuple(rows),
        note="Late: no sentence within the engine's timeout_s. Busy: it was not this answer's turn within wait_s.",
    )

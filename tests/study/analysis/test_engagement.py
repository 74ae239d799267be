"""Engagement is compared by trends between arms, and never by a trend in one arm beside none in another."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from study.analysis.data import AnalysisData
from study.analysis.results import Section
from study.analysis.sections import engagement
from tests.analysing import synthetic

TREND = {"robot": 0.04, "chatbot": -0.03, "worksheet": 0.0}
"""Of the logarithm of words, a day."""


@cache
def planted() -> AnalysisData:
    """Complete data: words rise in the robot arm and fall in the chatbot arm; the chatbot answers twice as late."""
    data = synthetic(36, days=10, missing=0.0, dropout=0.0, stopped=0)
    random = np.random.default_rng(4)
    turns = data.turns.copy()
    own = {name: (random.normal(0, 0.3), random.normal(0, 0.01)) for name in data.participants["participant"]}
    intercept, slope = (np.array([own[name][part] for name in turns["participant"]]) for part in (0, 1))
    trend = turns["arm"].map(TREND).to_numpy(float) + slope
    logs = np.log(80) + intercept + trend * turns["day"].to_numpy(float) + random.normal(0, 0.2, len(turns))
    turns["participant_words"] = np.round(np.exp(logs)).astype("int64")
    late = np.where(turns["arm"] == "chatbot", 2.0, 1.0) * np.exp(random.normal(0, 0.2, len(turns)))
    turns["first_sentence_s"] = np.where(turns["arm"] == "worksheet", np.nan, late)
    return replace(data, turns=turns)


@cache
def made() -> Section:
    return engagement.section(planted())


def rows_of(name: str, section: Section | None = None) -> list[dict[str, Any]]:
    found = next(one for one in (section or made()).tables if one.name == name)
    names = [column.name for column in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def contrast(measure: str, what: str, arm: str = "robot", other: str = "chatbot") -> dict[str, Any]:
    chosen = (arm, other)
    return next(
        row
        for row in rows_of("engagement_contrasts")
        if row["measure"].startswith(measure) and row["what"] == what and (row["arm"], row["compared_with"]) == chosen
    )


def slopes(arm: str) -> list[float]:
    """Each participant's own least-squares slope of the logarithm of words."""
    turns = planted().turns
    own = turns[turns["arm"] == arm].groupby("participant")
    return [float(np.polyfit(one["day"], np.log(one["participant_words"]), 1)[0]) for _, one in own]


def test_of_complete_data_the_trend_is_the_mean_of_the_participants_own_slopes() -> None:
    # With the same days for everybody, generalised and ordinary least squares agree (Laird and Ware 1982).
    for row in rows_of("engagement_arms"):
        if row["measure"] == "Words of the participant":
            assert row["trend"] == pytest.approx(100 * np.expm1(np.mean(slopes(row["arm"]))), abs=1e-3)


def test_the_difference_of_the_trends_is_found_with_its_interval() -> None:
    row = contrast("Words", "Trend a day")
    assert row["ratio"] == pytest.approx(np.exp(np.mean(slopes("robot")) - np.mean(slopes("chatbot"))), abs=1e-5)
    assert row["low"] < np.exp(TREND["robot"] - TREND["chatbot"]) < row["high"]
    assert row["p_adjusted"] < 0.001


def test_latency_is_compared_because_it_is_a_confound() -> None:
    row = contrast("Latency", "Level")
    assert row["low"] < 0.5 < row["high"]
    assert any("Latency is a confound" in sentence for sentence in made().text)


def test_an_arm_in_which_nobody_answers_has_no_latency_and_that_is_said() -> None:
    latency = [row for row in rows_of("engagement_contrasts") if row["measure"].startswith("Latency")]
    assert {(row["arm"], row["compared_with"]) for row in latency} == {("robot", "chatbot")}
    assert any(sentence.startswith("Latency") and "worksheet" in sentence for sentence in made().warnings)
    assert any("In worksheet nobody answers" in sentence for sentence in made().text)


def test_a_worksheet_without_any_turn_is_named_and_the_others_are_compared() -> None:
    data = planted()
    section = engagement.section(replace(data, turns=data.turns[data.turns["arm"] != "worksheet"]))
    assert "No visit in worksheet has a turn." in section.warnings
    words = [row for row in rows_of("engagement_contrasts", section) if row["measure"].startswith("Words")]
    assert {(row["arm"], row["compared_with"]) for row in words} == {("robot", "chatbot")}


def test_a_p_value_of_one_arm_is_said_to_be_no_difference_between_arms() -> None:
    note = next(one.note for one in made().tables if one.name == "engagement_arms")
    assert "nothing about a difference between arms" in note
    assert "is no difference until the difference of the two is" in made().text[0]


def test_words_are_not_intimacy_and_that_is_said() -> None:
    assert any("intimacy is not measured here" in sentence for sentence in made().text)


def test_medians_by_week_are_those_of_the_visits() -> None:
    turns = planted().turns.assign(latency_ms=1000 * planted().turns["first_sentence_s"])
    rows = rows_of("engagement_weeks")
    assert {row["week"] for row in rows} == {1, 2}
    for row in rows:
        name = {title: key for key, (title, _) in engagement.MEASURES.items()}[row["measure"]]
        days = turns["day"].between(7 * row["week"] - 6, 7 * row["week"])
        own = turns[(turns["arm"] == row["arm"]) & days][name].dropna()
        assert (row["visits"], row["median"]) == (len(own), pytest.approx(own.median()))


def test_a_blinded_reader_gets_a_sentence_and_no_number() -> None:
    section = engagement.section(synthetic(18, days=6, blinded=True))
    assert section.tables == ()
    assert "not shown to a reader who may not know the arms" in section.text[0]


def test_visits_without_a_word_are_counted_and_left_out() -> None:
    data = planted()
    words = data.turns["participant_words"].where(data.turns.index != 5, 0)
    section = engagement.section(replace(data, turns=data.turns.assign(participant_words=words)))
    assert any("1 visit has the value 0" in sentence for sentence in section.warnings)

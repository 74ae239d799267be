"""How late the arms answer is told and compared by arm, and to nobody who may not know the arms."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study import sounding, visits
from study.analysis.data import AnalysisData, load
from study.analysis.results import Section
from study.analysis.sections import latency
from study.analysis.tables import ANSWERS, table
from study.study import Study
from tests.analysing import synthetic
from tests.study.test_equalising import answered

PLAN = """
[analysis]
primary = { measure = "distress", when = "after", change_from = "before" }

[analysis.estimand]
population = "Everybody"
treatment = "The robot or the chat"
variable = "Change of distress"
intercurrent_events = "As if nobody had missed a visit"
summary = "Difference of the mean changes"
"""


@cache
def data() -> AnalysisData:
    return synthetic(30, days=4, missing=0.0, dropout=0.0)


@cache
def made() -> Section:
    return latency.section(data())


def rows_of(section: Section, name: str) -> list[dict[str, Any]]:
    found = next(one for one in section.tables if one.name == name)
    names = [column.name for column in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def test_medians_and_percentiles_are_those_of_the_answers() -> None:
    for measure, name in (
        ("Queue", "queue_ms"),
        ("First sentence", "first_sentence_ms"),
        ("Last token", "last_token_ms"),
    ):
        for row in rows_of(made(), "latency_arms"):
            if row["measure"] == measure:
                own = data().answers.query("arm == @row['arm']")[name].dropna()
                assert (row["answers"], row["median"]) == (len(own), pytest.approx(np.median(own)))
                assert row["p95"] == pytest.approx(np.quantile(own, 0.95))


def test_the_wait_with_a_robot_ends_at_its_first_sound_and_elsewhere_at_the_first_sentence() -> None:
    medians = {
        row["arm"]: row["median"] for row in rows_of(made(), "latency_arms") if row["measure"].startswith("Wait")
    }
    robot = data().answers.query("arm == 'robot'")
    chat = data().answers.query("arm == 'chatbot'")
    assert medians["robot"] == pytest.approx(robot["first_sound_ms"].median())
    assert medians["chatbot"] == pytest.approx(chat["ready_ms"].median())
    assert any("have no first sound" in sentence for sentence in made().text)


def test_arms_are_compared_by_the_difference_of_their_medians_with_its_interval() -> None:
    rows = [row for row in rows_of(made(), "latency_contrasts") if row["measure"].startswith("Wait")]
    assert [(row["arm"], row["compared_with"]) for row in rows] == [("robot", "chatbot")]  # nobody answers a worksheet
    for row in rows:
        assert 600 < row["low"] < row["difference"] < row["high"]
    assert latency.section(data()) == made()  # the seed is the plan's


def test_answers_that_were_late_are_counted() -> None:
    for row in rows_of(made(), "latency_fallbacks"):
        own = data().answers.query("arm == @row['arm']")
        assert row["late"] == int(own["late"].sum())
        assert row["share"] == pytest.approx(own["late"].mean())


def test_a_blinded_reader_is_told_no_time() -> None:
    section = latency.section(synthetic(9, days=2, blinded=True))
    assert section.tables == ()
    assert "may not know the arms" in section.text[0]


def test_of_nothing_a_sentence() -> None:
    section = latency.section(replace(data(), answers=table(ANSWERS, ())))
    assert section.tables == ()
    assert section.warnings == ("No answer has been recorded, so its latency cannot be told.",)
    one = latency.section(data().of(list(data().participants.query("arm == 'robot'")["participant"])[:1]))
    assert any("nothing is compared" in sentence for sentence in one.warnings)


def test_whether_answers_were_held_back_is_said() -> None:
    assert "No answer was held back: `equalise` was off." in made().text
    protocol = data().protocol
    engine = protocol.engine.model_copy(update={"equalise": True})
    on = protocol.model_copy(update={"engine": engine})
    answers = data().answers.assign(held_ms=np.where(data().answers["arm"] == "robot", 0.0, 800.0))
    section = latency.section(replace(data(), protocol=on, versions=(on,), answers=answers))
    said = section.text[-1]
    assert said.startswith("`equalise` was on for robot and chatbot")
    assert "for 800 ms in the median" in said
    waits = {row["arm"]: row["median"] for row in rows_of(section, "latency_arms") if row["measure"].startswith("Wait")}
    before = {row["arm"]: row["median"] for row in rows_of(made(), "latency_arms") if row["measure"].startswith("Wait")}
    assert waits["chatbot"] == pytest.approx(before["chatbot"] + 800)
    assert waits["robot"] == pytest.approx(before["robot"])  # its first sound has in it whatever was held


def test_the_record_gives_every_answer_with_its_times(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text() + PLAN)
    study = Study.open(folder)
    robot = next(arm.name for arm in study.protocol.arms if arm.medium == "robot")
    told = {
        "queue_ms": 3.5,
        "first_token_ms": 80.5,
        "first_sentence_ms": 120.5,
        "last_token_ms": 300.5,
        "ready_ms": 121.5,
    }
    visit = answered(study, robot, {**told, "held_ms": 7.5, "failures": []}, {"ready_ms": 9.5, "failures": ["Late"]})
    answered(study, robot, {"ready_ms": 5000.5, "failures": ["Busy"]}, origin="fallback")
    answered(study, robot, {"ready_ms": 50.5}, origin="person")
    sounding.report(study, visit, 1, 1180.5, by="robot-1")
    assert visits.find(study, visit.id).device is None
    found = load(study).answers.set_index("origin", append=True)
    first, second, third = (row.to_dict() for _, row in found.iterrows())
    assert first["late"] is False
    assert {name: first[name] for name in (*told, "held_ms", "first_sound_ms")} == {
        **told,
        "held_ms": 7.5,
        "first_sound_ms": 1180.5,
    }
    assert (second["late"], third["late"]) == (False, True)  # the second was said by the model after all
    assert len(found) == 3
    study.close()

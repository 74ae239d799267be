"""Answers of an equalised study, through the portal: held, shown, recorded, and never in the way of the fixed message."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal.app import create_app
from portal.holding import Holding
from portal.sessions import Sessions
from study import visits
from study.enrolment import take_in
from study.equalising import ENOUGH
from study.study import Study
from study.visits import Visit
from tests.conftest import HandClock
from tests.portal.conftest import Robot, tmp_path
from tests.study.test_equalising import answered, equal
from therapist.engines import open_engine

__all__ = ["tmp_path"]

WORDS = "I failed the maths exam yesterday and felt sad"
LONG_S = 60.0


class Pause:
    """A clock of the test's own: no wait takes any time, and all are remembered. With `stuck`, one waits to be hurried."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.stuck = False
        self.begun = threading.Event()

    def __call__(self, hurry: threading.Event, seconds: float) -> float:
        self.waited.append(seconds)
        self.begun.set()
        if self.stuck:
            return 0.001 if hurry.wait(LONG_S) else LONG_S
        return seconds


@pytest.fixture
def pause() -> Pause:
    return Pause()


@pytest.fixture
def study(folder: Path, clock: HandClock) -> Iterator[Study]:
    opened = equal(folder)
    yield opened
    opened.close()


@pytest.fixture
def sessions(study: Study, pause: Pause) -> Iterator[Sessions]:
    sessions = Sessions(study, {study.protocol.engine: open_engine("eliza")}, holding=Holding(study, pause))
    yield sessions
    sessions.close()


def name_of(study: Study, medium: str) -> str:
    return next(arm.name for arm in study.protocol.arms if arm.medium == medium)


def known(study: Study, waits: dict[str, float]) -> None:
    """Answers of every arm, each as late as its medium is and a little later than the one before; none for the others."""
    for arm in study.protocol.arms:
        if arm.medium not in waits:
            continue
        told = [{"ready_ms": waits[arm.medium] + number} for number in range(ENOUGH)]
        visit = answered(study, arm.name, *told)
        assert visit.device is None


def due(study: Study, medium: str) -> Visit:
    while (participant := take_in(study)).arm.medium != medium:
        pass
    visit = visits.today(study, participant)
    assert visit is not None
    return visits.rate(study, visit, "before", 60)


def times(study: Study, visit: Visit) -> dict[str, float]:
    row = study.records.row("SELECT * FROM turn_timed WHERE visit = ? AND reply_to IS NOT NULL", visit.id)
    assert row is not None
    return row


def read(sessions: Sessions, visit: Visit, after: int = 0) -> list[str]:
    return [event.name for event in sessions.follow(visit, after) if event.name != "wait"]


def test_a_fast_arms_answer_is_held_until_the_slow_one_would_have_come(
    study: Study, sessions: Sessions, pause: Pause
) -> None:
    known(study, {"chat": 0.0, "worksheet": 0.0, "robot": 1500.0})
    visit = due(study, "chat")
    turn = sessions.hear(visit, WORDS, "one")
    assert read(sessions, visit, turn.number)[-2:] == ["turn", "end"]
    told = times(study, visit)
    assert pause.waited == [pytest.approx(told["held_ms"] / 1000, abs=1e-3)]
    assert 1480 < told["ready_ms"] + told["held_ms"] < 1480 + 2 * ENOUGH + 100
    assert told["first_sentence_ms"] < 1400  # the engine's own time, as it was


def test_the_slow_arms_answers_are_not_held(study: Study, sessions: Sessions, pause: Pause) -> None:
    known(study, {"chat": 0.0, "worksheet": 0.0, "robot": 60_000.0})
    visit = due(study, "robot")
    turn = sessions.hear(visit, WORDS, "one")
    read(sessions, visit, turn.number)
    assert times(study, visit)["held_ms"] == pytest.approx(0.0, abs=1.0 * ENOUGH)
    assert sum(pause.waited) < 0.001 * ENOUGH


def test_before_every_arm_has_answered_often_enough_nothing_is_held(
    study: Study, sessions: Sessions, pause: Pause
) -> None:
    known(study, {"chat": 0.0, "robot": 1500.0})
    visit = due(study, "chat")
    turn = sessions.hear(visit, WORDS, "one")
    read(sessions, visit, turn.number)
    assert times(study, visit)["held_ms"] == 0.0
    assert pause.waited == []


def test_while_an_answer_is_held_it_is_owed_and_neither_shown_nor_recorded(
    study: Study, sessions: Sessions, pause: Pause
) -> None:
    """So the page goes on showing that somebody writes, and a process that is killed now writes the answer anew."""
    known(study, {"chat": 0.0, "worksheet": 0.0, "robot": 1500.0})
    pause.stuck = True
    visit = due(study, "chat")
    sessions.hear(visit, WORDS, "one")
    assert pause.begun.wait(LONG_S)
    assert sessions.describe(visits.find(study, visit.id))["pending"] is True
    assert sessions.being_written(visit) == []
    assert study.records.row("SELECT * FROM turn WHERE visit = ? AND reply_to IS NOT NULL", visit.id) is None
    again = Sessions(study, sessions.engines, holding=Holding(study))  # another process, after a kill
    assert again.conversation(visit).pending is not None
    again.close()


def test_words_that_stop_the_visit_end_the_holding(study: Study, sessions: Sessions, pause: Pause) -> None:
    """In a worksheet a field can be confirmed while the answer to another one is held."""
    known(study, {"chat": 0.0, "worksheet": 0.0, "robot": 1500.0})
    pause.stuck = True
    visit = due(study, "worksheet")
    _, conversation = sessions.enter(visit)
    steps = [step.id for step in conversation.exercise.steps]
    sessions.hear(visit, WORDS, "one", steps[0])
    assert pause.begun.wait(LONG_S)
    sessions.hear(visit, "I want to kill myself.", "two", steps[1])
    events = list(sessions.follow(visit, 0))
    assert [turn["origin"] for turn in events[-1].data["turns"]][-1] == "crisis"
    assert times(study, visit)["held_ms"] == 1.0
    assert len(pause.waited) == 1  # the fixed message was not held


def test_a_draft_that_stops_the_visit_ends_the_holding(study: Study, sessions: Sessions, pause: Pause) -> None:
    known(study, {"chat": 0.0, "worksheet": 0.0, "robot": 1500.0})
    pause.stuck = True
    visit = due(study, "worksheet")
    _, conversation = sessions.enter(visit)
    steps = [step.id for step in conversation.exercise.steps]
    sessions.hear(visit, WORDS, "one", steps[0])
    assert pause.begun.wait(LONG_S)
    sessions.keep_draft(visit, steps[1], "I want to kill myself.", "")
    list(sessions.follow(visit, 0))
    assert times(study, visit)["held_ms"] == 1.0


def test_a_server_that_is_stopped_waits_for_nothing_that_is_held(study: Study, pause: Pause) -> None:
    sessions = Sessions(study, {study.protocol.engine: open_engine("eliza")}, holding=Holding(study, pause))
    known(study, {"chat": 0.0, "worksheet": 0.0, "robot": 1500.0})
    pause.stuck = True
    visit = due(study, "chat")
    sessions.hear(visit, WORDS, "one")
    assert pause.begun.wait(LONG_S)
    sessions.close()
    assert times(study, visit)["held_ms"] == 1.0


@pytest.fixture
def app(study: Study) -> Iterator[Flask]:
    app = create_app(study, {study.protocol.engine: open_engine("eliza")})
    yield app
    app.extensions["bedside"].close()


def test_a_robot_reports_its_first_sound_once_and_the_turn_has_it(study: Study, robot: Robot) -> None:
    visit = due(study, "robot")
    robot.call("POST", "/claims", {"code": visit.code})
    path = f"/visits/{visit.id}"
    number = robot.call("POST", path + "/turns", {"words": WORDS, "token": "t"}).get_json()["number"]
    report = {"reply_to": number, "after_ms": 1180.5}
    assert robot.call("POST", path + "/sounds", report).get_json() == report  # also before the turn is whole
    assert robot.call("POST", path + "/sounds", {**report, "after_ms": 2000}).get_json() == report
    assert robot.call("POST", path + "/sounds", {**report, "reply_to": number + 5}).status_code == 409
    assert robot.call("POST", path + "/sounds", {"reply_to": number, "after_ms": -1}).status_code == 422
    robot.call("GET", f"{path}/reply?after={number}").text  # noqa: B018 - to its end
    assert times(study, visit)["first_sound_ms"] == 1180.5
    events = study.records.rows("SELECT what, detail FROM event WHERE what = 'first sound'")
    assert [json.loads(event["detail"])["number"] for event in events] == [number]

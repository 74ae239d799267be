"""Answers that wait for a busy model: readers are told where they stand, and who does not wait any more frees it."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.api.models import Place
from portal.app import create_app
from portal.sessions import Event, Sessions
from study import visits, withdrawal
from study.enrolment import take_in
from study.errors import NotDue
from study.study import Study
from study.turns import TurnKeeper
from study.verify import verify
from tests.portal.conftest import Browser, Robot
from tests.queueing import QueueingEngine
from tests.robot import wait_until
from therapist.engine import EngineIdentity
from therapist.engines.opening import OpeningEngine
from therapist.transcript import Turn

Open = Callable[[str], Browser]
WORDS = "I failed the maths exam yesterday and felt sad"


@pytest.fixture
def wait_s() -> int:
    """So long that the test says when it is an answer's turn."""
    return 600


@pytest.fixture
def folder(folder: Path, wait_s: int) -> Path:
    protocol = folder / "study.toml"
    text = re.sub(r"\n(timeout_s|wait_s) = [0-9.]+.*", "", protocol.read_text())
    protocol.write_text(text.replace('\nkind = "eliza"', f'\nkind = "eliza"\nwait_s = {wait_s}\ntimeout_s = 600'))
    return folder


@pytest.fixture
def engine() -> Iterator[QueueingEngine]:
    engine = QueueingEngine()
    yield engine
    engine.let()


@pytest.fixture
def app(study: Study, engine: QueueingEngine) -> Iterator[Flask]:
    app = create_app(study, {study.protocol.engine: engine})
    yield app
    engine.let()
    app.extensions["bedside"].close()


@pytest.fixture
def sessions(app: Flask) -> Sessions:
    found: Sessions = app.extensions["bedside"]
    return found


def sent(browser: Browser, **more: str) -> visits.Visit:
    """A visit with an answer that is being waited for."""
    browser.rate("before", "62")
    browser.page()
    assert browser.send(WORDS, "t", **more).status_code == 201
    study: Study = browser.client.application.extensions["bedside"].study
    return visits.find(study, browser.state()["visit"])


def heard(sessions: Sessions, visit: visits.Visit) -> Iterator[Event]:
    return (one for one in sessions.follow(visit, 1, every=600) if one.name != "wait")


def provenance(study: Study) -> dict[str, object]:
    row = study.records.row("SELECT origin, provenance FROM turn WHERE speaker = 'therapist' ORDER BY id DESC LIMIT 1")
    assert row is not None
    return {"origin": row["origin"], **json.loads(row["provenance"])}


def test_a_reader_is_told_each_place_and_who_comes_late_the_present_one(
    browser_in: Open, study: Study, sessions: Sessions, engine: QueueingEngine
) -> None:
    engine.place = 4
    visit = sent(browser_in("chat"))
    events = heard(sessions, visit)
    first = next(events)
    assert first == Event("place", {"reply_to": 2, "place": 4})
    Place.model_validate(first.data)
    engine.place = 3
    assert next(events).data["place"] == 3
    late = heard(sessions, visit)
    assert next(late).data["place"] == 3
    assert sessions.being_written(visit) == []
    assert [begun for _, begun in sessions.under_way()] == [False]
    engine.let()
    names = [one.name for one in events]
    assert names[-2:] == ["turn", "end"]
    assert [one for one in names if one == "place"] in ([], ["place"])  # 0, or its first sentence was sooner
    assert "place" not in [one.name for one in heard(sessions, visit)]


def test_of_many_places_only_the_latest_is_told_to_whoever_looks(
    browser_in: Open, study: Study, sessions: Sessions, engine: QueueingEngine
) -> None:
    engine.place = 9
    visit = sent(browser_in("chat"))
    wait_until(lambda: next(heard(sessions, visit)).data["place"] == 9, 30, "no place")
    for place in (8, 7, 6):
        engine.place = place
        wait_until(lambda one=place: next(heard(sessions, visit)).data["place"] == one, 30, "no new place")
    engine.let()
    assert sum(one.name == "place" for one in heard(sessions, visit)) <= 1


def test_a_robots_stream_has_the_place_and_resumes_as_before(
    browser_in: Open, study: Study, robot: Robot, engine: QueueingEngine
) -> None:
    engine.place = 2
    browser = browser_in("robot")
    browser.page()
    code = visits.find(study, browser.state()["visit"]).code
    path = f"/visits/{robot.call('POST', '/claims', {'code': code}).get_json()['visit']}"
    robot.call("POST", path + "/ratings", {"occasion": "before", "value": 70})
    robot.call("POST", path + "/turns", {"words": WORDS, "token": "t"})
    headers = {"Authorization": f"Bearer {robot.token}"}
    lines = iter(robot.client.get(f"/api/v1{path}/reply?after=2", headers=headers, buffered=False).response)
    first = next(line for line in lines if line.startswith(b"id"))
    assert first == b'id: 2\nevent: place\ndata: {"reply_to": 2, "place": 2}\n\n'
    engine.let()
    said = b"".join(lines).decode()
    again = robot.client.get(f"/api/v1{path}/reply", headers={**headers, "Last-Event-ID": "2"}).text
    assert engine.text in said
    assert engine.text in again


@pytest.mark.parametrize("wait_s", [1])
def test_an_answer_that_waited_too_long_is_the_scripts_own_and_the_record_says_why(
    browser_in: Open, study: Study, sessions: Sessions, engine: QueueingEngine
) -> None:
    engine.place = 5
    browser = browser_in("chat")
    sent(browser)
    events = browser.reply(2)
    assert [name for name, _ in events][-2:] == ["turn", "end"]
    told = provenance(study)
    assert (told["origin"], told["failures"], told["retries"]) == ("fallback", ["Busy"], 0)
    [standing] = engine.asked
    assert standing.closed.is_set()
    assert standing.priority == "interactive"
    assert verify(study.records).mistakes == []


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("how", ["withdrawn", "erased", "ended"])
def test_whoever_leaves_frees_the_model_at_once_and_nothing_more_is_recorded(
    browser_in: Open, study: Study, sessions: Sessions, engine: QueueingEngine, place: int, how: str
) -> None:
    engine.place = place
    browser = browser_in("chat")
    visit = sent(browser)
    assert engine.begun.acquire(timeout=30)
    if how == "ended":
        browser.client.post(browser.path + "stop", data={"visit": str(visit.id)})
        assert visits.find(study, visit.id).state == "unfinished"
    else:
        withdrawal.withdraw(study, browser.participant.code, by="test", erase=how == "erased")
    assert engine.asked[0].closed.wait(30)
    wait_until(lambda: not sessions.under_way(), 30, "the answer is still owed")
    assert len(engine.asked) == 1
    spoken = study.records.rows("SELECT speaker FROM turn WHERE visit = ? ORDER BY number", visit.id)
    assert [row["speaker"] for row in spoken] == ([] if how == "erased" else ["therapist", "participant"])
    assert verify(study.records).mistakes == []
    assert [one.name for one in heard(sessions, visits.find(study, visit.id))] == ["end"]


@pytest.mark.parametrize("place", [0, 3])
def test_a_crisis_in_one_field_of_a_worksheet_frees_the_model_from_the_answer_to_another(
    browser_in: Open, study: Study, engine: QueueingEngine, place: int
) -> None:
    engine.place = place
    browser = browser_in("worksheet")
    visit = sent(browser, step="situation")
    assert engine.begun.acquire(timeout=30)
    assert browser.send("I want to kill myself.", "u", step="thought").status_code == 201
    assert engine.asked[0].closed.wait(30)
    events = browser.reply(0)
    assert events[-1][1]["state"] == "stopped"
    rows = study.records.rows("SELECT origin, reply_to FROM turn WHERE visit = ? AND reply_to IS NOT NULL", visit.id)
    assert [(row["origin"], row["reply_to"]) for row in rows] == [("crisis", 3)]
    assert len(engine.asked) == 1


def test_a_person_who_takes_over_frees_the_model_at_once(
    browser_in: Open, study: Study, sessions: Sessions, engine: QueueingEngine
) -> None:
    engine.place = 3
    visit = sent(browser_in("chat"))
    assert engine.begun.acquire(timeout=30)
    sessions.desk.take(visit.id, by="Dr Okafor", why="the model is busy")
    assert engine.asked[0].closed.wait(30)
    sessions.desk.write(visit.id, 2, "I am with you.", by="Dr Okafor")
    said = [one.data["text"] for one in heard(sessions, visit) if one.name == "sentence"]
    assert said[0].startswith("I am with you.")  # with the next question, where it is recorded already
    assert len(engine.asked) == 1


def test_a_tab_that_is_closed_ends_no_answer(
    browser_in: Open, study: Study, sessions: Sessions, engine: QueueingEngine
) -> None:
    visit = sent(browser_in("chat"))
    events = sessions.follow(visit, 1, every=0.01)
    assert next(events).name == "wait"
    events.close()
    engine.let()
    assert [one.name for one in heard(sessions, visit)][-2:] == ["turn", "end"]
    assert provenance(study)["origin"] == "model"


def test_nothing_of_somebody_who_left_is_recorded_afterwards(browser_in: Open, study: Study) -> None:
    """Also when the answer was whole at the moment of the erasure: the record itself refuses it."""
    browser = browser_in("chat")
    browser.rate("before", "62")
    visit = visits.find(study, browser.state()["visit"])
    withdrawal.withdraw(study, browser.participant.code, by="test", erase=True)
    with pytest.raises(NotDue):
        TurnKeeper(study, visit).add(Turn("therapist", "situation", "It sounds hard.", "model", reply_to=2))


def test_a_rehearsals_answers_are_batch_work(folder: Path, engine: QueueingEngine) -> None:
    rehearsal = folder / "rehearsals" / "one.sqlite"
    rehearsal.parent.mkdir()
    study = Study.open(folder, rehearsal=rehearsal)
    app = create_app(study, {study.protocol.engine: engine})
    who = take_in(study, kind="test", arm="chat", skip=True)
    sent(Browser(app.test_client(), who, study.participant_path(who.code)))
    assert engine.begun.acquire(timeout=30)
    assert engine.asked[0].priority == "batch"
    engine.let()
    app.extensions["bedside"].close()
    study.close()


def test_a_model_on_this_machine_reads_what_was_said_while_the_participant_thinks(study: Study) -> None:
    engine = QueueingEngine(identity=EngineIdentity("transformers", "larger", None))
    app = create_app(study, {study.protocol.engine: engine})
    who = take_in(study, kind="test", arm="chat", skip=True)
    browser = Browser(app.test_client(), who, study.participant_path(who.code))
    sent(browser)
    assert engine.begun.acquire(timeout=30)
    engine.let()
    assert engine.begun.acquire(timeout=30)
    written, ahead = engine.asked
    assert (written.priority, ahead.priority) == ("interactive", "batch")
    # All that was said, up to the therapist's last words, as the next prompt has it.
    assert ahead.prompt.turns[:-1] == written.prompt.turns
    assert ahead.prompt.turns[-1].text.startswith(engine.text)
    assert (ahead.prompt.system, ahead.prompt.examples) == (written.prompt.system, written.prompt.examples)
    assert browser.send("I learnt too little", "next").status_code == 201
    assert ahead.closed.is_set()  # what is asked for now has it already, or reads it itself
    assert engine.begun.acquire(timeout=30)
    assert engine.asked[2].prompt.turns[: len(ahead.prompt.turns)] == ahead.prompt.turns
    app.extensions["bedside"].close()


def test_the_console_says_that_an_engine_is_being_loaded(
    sessions: Sessions, study: Study, console_as: Callable[..., FlaskClient], engine: QueueingEngine
) -> None:
    ready = threading.Event()

    def open_it() -> QueueingEngine:
        assert ready.wait(60)
        return engine

    opening = OpeningEngine(EngineIdentity("transformers", "smollm2", None), open_it, lambda error: None)
    sessions.engines = {study.protocol.engine: opening}
    console = console_as("researcher")
    assert "answers wait for it" in console.get("/console/devices/").text
    ready.set()
    wait_until(lambda: opening.is_open, 30, "it was not opened")
    assert "answers wait for it" not in console.get("/console/devices/").text

"""Taking over a visit: a person writes the therapist's answers, and nobody is ever left waiting for one who is away."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.app import create_app
from portal.takeovers import AWAY_S, Desk
from study import takeover, visits, withdrawal
from study.enrolment import take_in
from study.errors import NotDue, StudyError
from study.study import Study
from study.verify import verify
from tests.conftest import HandClock
from tests.portal.conftest import Browser, Robot
from tests.portal.test_transcripts import HOME, Open, step
from therapist.engines import open_engine
from therapist.wizard import Written

ConsoleAs = Callable[..., FlaskClient]
WORDS = "I failed the maths exam yesterday and felt sad"
DANGER = "I want to kill myself."


def under_way(browser: Browser) -> int:
    browser.rate("before", "62")
    browser.page()
    return int(browser.state()["visit"])


class Wizard:
    """Somebody at the console, at one visit."""

    def __init__(self, client: FlaskClient, visit: int) -> None:
        self.client = client
        self.path = f"{HOME}visits/{visit}/"

    def post(self, path: str, data: object = None, body: object = None) -> TestResponse:
        headers = {"X-CSRF-Token": self.client.csrf, "Accept": "application/json"}  # type: ignore[attr-defined]
        return self.client.post(self.path + path, data=data, json=body, headers=headers)

    def take(self, why: str = "the model is not well") -> TestResponse:
        return self.post("takeover", {"why": why, "sure": "yes"})

    def write(self, number: int, words: str) -> TestResponse:
        return self.post("takeover/words", body={"number": number, "words": words})

    def now(self, after: int = 0) -> dict[str, object]:
        found: dict[str, object] = self.client.get(f"{self.path}live/now?after={after}").get_json()
        return found


def origins(study: Study) -> list[str]:
    return [row["origin"] for row in study.records.rows("SELECT origin FROM turn ORDER BY id")]


def test_a_person_takes_over_answers_and_hands_back(browser_in: Open, console_as: ConsoleAs, study: Study) -> None:
    browser = browser_in("chat")
    visit = under_way(browser)
    wizard = Wizard(console_as("researcher"), visit)
    asked = wizard.post("takeover", {"why": "the model is not well"})
    assert "Take over now" in asked.text
    assert takeover.holding(study, visit) is None  # nothing before it is confirmed
    assert wizard.take().status_code == 303
    assert "You write the answers" in wizard.client.get(wizard.path + "live").text
    number = browser.send(WORDS, "one").get_json()["number"]
    now = wizard.now(after=1)
    assert [turn["text"] for turn in now["turns"]] == [WORDS]  # type: ignore[attr-defined]
    assert (now["owed"]["number"], now["owed"]["form"], now["mine"]) == (2, "statement", True)  # type: ignore[index]
    assert now["owed"]["next"] == "What went through your mind in that moment?"  # type: ignore[index]
    assert wizard.write(number, "That sounds hard. I am sorry.").status_code == 202
    events = browser.reply(number)
    said = [data["text"] for name, data in events if name == "sentence"]
    assert said == ["That sounds hard.", "I am sorry.", now["owed"]["next"]] or said == [  # type: ignore[index]
        f"That sounds hard. I am sorry. {now['owed']['next']}"  # type: ignore[index]
    ]
    assert wizard.write(number, "Again").status_code == 409
    row = study.records.rows("SELECT origin, provenance FROM turn WHERE reply_to = ?", number)[0]
    told = json.loads(row["provenance"])
    assert row["origin"] == "person"
    assert told["person"] == "researcher"
    assert told["in_place_of"]["kind"] == "eliza"
    assert told["person_ms"] >= 0
    assert browser.state()["turns"][-1]["origin"] == "person"
    assert wizard.post("takeover/end").status_code == 303
    browser.reply(browser.send("I thought that I am not made for this", "two").get_json()["number"])
    assert origins(study)[-1] in ("model", "fallback")
    kept = takeover.of_visit(study, visit)
    assert [(one.taken_by, one.why, one.released) for one in kept] == [
        ("researcher", "the model is not well", "handed back")
    ]
    page = wizard.client.get(f"{HOME}visits/{visit}").text
    assert "written by researcher" in page
    assert "researcher took over at" in page
    assert "1 turn by a person" in wizard.client.get(HOME).text
    assert verify(study.records).mistakes == []


def test_a_robot_and_a_worksheet_get_the_persons_answer_through_the_same_stream(
    browser_in: Open, console_as: ConsoleAs, robot: Robot, study: Study
) -> None:
    client = console_as("researcher")
    sheet = browser_in("worksheet")
    wizard = Wizard(client, under_way(sheet))
    wizard.take()
    number = sheet.send(WORDS, "t", **step(sheet)).get_json()["number"]
    wizard.write(number, "You wrote that clearly.")
    assert [data["text"] for name, data in sheet.reply(0) if name == "sentence"][-1] == "You wrote that clearly."
    body = browser_in("robot")
    visit = robot.call("POST", "/claims", {"code": body.state()["code"]}).get_json()["visit"]
    robot.call("POST", f"/visits/{visit}/ratings", {"occasion": "before", "value": 40})
    wizard = Wizard(client, visit)
    wizard.take()
    number = robot.call("POST", f"/visits/{visit}/turns", {"words": WORDS, "token": "t"}).get_json()["number"]
    wizard.write(number, "I hear you.")
    assert "I hear you." in robot.call("GET", f"/visits/{visit}/reply?after={number}").text
    assert robot.call("GET", f"/visits/{visit}").get_json()["turns"][-1]["origin"] == "person"
    assert origins(study).count("person") == 2


def test_a_participant_in_danger_stops_the_visit_and_ends_the_takeover(
    browser_in: Open, console_as: ConsoleAs, study: Study
) -> None:
    browser = browser_in("chat")
    visit = under_way(browser)
    wizard = Wizard(console_as("safety officer"), visit)
    wizard.take()
    browser.reply(browser.send(DANGER, "t").get_json()["number"])
    assert origins(study)[-1] == "crisis"
    assert takeover.of_visit(study, visit)[0].released == "visit over"
    assert wizard.write(2, "Wait").status_code == 409
    assert wizard.now()["state"] == "stopped"
    assert wizard.take().status_code == 409
    assert verify(study.records).mistakes == []


def test_a_persons_words_are_screened_as_a_models_are(browser_in: Open, console_as: ConsoleAs, study: Study) -> None:
    browser = browser_in("chat")
    visit = under_way(browser)
    wizard = Wizard(console_as("researcher"), visit)
    wizard.take()
    number = browser.send(WORDS, "t").get_json()["number"]
    wizard.write(number, "Then you should kill yourself.")
    browser.reply(number)
    assert visits.find(study, visit).state == "stopped"
    assert origins(study)[-1] == "crisis"
    assert study.records.rows("SELECT source FROM safety_event") == [{"source": "therapist"}]
    assert "kill yourself" not in browser.page()


def test_two_persons_cannot_hold_one_visit(browser_in: Open, console_as: ConsoleAs, study: Study) -> None:
    visit = under_way(browser_in("chat"))
    one, two = Wizard(console_as("researcher"), visit), Wizard(console_as("safety officer"), visit)
    assert one.take().status_code == 303
    assert one.take().status_code == 303  # the same person's second window
    refused = two.take()
    assert refused.status_code == 409
    assert "Somebody else writes the answers of this visit now." in refused.text
    two.post("takeover/end")
    assert two.write(2, "Me").status_code == 409
    assert takeover.holding(study, visit) is not None
    assert len(takeover.of_visit(study, visit)) == 1


def test_of_two_who_take_over_at_once_one_does(browser_in: Open, study: Study) -> None:
    visit = under_way(browser_in("chat"))
    barrier, got = threading.Barrier(4), []

    def take(name: str) -> None:
        barrier.wait()
        try:
            got.append(takeover.take(study, visit, by=name, why="to see").taken_by)
        except NotDue:
            pass
        finally:
            study.records.close()

    threads = [threading.Thread(target=take, args=(name,)) for name in "abcd"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(got) == 1


class HandTime:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def waiting(desk: Desk, visit: int, number: int) -> tuple[threading.Thread, list[Written | None]]:
    """A worker that waits for the answer to a turn."""
    found: list[Written | None] = []
    worker = threading.Thread(target=lambda: found.append(desk.answer(visit, number)))
    worker.start()
    return worker, found


def test_whoever_is_not_heard_of_hands_back_by_itself(browser_in: Open, study: Study) -> None:
    visit = under_way(browser_in("chat"))
    time = HandTime()
    desk = Desk(study, now=time)
    desk.take(visit, by="nurse", why="to see")
    worker, found = waiting(desk, visit, 2)
    time.now += AWAY_S - 1
    assert desk.heard_of(visit, by="nurse")
    assert not desk.heard_of(visit, by="somebody else")
    time.now += AWAY_S - 1
    desk.look()
    assert desk.holds(visit)  # heard of in time
    time.now += 1
    desk.look()
    worker.join(20)
    assert found == [None]
    assert not desk.holds(visit)
    assert not desk.heard_of(visit, by="nurse")
    assert takeover.of_visit(study, visit)[0].released == "away"


def test_how_long_the_person_took_is_counted_from_when_the_answer_was_theirs(browser_in: Open, study: Study) -> None:
    visit = under_way(browser_in("chat"))
    time = HandTime()
    desk = Desk(study, now=time)
    desk.take(visit, by="nurse", why="to see")
    desk.write(visit, 2, "Early.", by="nurse")
    assert desk.answer(visit, 2) == Written("Early.", "nurse", 0.0)
    with pytest.raises(NotDue):
        desk.write(visit, 2, "x", by="somebody else")
    desk.close()


def test_a_server_that_starts_finds_nobody_at_the_desk(browser_in: Open, study: Study) -> None:
    browser = browser_in("chat")
    visit = under_way(browser)
    takeover.take(study, visit, by="nurse", why="to see")  # by a process that was killed
    app = create_app(study, {study.protocol.engine: open_engine("eliza")})
    assert takeover.of_visit(study, visit)[0].released == "server stopped"
    app.extensions["bedside"].close()


def test_a_server_that_stops_waits_for_no_person(browser_in: Open, app: Flask, study: Study) -> None:
    browser = browser_in("chat")
    visit = under_way(browser)
    app.extensions["bedside"].desk.take(visit, by="nurse", why="to see")
    browser.send(WORDS, "t")
    app.extensions["bedside"].close()
    assert origins(study)[-1] in ("model", "fallback")
    assert takeover.of_visit(study, visit)[0].released == "server stopped"


def test_a_visit_that_another_process_ends_is_waited_for_by_nobody(browser_in: Open, study: Study) -> None:
    browser = browser_in("chat")
    visit = under_way(browser)
    desk = Desk(study)
    desk.take(visit, by="nurse", why="to see")
    worker, found = waiting(desk, visit, 2)
    withdrawal.withdraw(study, browser.participant.code, by="nurse")
    worker.join(20)
    assert found == [None]


def test_what_cannot_be_taken_over_says_why(browser_in: Open, console_as: ConsoleAs, study: Study) -> None:
    browser = browser_in("chat")
    browser.page()
    visit = int(browser.state()["visit"])
    wizard = Wizard(console_as("researcher"), visit)
    assert "The exercise of this visit is not under way." in wizard.take().text
    under_way(browser)
    refused = wizard.post("takeover", {"why": "  ", "sure": "yes"})
    assert refused.status_code == 422
    assert "Say why you take over." in refused.text
    with pytest.raises(StudyError, match="Say why"):
        takeover.take(study, visit, by="nurse", why=" ")
    assert wizard.post("takeover/words", body={"number": "2", "words": "x"}).status_code == 422
    for role in ("coordinator", "analyst", "administrator"):
        other = Wizard(console_as(role), visit)
        for path in ("takeover", "takeover/here", "takeover/words", "takeover/end"):
            assert other.post(path, {"why": "x", "sure": "yes"}).status_code == 403
    assert takeover.of_visit(study, visit) == []


def test_a_worksheet_that_nobody_answers_cannot_be_taken_over(folder: Path, clock: HandClock) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("assist = true ", "assist = false "))
    study = Study.open(folder, clock=clock)
    person = next(one for one in iter(lambda: take_in(study), None) if one.arm.medium == "worksheet")
    visit = visits.today(study, person)
    assert visit is not None
    visits.rate(study, visit, "before", 60)
    with pytest.raises(NotDue, match="answered by nobody"):
        takeover.take(study, visit.id, by="nurse", why="to see")
    study.close()


def test_an_erasure_takes_the_takeover_with_it(browser_in: Open, study: Study, app: Flask) -> None:
    browser = browser_in("chat")
    visit = under_way(browser)
    app.extensions["bedside"].desk.take(visit, by="nurse", why="she said that she is sad")
    withdrawal.withdraw(study, browser.participant.code, by="nurse", erase=True)
    assert takeover.of_visit(study, visit) == []
    assert verify(study.records).mistakes == []

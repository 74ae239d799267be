"""The dashboard, and the pulse by which it keeps itself up to date."""

import re
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.app import create_app
from portal.console.guard import COOKIE
from portal.console.plots import curve, ticks
from portal.sessions import Sessions
from study import blinding, halting, safety, visits
from study.access import accounts, devices, signing
from study.enrolment import take_in
from study.records import stamp
from study.study import Study
from tests.conftest import HandClock
from tests.portal.conftest import Browser
from therapist.engine import Generation, Priority, Prompt, Sampling
from therapist.engines import open_engine
from therapist.engines.eliza import ElizaEngine

SignIn = Callable[..., FlaskClient]
Open = Callable[[str], Browser]


def part(page: str, name: str) -> str:
    """What stands in the part of the page with this id."""
    found = re.search(rf'<(section|div) [^>]*id="{name}".*?(?=<(?:section|div) [^>]*id="|</main>)', page, re.S)
    assert found, name
    return found[0]


def test_it_shows_who_is_where(browser_in: Open, study: Study, console_as: SignIn, clock: HandClock) -> None:
    waiting, talking = take_in(study), browser_in("chat")
    talking.rate("before", "62")
    page = console_as("researcher").get("/console/").text
    assert waiting.code in part(page, "due")
    assert talking.participant.code in part(page, "visiting")
    assert talking.participant.code not in part(page, "due")
    assert "Nobody" not in part(page, "adherence")
    clock.forward(hours=14)
    page = console_as("coordinator").get("/console/").text
    assert f'<a href="/console/people/{waiting.code}/">' in part(page, "late")
    assert "left off 14 h ago" in part(page, "late")


def test_an_empty_study_has_a_dashboard_too(console_as: SignIn) -> None:
    page = console_as("researcher").get("/console/").text
    assert "Nobody is enrolled yet" in part(page, "enrolment")
    assert "Not rated yet" in page


def test_enrolment_is_shown_against_what_is_planned(folder: Path, clock: HandClock) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("days = 15 ", "days = 15\nparticipants = 38\n#", 1))
    study = Study.open(folder, clock=clock)
    for _ in range(3):
        take_in(study)
    take_in(study, kind="test", skip=True)
    accounts.add(study, "a", ["researcher"], by="test")
    app = create_app(study, {study.protocol.engine: open_engine("eliza")})
    client = app.test_client()
    client.set_cookie(COOKIE, signing.begin(study, "a"))
    shown = part(client.get("/console/").text, "enrolment")
    assert '3<span class="of"> of 38</span>' in shown
    assert "planned: 38" in shown
    assert '<th scope="row">2026-03-02</th><td class="number">3</td>' in shown
    app.extensions["bedside"].close()
    study.close()


def test_a_study_that_plans_no_number_says_so(study: Study, console_as: SignIn) -> None:
    take_in(study)
    shown = part(console_as("researcher").get("/console/").text, "enrolment")
    assert "names no number of participants" in shown
    assert 'class="target"' not in shown


@pytest.mark.parametrize("most", [1, 2, 5, 6, 38, 200, 1001])
def test_an_axis_has_few_round_numbers_and_reaches_the_highest(most: int) -> None:
    marks = ticks(most)
    assert marks[0] == 0
    assert marks[-1] >= most
    assert len(marks) <= 7


def test_the_curve_goes_up_in_steps_and_on_to_today() -> None:
    drawn = curve([(date(2026, 3, 2), 2), (date(2026, 3, 4), 4)], 8, date(2026, 3, 6))
    assert drawn.path == "0,200 0,200 0,150 300,150 300,100 600,100"
    assert drawn.target == 0
    assert [tick.text for tick in drawn.across] == ["2 Mar", "3 Mar", "4 Mar", "5 Mar", "6 Mar"]


def test_every_square_says_its_state_in_words(browser_in: Open, study: Study, console_as: SignIn) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    number = browser.state()["visit"]
    rows = part(console_as("researcher").get("/console/").text, "adherence")
    assert f'<td class="begun"><a href="/console/transcripts/visits/{number}" tabindex="-1">begun</a></td>' in rows
    assert rows.count('<td class="ahead" tabindex="-1">still to come</td>') >= 14
    # A coordinator reads no transcript, so for them no square leads to one.
    assert "/console/transcripts/" not in console_as("coordinator").get("/console/").text


def test_who_is_blinded_sees_nothing_from_which_an_arm_follows(
    browser_in: Open, study: Study, console_as: SignIn
) -> None:
    browser = browser_in("robot")
    visit = visits.today(study, browser.participant)
    assert visit is not None
    visits.rate(study, visit, "before", 62)
    take_in(study, kind="test", skip=True)
    devices.issue(study, "blossom-7", by="test")
    safety.report(study, take_in(study).code, by="nurse", description="a fall")
    halting.halt(study, "arm", "worksheet", by="board", why="to look at it")
    client = console_as("analyst")
    page = client.get("/console/").text
    words = re.sub(r"<title>.*?</title>|<p class=\"study\">.*?</p>", "", page)
    assert not any(word in words.lower() for word in ("robot", "chat", "worksheet", "neutral", "eliza", "engine"))
    assert not any(word in words for word in ("blossom-7", "a fall", "to look at it", "TEST-", " ago", "transcripts"))
    assert all(label in part(page, "distress") for label in ("Arm A", "Arm B", "Arm C"))
    assert browser.participant.code in part(page, "visiting")
    blinding.unblind(study, "analyst", by="Dr Okafor", why="the analysis is frozen")
    assert "robot" in part(client.get("/console/").text, "distress")


def test_open_events_and_halts_come_first(study: Study, console_as: SignIn) -> None:
    person = take_in(study)
    safety.report(study, person.code, by="nurse", description="a fall")
    halting.halt(study, "study", "", by="Dr Okafor", why="a pause")
    page = console_as("coordinator").get("/console/").text
    assert "1 open safety event" in part(page, "alarms")
    assert "The study is halted" in part(page, "alarms")
    assert page.index('id="alarms"') < page.index('id="due"')


def test_engines_tell_of_their_last_hour(browser_in: Open, study: Study, console_as: SignIn, clock: HandClock) -> None:
    client = console_as("researcher")
    assert "not asked" in part(client.get("/console/").text, "engines")
    browser = browser_in("chat")
    browser.rate("before", "62")
    number = browser.send("I failed the maths exam yesterday", "t").get_json()["number"]
    browser.reply(number)
    shown = part(client.get("/console/").text, "engines")
    assert "eliza: doctor" in shown
    assert "answers</span> last a moment ago" in shown
    assert "answers: 1, of which the exercise’s own words instead: 0" in shown
    assert "No answer is being written now." in shown
    clock.forward(minutes=61)
    assert "not asked" in part(console_as("safety officer").get("/console/").text, "engines")


def test_an_engine_that_fails_is_said_to(study: Study, console_as: SignIn, browser_in: Open, clock: HandClock) -> None:
    visit = visits.today(study, browser_in("chat").participant)
    assert visit is not None
    row = {"visit": visit.id, "speaker": "therapist", "step": "x", "text": "…", "recorded_at": stamp(clock.now())}
    told = '{"engine": "eliza", "model": "doctor", "first_sentence_ms": %s, "failures": %s}'
    with study.records.write() as write:
        for number, first in ((1, "100.0"), (2, "300.0"), (3, "500.0")):
            write.insert("turn", {**row, "number": number, "origin": "model", "provenance": told % (first, "[]")})
        failed = {"number": 4, "origin": "fallback", "provenance": told % ("null", '["EngineError", "EngineError"]')}
        write.insert("turn", {**row, **failed})
        write.log(clock.now(), "test", "turns", "visit")
    shown = part(console_as("researcher").get("/console/").text, "engines")
    assert "failing</span>" in shown
    assert "0.30 s (median), 0.48 s" in shown
    assert "answers: 4, of which the exercise’s own words instead: 1; failed attempts: 2" in shown


def test_a_server_that_is_left_alone_is_said_to_be(study: Study) -> None:
    class LeftAlone(ElizaEngine):
        left_alone_s = 41.6

    app = create_app(study, {study.protocol.engine: LeftAlone()})
    accounts.add(study, "a", {"researcher"}, by="test")
    client = app.test_client()
    client.set_cookie(COOKIE, signing.begin(study, "a"))
    shown = part(client.get("/console/").text, "engines")
    assert "left alone</span>" in shown
    assert "it is asked again in 42 s" in shown


def test_answers_under_a_dated_name_count_for_the_engine_that_was_asked(
    study: Study, browser_in: Open, clock: HandClock
) -> None:
    class Dated(ElizaEngine):
        names = frozenset({"doctor-1966-01"})

    visit = visits.today(study, browser_in("chat").participant)
    assert visit is not None
    row = {"visit": visit.id, "speaker": "therapist", "step": "x", "text": "…", "recorded_at": stamp(clock.now())}
    told = '{"engine": "eliza", "model": "doctor-1966-01", "first_sentence_ms": 100.0, "failures": []}'
    with study.records.write() as write:
        write.insert("turn", {**row, "number": 1, "origin": "model", "provenance": told})
        write.log(clock.now(), "test", "turn", "visit")
    client = create_app(study, {study.protocol.engine: Dated()}).test_client()
    accounts.add(study, "a", {"researcher"}, by="test")
    client.set_cookie(COOKIE, signing.begin(study, "a"))
    assert "answers: 1, of which" in part(client.get("/console/").text, "engines")


class Held:
    """ELIZA, who begins when the test lets her."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self._eliza = open_engine("eliza")
        self.identity = self._eliza.identity

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> Generation:
        assert self.go.wait(60)
        return self._eliza.generate(prompt, sampling=sampling, seed=seed, conversation=conversation)

    def close(self) -> None:
        self._eliza.close()


def test_answers_that_wait_are_counted(study: Study) -> None:
    engine = Held()
    app = create_app(study, {study.protocol.engine: engine})
    talks: Sessions = app.extensions["bedside"]
    accounts.add(study, "a", {"administrator"}, by="test")
    client = app.test_client()
    client.set_cookie(COOKIE, signing.begin(study, "a"))
    person = next(one for one in (take_in(study) for _ in range(3)) if one.arm.name == "chat")
    visit = visits.today(study, person)
    assert visit is not None
    visit = visits.rate(study, visit, "before", 62)
    talks.hear(visit, "I failed the maths exam yesterday", "t")
    shown = client.get("/console/devices/").text
    assert re.search(
        r"1 answer is being written, 1 of them with no sentence yet; the oldest has waited \d+\.\d s", shown
    )
    engine.go.set()
    list(talks.follow(visit, 0))  # to its end
    assert "No answer is being written now." in client.get("/console/devices/").text
    talks.close()


def test_the_number_of_queries_does_not_grow_with_the_participants(study: Study, console_as: SignIn) -> None:
    client = console_as("researcher")

    def queries() -> int:
        asked: list[str] = []
        study.records.db.conn.set_trace_callback(asked.append)
        assert client.get("/console/").status_code == 200
        study.records.db.conn.set_trace_callback(None)
        return sum(one.startswith("SELECT") for one in asked)

    take_in(study)
    few = queries()
    for _ in range(11):
        take_in(study)
    assert queries() == few < 30


def test_the_page_has_no_style_and_no_script_in_it(study: Study, console_as: SignIn) -> None:
    take_in(study)
    page = console_as("researcher").get("/console/").text
    assert " style=" not in page
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]* src=)", page)


# The pulse


def test_nothing_is_sent_again_while_nothing_changed(study: Study, console_as: SignIn, clock: HandClock) -> None:
    client = console_as("researcher")
    first = client.get("/console/pulse")
    again = client.get("/console/pulse", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    take_in(study)
    fresh = client.get("/console/pulse", headers={"If-None-Match": first.headers["ETag"]})
    assert fresh.status_code == 200
    assert fresh.get_json()["mark"] != first.get_json()["mark"]
    clock.forward(minutes=1)  # ages on the page are told in minutes
    assert client.get("/console/pulse").get_json()["mark"] != fresh.get_json()["mark"]


def test_a_page_has_the_mark_of_what_it_was_drawn_from(study: Study, console_as: SignIn) -> None:
    client = console_as("researcher")
    mark = client.get("/console/pulse").get_json()["mark"]
    assert f'data-mark="{mark}"' in client.get("/console/").text


def test_a_robot_that_comes_or_goes_is_a_change(study: Study, console_as: SignIn, clock: HandClock) -> None:
    token = devices.issue(study, "robot-1", by="test")
    client = console_as("administrator")
    mark = client.get("/console/pulse").get_json()["mark"]
    devices.by_token(study, token)
    seen = client.get("/console/pulse").get_json()["mark"]
    clock.forward(seconds=40)
    assert mark != seen != client.get("/console/pulse").get_json()["mark"]


def test_who_is_blinded_cannot_count_how_often_the_record_is_written(
    study: Study, console_as: SignIn, clock: HandClock
) -> None:
    client = console_as("analyst")
    mark = client.get("/console/pulse").get_json()
    assert set(mark) == {"mark"}
    take_in(study)
    assert client.get("/console/pulse").get_json() == mark
    clock.forward(minutes=1)
    assert client.get("/console/pulse").get_json() != mark


def test_the_pulse_tells_of_open_events_only_those_who_hear_of_them(study: Study, console_as: SignIn) -> None:
    safety.report(study, take_in(study).code, by="nurse", description="a fall")
    for role in ("researcher", "coordinator", "safety officer"):
        said = console_as(role).get("/console/pulse").get_json()
        assert (said["open"], said["newest"]) == (1, 1)
        assert ", open events: </span>1" in console_as(role, "administrator").get("/console/").text
    assert "open" not in console_as("administrator").get("/console/pulse").get_json()


def test_nobody_has_a_pulse_without_an_account(app: Flask) -> None:
    assert app.test_client().get("/console/pulse").status_code in (303, 401)

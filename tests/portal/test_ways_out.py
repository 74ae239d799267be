"""Stop for today, and talk to a person: on every page, and never a model in between."""

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from portal.app import create_app
from study import forms, safety, visits
from study.messages import claim_alarms, deliver
from study.study import Study
from study.verify import verify
from tests.conftest import HandClock
from tests.portal.conftest import Browser, Robot

Open = Callable[[str], Browser]


def text(browser: Browser, address: str = "") -> str:
    answer = browser.client.get(browser.path + address, follow_redirects=True)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def stop(browser: Browser) -> None:
    fields = {"visit": str(browser.state()["visit"])}
    assert browser.client.post(browser.path + "stop", data=fields).status_code == 303


@pytest.mark.parametrize("begun", [False, True])
def test_whoever_stops_for_today_is_asked_once_and_told_when_the_next_visit_is(
    browser_in: Open, study: Study, begun: bool
) -> None:
    browser = browser_in("worksheet")
    if begun:
        browser.rate("before", "62")
        browser.page()
    visit = visits.find(study, browser.state()["visit"])
    asked = text(browser, "stop")
    assert "Come back later" in asked
    assert visits.find(study, visit.id).state == visit.state  # looking at the question ends nothing
    stop(browser)
    for _ in range(2):
        assert "You have stopped for today" in text(browser)
        assert "Your next visit opens on Tuesday" in text(browser)
        browser.client.post(browser.path + "stop", data={"visit": str(visit.id)})
    assert visits.find(study, visit.id).state == ("unfinished" if begun else "missed")
    [event] = study.records.rows("SELECT * FROM event WHERE what = 'visit ended early'")
    assert event["actor"] == event["person"] == browser.participant.code
    assert study.records.rows("SELECT * FROM safety_event") == []
    assert study.participant(browser.participant.code).status == "active"
    assert verify(study.records).mistakes == []


def test_a_visit_that_its_participant_ended_takes_nothing_more_and_the_next_day_is_as_planned(
    browser_in: Open, study: Study, clock: HandClock
) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    browser.page()
    visit = browser.state()["visit"]
    stop(browser)
    fields = {"visit": str(visit), "token": "t", "words": "one more thing"}
    assert browser.client.post(browser.path + "turns", json=fields).status_code == 409
    assert "There is nothing to stop" in text(browser, "stop")
    clock.forward(days=1)
    assert "Your visit for today" in text(browser)
    assert "How are you right now?" in browser.page()


def test_a_robot_learns_that_its_visit_was_ended(browser_in: Open, robot: Robot, study: Study) -> None:
    browser = browser_in("robot")
    visit = visits.find(study, browser.state()["visit"])
    robot.call("POST", "/claims", {"code": visit.code})
    robot.call("POST", f"/visits/{visit.id}/ratings", {"occasion": "before", "value": 60})
    stop(browser)
    assert robot.call("GET", f"/visits/{visit.id}").get_json()["state"] == "unfinished"
    assert robot.call("POST", f"/visits/{visit.id}/turns", {"words": "hello", "token": "t"}).status_code == 409


def test_a_page_of_yesterday_does_not_end_todays_visit(browser_in: Open, study: Study, clock: HandClock) -> None:
    browser = browser_in("chat")
    yesterday = browser.state()["visit"]
    clock.forward(days=1)
    today = browser.state()["visit"]
    assert browser.client.post(browser.path + "stop", data={"visit": str(yesterday)}).status_code == 409
    assert visits.find(study, today).state == "before"


def test_asking_for_a_person_is_in_the_queue_once_and_stops_nothing(browser_in: Open, study: Study) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    browser.page()
    for _ in range(2):
        assert browser.client.post(browser.path + "talk").status_code == 303
    [event] = safety.events(study, open_only=True)
    assert (event["source"], event["category"], event["visit"]) == ("asked", "contact", browser.state()["visit"])
    assert "You asked on" in text(browser, "talk")
    assert browser.send("I failed the maths exam yesterday", "t").status_code == 201
    assert study.participant(browser.participant.code).status == "active"
    assert not safety.has_open_event(study, browser.participant.code)
    safety.acknowledge(study, event["id"], "Dr Okafor")
    assert "You asked on" not in text(browser, "talk")
    assert verify(study.records).mistakes == []


def test_the_officer_is_told_of_it_by_the_way_of_every_alarm(browser_in: Open, study: Study) -> None:
    browser = browser_in("chat")
    study.protocol.safety.notify.append("mailto://x@example.org")
    assert "within 30 minutes" in text(browser, "talk")
    browser.client.post(browser.path + "talk")
    posted: list[tuple[str, str]] = []

    def post(address: str, title: str, body: str) -> bool:
        posted.append((title, body))
        return True

    claim_alarms(study)
    deliver(study, post)
    [(title, body)] = posted
    assert title.startswith("Somebody asks to be contacted")
    assert browser.participant.code in body
    assert safety.events(study)[0]["told_at"] is not None


def test_being_asked_for_counts_for_no_stopping_rule_and_lets_a_held_participant_go_on(
    browser_in: Open, study: Study
) -> None:
    browser = browser_in("chat")
    browser.client.post(browser.path + "talk")
    number = safety.report(study, browser.participant.code, by="Dr Okafor", description="fell")
    safety.acknowledge(study, number, "Dr Okafor")  # the wish is still open, and holds nobody
    assert study.participant(browser.participant.code).status == "active"


class NoEngine:
    """An engine that must not be used: whoever touches it fails the test."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a page without a model asked the engine for {name}")


@pytest.fixture
def without_engine(study: Study) -> Iterator[Flask]:
    app = create_app(study, {study.protocol.engine: NoEngine()})  # type: ignore[dict-item]
    yield app
    app.extensions["bedside"].close()


def test_the_crisis_page_and_the_ways_out_have_no_model_anywhere_near_them(
    browser_in: Open, study: Study, without_engine: Flask
) -> None:
    browser = browser_in("worksheet")
    browser.rate("before", "62")
    browser.page()
    visit = str(browser.state()["visit"])
    client = without_engine.test_client()
    for address in ("", "stop", "talk"):
        assert client.get(browser.path + address).status_code == 200
    # With the same engine an exercise is not to be had at all: the test could fail.
    assert client.get(browser.path + "now").status_code == 500
    browser.client.put(browser.path + "drafts/thought", json={"visit": visit, "words": "I want to die"})
    for address in ("", "now", "stop", "talk"):
        answer = client.get(browser.path + address, follow_redirects=True)
        assert answer.status_code == 200
        assert address in ("stop",) or "Samaritans" in answer.text
    assert client.post(browser.path + "talk").status_code == 303


def test_every_page_of_somebody_who_is_known_has_both_ways_out(browser_in: Open, study: Study) -> None:
    browser = browser_in("chat")
    seen = [browser.client.get(browser.path + one) for one in ("", "now", "stop", "talk", "leave", "nothing", "paper")]
    browser.rate("before", "62")
    seen.append(browser.client.get(browser.path + "now"))
    seen.append(browser.client.post(browser.path + "rating", data={"visit": "0", "occasion": "before", "value": "5"}))
    assert {answer.status_code for answer in seen} == {200, 404, 409}
    for answer in seen:
        for way in ("stop", "talk"):
            assert f'href="{browser.path}{way}"' in answer.text


def test_the_row_of_days_says_in_words_what_it_shows(browser_in: Open, study: Study, clock: HandClock) -> None:
    browser = browser_in("robot")
    visit = visits.find(study, browser.state()["visit"])
    visits.rate(study, visits.find(study, visit.id), "before", 60)
    visits.finish_exercise(study, visits.find(study, visit.id))
    visits.rate(study, visits.find(study, visit.id), "after", 40)
    assert forms.due_in_visit(study, visits.find(study, visit.id)) is None
    clock.forward(days=2)
    page = text(browser)
    assert "Visits done: 1 of 15." in page
    days = re.findall(r'class="unseen">(Day \d+: [^<]+)<', page)
    assert days[:4] == ["Day 1: done.", "Day 2: not done.", "Day 3: today.", "Day 4: still to come."]
    assert len(days) == 15
    assert "until 04:00 tomorrow, in your time zone Europe/London" in page
    assert "Your next visit opens on Thursday" in page


def test_paper_has_lines_when_blank_and_the_answers_when_filled(
    browser_in: Open, study: Study, console_as: Callable[..., Any]
) -> None:
    browser = browser_in("worksheet")
    browser.rate("before", "62")
    browser.page()
    visit = str(browser.state()["visit"])
    browser.send("I failed the exam, sad, 80", f"{visit}-situation", step="situation")
    browser.reply(0)
    browser.client.put(browser.path + "drafts/thought", json={"visit": visit, "words": "half a thought"})
    blank, filled = text(browser, "paper"), text(browser, "paper?filled")
    assert blank.count('class="write-on"') == 8
    assert filled.count('class="write-on"') == 6
    assert "I failed the exam, sad, 80" in filled
    assert "half a thought" in filled
    assert 'class="reply"' in filled
    for page in (blank, filled):
        assert browser.participant.code in page
        assert "Samaritans" in page
    for_all = console_as("researcher").get("/console/paper/")
    assert for_all.status_code == 200
    assert for_all.text.count("<article") == len(set(study.protocol.exercises.rota))


def test_the_robots_page_says_whether_a_robot_is_there_and_at_which_step_the_visit_is(
    browser_in: Open, robot: Robot, study: Study, clock: HandClock
) -> None:
    browser = browser_in("robot")
    assert "Your robot is not connected." in browser.page()
    visit = visits.find(study, browser.state()["visit"])
    robot.call("GET", "/visits/999")  # any call shows that it is there
    assert browser.state()["said"] == "Your robot is ready. It waits for your code."
    robot.call("POST", "/claims", {"code": visit.code})
    robot.call("POST", f"/visits/{visit.id}/ratings", {"occasion": "before", "value": 60})
    state = browser.state()
    assert state["said"] == "The robot has your visit. Go on with it."
    assert (state["step"], state["steps"]) == (1, 8)
    clock.forward(minutes=5)
    assert "is not connected just now" in browser.page()

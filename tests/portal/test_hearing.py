"""Words that are refused are screened like any others, and whoever wrote them is shown the people to call."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from study import enrolment, forms, halting, safety, visits
from study.enrolment import take_in
from study.study import Study
from study.tick import tick
from study.visits import Visit
from study.withdrawal import is_withdrawn
from tests import trial
from tests.conftest import HandClock
from tests.portal.conftest import Browser, Robot

Open = Callable[[str], Browser]

DARK = "I want to kill myself"
PEOPLE = "Let&#39;s stop here for today"
"""The heading of the page with the people to call."""


def begun(browser_in: Open, study: Study, arm: str) -> tuple[Browser, Visit]:
    browser = browser_in(arm)
    browser.rate("before", "60")
    browser.page()
    return browser, visits.find(study, browser.state()["visit"])


def events(study: Study) -> list[tuple[int | None, str]]:
    return [(row["visit"], row["source"]) for row in study.records.rows("SELECT visit, source FROM safety_event")]


def shown(browser: Browser) -> str:
    return browser.client.get(browser.path, follow_redirects=True).text


def say(browser: Browser, visit: Visit, words: str = DARK, **more: str) -> tuple[int, dict[str, object]]:
    sent = {"visit": str(visit.id), "words": words, "token": "late", **more}
    answer = browser.client.post(browser.path + "turns", json=sent)
    return answer.status_code, answer.get_json()


def test_a_message_after_the_time_of_its_visit(browser_in: Open, study: Study, clock: HandClock) -> None:
    browser, visit = begun(browser_in, study, "chat")
    clock.moment = visit.window.ends + timedelta(minutes=5)
    assert say(browser, visit, "I failed the exam")[0] == 409
    assert events(study) == []
    assert say(browser, visit) == (409, {"state": "stopped"})
    assert events(study) == [(visit.id, "participant")]
    page = shown(browser)
    assert PEOPLE in page
    assert "116 123" in page


def test_a_message_while_the_arm_is_halted(browser_in: Open, study: Study) -> None:
    browser, visit = begun(browser_in, study, "chat")
    halting.halt(study, "arm", "chat", by="Dr Okafor", why="a look at the events")
    assert say(browser, visit) == (409, {"state": "stopped"})
    assert events(study) == [(visit.id, "participant")]
    assert PEOPLE in shown(browser)


def test_a_message_while_an_answer_is_owed(browser_in: Open, study: Study, app: Flask) -> None:
    browser, visit = begun(browser_in, study, "chat")
    app.extensions["bedside"].conversation(visit).hear("I failed the exam", "one")
    assert say(browser, visit) == (409, {"state": "stopped"})
    assert events(study) == [(visit.id, "participant")]
    assert PEOPLE in shown(browser)


def test_other_words_under_a_known_token(browser_in: Open, study: Study) -> None:
    browser, visit = begun(browser_in, study, "chat")
    say(browser, visit, "I failed the exam", token="one")
    browser.reply(2)
    assert say(browser, visit, token="one") == (409, {"state": "stopped"})
    assert events(study) == [(visit.id, "participant")]


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("length", [4001, 50_000, 200_000])
def test_a_message_that_is_too_long(browser_in: Open, study: Study, place: str, length: int) -> None:
    browser, visit = begun(browser_in, study, "chat")
    filler = "so tired " * (length // 9 + 1)
    assert say(browser, visit, filler)[0] == 413
    words = f"{DARK} {filler}" if place == "first" else f"{filler} {DARK}"
    assert say(browser, visit, words) == (409, {"state": "stopped"})
    assert events(study) == [(visit.id, "participant")]


def test_a_form_without_a_script_leads_to_the_people(browser_in: Open, study: Study) -> None:
    browser, visit = begun(browser_in, study, "chat")
    visits.end(study, visit, by=browser.participant.code)
    sent = {"visit": str(visit.id), "words": DARK, "token": "late"}
    answer = browser.client.post(browser.path + "turns", data=sent, follow_redirects=True)
    assert answer.status_code == 200
    assert PEOPLE in answer.text


@pytest.mark.parametrize("state", ["unfinished", "done"])
def test_a_worksheet_whose_visit_has_ended(browser_in: Open, study: Study, state: str) -> None:
    browser, visit = begun(browser_in, study, "worksheet")
    if state == "done":
        visits.finish_exercise(study, visit)
        visits.rate(study, visit, "after", 50)
    else:
        visits.end(study, visit, by=browser.participant.code)
    draft = {"visit": str(visit.id), "words": DARK, "base": ""}
    assert browser.client.put(browser.path + "drafts/thought", json=draft).get_json() == {"state": "stopped"}
    assert events(study) == [(visit.id, "draft")]
    assert PEOPLE in shown(browser)
    safety.acknowledge(study, 1, "Dr Okafor")
    assert PEOPLE not in shown(browser)
    assert say(browser, visit, step="thought", base="") == (409, {"state": "stopped"})
    assert visits.find(study, visit.id).state == state


def test_answers_that_are_confirmed_too_late(browser_in: Open, study: Study) -> None:
    browser, visit = begun(browser_in, study, "worksheet")
    visits.finish_exercise(study, visit)
    sent = {"visit": str(visit.id), "answer-thought": "I failed", "answer-situation": DARK}
    answer = browser.client.post(browser.path + "check", data=sent, follow_redirects=True)
    assert PEOPLE in answer.text
    assert events(study) == [(visit.id, "participant")]


def test_a_draft_that_is_not_taken_leads_to_the_people(browser_in: Open, study: Study) -> None:
    browser, visit = begun(browser_in, study, "worksheet")
    draft = {"visit": str(visit.id), "words": "one", "base": ""}
    browser.client.put(browser.path + "drafts/thought", json=draft)
    answer = browser.client.put(browser.path + "drafts/thought", json={**draft, "words": DARK, "base": "else"})
    assert (answer.status_code, answer.get_json()) == (409, {"state": "stopped"})
    assert events(study) == [(visit.id, "draft")]


def test_words_for_the_visit_of_somebody_else_stop_nobodys_visit(browser_in: Open, study: Study) -> None:
    browser, _ = begun(browser_in, study, "chat")
    other, visit = begun(browser_in, study, "worksheet")
    for _ in range(2):
        assert say(browser, visit)[0] == 409
    assert events(study) == [(None, "participant")]  # once, however often it is sent
    assert visits.find(study, visit.id).state == "exercise"
    assert study.participant(browser.participant.code).status == "held"
    assert study.participant(other.participant.code).status == "active"
    assert PEOPLE in shown(browser)


@pytest.mark.parametrize("state", ["unfinished", "done"])
@pytest.mark.parametrize("call", ["screen", "turns"])
def test_a_robots_words_for_a_visit_that_has_ended(
    browser_in: Open, study: Study, robot: Robot, state: str, call: str
) -> None:
    visit = visits.find(study, browser_in("robot").state()["visit"])
    robot.call("POST", "/claims", {"code": visit.code})
    robot.call("POST", f"/visits/{visit.id}/ratings", {"occasion": "before", "value": 60})
    visits.finish_exercise(study, visit)
    visits.rate(study, visit, "after", 3) if state == "done" else visits.close(study, visit)
    body = {"words": DARK} if call == "screen" else {"words": DARK, "token": "late"}
    answer = robot.call("POST", f"/visits/{visit.id}/{call}", body)
    assert answer.status_code == 409
    assert "116 123" in answer.get_json()["message"]
    assert events(study) == [(visit.id, "participant")]


@pytest.mark.parametrize("words", [f"{DARK} {'so tired ' * 500}", f"{DARK} \ud83d", f"{DARK}\0"])
def test_a_robots_words_that_are_no_words_as_they_should_be(
    browser_in: Open, study: Study, robot: Robot, words: str
) -> None:
    visit = visits.find(study, browser_in("robot").state()["visit"])
    robot.call("POST", "/claims", {"code": visit.code})
    answer = robot.call("POST", f"/visits/{visit.id}/turns", {"words": words, "token": "t"})
    assert answer.status_code == 409
    assert "safety screen found something" in answer.get_json()["error"]
    assert events(study) == [(visit.id, "participant")]


def test_a_robots_words_while_the_study_is_halted_are_screened_for_the_robot_that_holds_the_visit(
    browser_in: Open, study: Study, robot: Robot
) -> None:
    visit = visits.find(study, browser_in("robot").state()["visit"])
    body = {"words": DARK, "token": "t"}
    assert robot.call("POST", f"/visits/{visit.id}/turns", body).status_code == 404
    assert events(study) == []
    robot.call("POST", "/claims", {"code": visit.code})
    halting.halt(study, "study", "", by="Dr Okafor", why="a look at the events")
    assert robot.call("POST", f"/visits/{visit.id}/turns", body).status_code == 409
    assert events(study) == [(visit.id, "participant")]


@pytest.mark.parametrize("data", ["keep", "erase", ""])
def test_the_reason_for_leaving_is_screened_and_who_wrote_it_is_shown_the_people(
    browser_in: Open, study: Study, data: str
) -> None:
    browser = browser_in("chat")
    sent = {"data": data, "reason": f"{DARK} tonight, so I leave"}
    for _ in range(2):
        answer = browser.client.post(browser.path + "leave", data=sent, follow_redirects=True)
        assert PEOPLE in answer.text
    assert events(study) == [(None, "participant")]
    assert is_withdrawn(study, browser.participant.code) == bool(data)


def test_who_leaves_before_the_enrolment_is_screened_too(whole: Study, study: Study, app: Flask) -> None:
    person = enrolment.come(study)
    path = study.participant_path(person.code)
    answer = app.test_client().post(path + "leave", data={"data": "keep", "reason": DARK}, follow_redirects=True)
    assert PEOPLE in answer.text
    assert events(study) == [(None, "participant")]


def test_an_item_in_a_form_after_the_visit_leads_to_the_people_and_not_to_thanks(
    browser_in: Open, study: Study, clock: HandClock
) -> None:
    browser, visit = begun(browser_in, study, "chat")
    visits.finish_exercise(study, visit)
    visits.rate(study, visit, "after", 60)
    assert "<h1>Thank you</h1>" in browser.page()
    phq9 = trial.answers(study, "phq9", item9=2)
    forms.submit(study, browser.participant.code, forms.Due("phq9", "after", "en", visit.id), phq9)
    assert PEOPLE in browser.page()
    assert "116 123" in browser.page()
    safety.acknowledge(study, 1, "Dr Okafor")
    assert "<h1>Thank you</h1>" in browser.page()


def test_whoever_is_held_for_another_reason_is_told_that_their_visits_are_paused(
    browser_in: Open, study: Study
) -> None:
    browser, visit = begun(browser_in, study, "chat")
    visits.finish_exercise(study, visit)
    visits.rate(study, visit, "after", 60)
    safety.report(study, browser.participant.code, by="nurse", description="a fall")
    page = browser.page()
    assert "Your visits are paused" in page
    assert "116 123" in page


def test_words_that_come_after_the_event_was_acknowledged_are_another(browser_in: Open, study: Study) -> None:
    browser, visit = begun(browser_in, study, "chat")
    say(browser, visit, token="one")
    safety.acknowledge(study, 1, "Dr Okafor")
    assert say(browser, visit, "I have the pills here and I will end my life") == (409, {"state": "stopped"})
    assert [row["acknowledged_at"] is None for row in safety.events(study)] == [True, False]
    assert study.participant(visit.participant).status == "held"
    assert PEOPLE in shown(browser)


def test_a_robot_is_told_what_to_say_to_words_that_are_refused(robot: Robot, study: Study) -> None:
    person = take_in(study)
    while person.arm.medium != "robot":
        person = take_in(study)
    visit = visits.today(study, person)
    assert visit is not None
    robot.call("POST", "/claims", {"code": visit.code})
    robot.call("POST", f"/visits/{visit.id}/ratings", {"occasion": "before", "value": 60})
    visits.end(study, visits.find(study, visit.id), by=person.code)
    for path, body in (("screen", {"words": DARK}), ("turns", {"words": DARK, "token": "one"})):
        answer = robot.call("POST", f"/visits/{visit.id}/{path}", body)
        assert answer.status_code == 409
        assert "116 123" in answer.get_json()["message"]
    assert "message" not in (robot.call("POST", f"/visits/{visit.id}/screen", {"words": "seventy"}).get_json() or {})
    assert events(study) == [(visit.id, "participant")]


def test_a_crisis_in_the_reason_for_leaving_on_a_full_disk(browser_in: Open, study: Study) -> None:
    browser = browser_in("chat")
    trial.fill_disk(study)
    answer = browser.client.post(browser.path + "leave", data={"data": "keep", "reason": DARK})
    assert answer.location == browser.path
    assert PEOPLE in shown(browser)


def test_words_that_a_full_disk_keeps_from_being_recorded(browser_in: Open, study: Study) -> None:
    browser, visit = begun(browser_in, study, "chat")
    trial.fill_disk(study)
    assert say(browser, visit, "I failed the exam")[0] == 507
    assert say(browser, visit) == (409, {"state": "stopped"})
    page = shown(browser)
    assert PEOPLE in page
    assert "116 123" in page
    assert events(study) == []
    trial.free_disk(study)
    tick(study, lambda address, title, body: True)
    assert events(study) == [(visit.id, "participant")]
    assert PEOPLE in shown(browser)
    assert study.participant(visit.participant).status == "held"

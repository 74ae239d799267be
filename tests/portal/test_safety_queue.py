"""The safety queue of the console: hearing, taking charge, assessing, closing, reporting harm, halting and going on."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from study import halting, safety
from study.enrolment import take_in
from study.study import Study
from tests.portal.conftest import Browser

SignIn = Callable[..., FlaskClient]

HOME = "/console/safety/"


def send(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    return client.post(HOME + path, data={"csrf": client.csrf, **fields})  # type: ignore[attr-defined]


def test_an_event_goes_all_the_way_under_the_name_of_who_is_signed_in(study: Study, console_as: SignIn) -> None:
    coordinator, officer = console_as("coordinator"), console_as("safety officer")
    person = take_in(study)
    send(coordinator, "events", participant=person.code, description="a fall on the stairs")
    page = officer.get(HOME).text
    assert "a fall on the stairs" in page
    assert "reported by coordinator" in page
    assert "open for a moment" in page
    assert study.participant(person.code).status == "held"

    assert send(officer, "events/1/acknowledgement").status_code == 303
    assert study.participant(person.code).status == "active"
    assert "safety-officer took charge 2 Mar 2026, 09:00" in officer.get(HOME).text

    refused = send(officer, "events/1/assessment", severity="mild", why="seen today", close="yes")
    assert refused.status_code == 422
    assert "can be closed when" in refused.text
    assert "<option selected>mild</option>" in refused.text
    assert 'value="seen today"' in refused.text
    assert safety.event(study, 1)["severity"] is None

    judged = {"severity": "mild", "serious": "no", "relatedness": "not", "expectedness": "unexpected"}
    send(officer, "events/1/assessment", **judged, outcome="recovered", close="yes")
    event = safety.event(study, 1)
    assert event["closed_at"] is not None
    assert (event["acknowledged_by"], event["assessed_by"]) == ("safety-officer", "safety-officer")
    assert 'id="event-1"' not in officer.get(HOME).text
    assert "<td>recovered</td>" in officer.get(HOME).text


def test_who_was_told_and_who_was_not(study: Study, console_as: SignIn) -> None:
    safety.report(study, take_in(study).code, by="nurse", description="a fall")
    officer = console_as("safety officer")
    assert "no address in safety.notify" in officer.get(HOME).text
    with study.records.write() as write:
        write.update("safety_event", 1, {"told_at": "2026-03-02T09:00:05.000+00:00"})
        write.log(study.clock.now(), "test", "told", "event 1")
    assert "Told 2 Mar 2026, 09:00." in officer.get(HOME).text
    with study.records.write() as write:
        write.update("safety_event", 1, {"escalated_at": "2026-03-02T09:30:05.000+00:00"})
        write.log(study.clock.now(), "test", "told", "event 1")
    assert "others were told 2 Mar 2026, 09:30" in officer.get(HOME).text


def test_an_event_leads_to_its_visit_for_those_who_read(
    browser_in: Callable[[str], Browser], study: Study, console_as: SignIn
) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    browser.send("I want to die.", "t")
    visit = browser.state()["visit"]
    page = console_as("safety officer").get(HOME).text
    assert f'<a href="/console/transcripts/visits/{visit}">Read the visit</a>' in page
    assert "I want to die" not in page  # nobody's words stand in the queue
    assert "found in the participant’s words, by rule" in page
    assert "Read the visit" not in console_as("coordinator").get(HOME).text


def test_the_study_is_halted_and_goes_on_with_a_reason(study: Study, console_as: SignIn) -> None:
    officer = console_as("safety officer")
    send(officer, "halts", what="arm chat", why="to look")
    assert "The arm chat is halted" in officer.get(HOME).text
    assert halting.halts(study)[0]["halted_by"] == "safety-officer"
    assert send(officer, "halts/1/lifting", why=" ").status_code == 422
    send(officer, "halts/1/lifting", why="looked")
    assert "is halted" not in officer.get(HOME).text
    assert halting.halts(study, in_force=False)[0]["lifted_by"] == "safety-officer"
    for wrong in ("arm video", "everything", "participant NOBODY"):
        assert send(officer, "halts", what=wrong, why="y").status_code in (404, 422)
    assert halting.halts(study) == []


@pytest.mark.parametrize("path", ["events/1/acknowledgement", "events/1/assessment", "halts", "halts/1/lifting"])
def test_who_reports_harm_need_not_decide_about_it(study: Study, console_as: SignIn, path: str) -> None:
    coordinator = console_as("coordinator")
    safety.report(study, take_in(study).code, by="nurse", description="a fall")
    halting.halt(study, "arm", "chat", by="board", why="to look")
    assert send(coordinator, path, what="study", why="x").status_code == 403
    page = coordinator.get(HOME).text
    assert f'action="{HOME}{path}"' not in page
    assert f'action="{HOME}events"' in page


def test_the_blinded_analyst_has_no_queue(study: Study, console_as: SignIn) -> None:
    assert console_as("analyst").get(HOME).status_code == 403
    assert console_as("administrator").get(HOME).status_code == 403


def test_a_form_without_its_proof_changes_nothing(study: Study, console_as: SignIn) -> None:
    safety.report(study, take_in(study).code, by="nurse", description="a fall")
    assert console_as("safety officer").post(HOME + "events/1/acknowledgement").status_code == 403
    assert safety.has_open_event(study, safety.event(study, 1)["participant"])


def test_a_mistake_in_a_report_loses_nothing(study: Study, console_as: SignIn) -> None:
    client = console_as("researcher")
    answer = send(client, "events", participant="", description="a fall")
    assert answer.status_code == 422
    assert "a fall" in answer.text
    assert "Choose whom it happened to." in answer.text
    assert client.get(HOME).text.count("a fall") == 0

"""The researcher's page and the transcripts behind it."""

from collections.abc import Callable
from pathlib import Path

from flask import Flask

from portal import create_app
from study import blinding, safety, visits
from study.enrolment import take_in
from study.study import Study
from tests.conftest import HandClock
from tests.portal.conftest import Browser
from therapist.engines import open_engine

Open = Callable[[str], Browser]


def test_the_page_shows_where_everybody_is(browser_in: Open, study: Study, app: Flask) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    number = browser.send("I failed the maths exam yesterday", "t").get_json()["number"]
    browser.reply(number)
    page = app.test_client().get(study.researcher_path()).text
    assert browser.participant.code in page
    assert "eliza: doctor" in page
    assert "Day 1, begun" in page
    assert "Day 1: before 62 (n=1)" in page
    transcript = app.test_client().get(study.researcher_path() + f"visits/{browser.state()['visit']}").text
    assert "I failed the maths exam yesterday" in transcript
    assert "Distress before: <strong>62</strong>, after: <strong>not rated</strong>" in transcript


def test_an_empty_study_has_a_page_too(study: Study, app: Flask) -> None:
    assert "Nobody is enrolled yet" in app.test_client().get(study.researcher_path()).text


def test_nothing_of_it_opens_without_the_researchers_link(browser_in: Open, study: Study, app: Flask) -> None:
    browser = browser_in("chat")
    browser.page()
    token = browser.path.split("/")[3]
    for wrong in ("abc", token):
        for path in ("/", f"/visits/{browser.state()['visit']}"):
            assert app.test_client().get(f"/researcher/{wrong}{path}").status_code == 404
        assert app.test_client().post(f"/researcher/{wrong}/safety/1", data={"by": "me"}).status_code == 404


def test_an_event_is_acknowledged_by_somebody_with_a_name(study: Study, app: Flask) -> None:
    answer = app.test_client().post(study.researcher_path() + "safety/1", data={"by": ""})
    assert answer.status_code == 422
    assert app.test_client().post(study.researcher_path() + "safety/99", data={"by": "me"}).status_code == 404


def test_the_queue_can_be_worked_through_on_the_page(study: Study, app: Flask) -> None:
    client, home = app.test_client(), study.researcher_path()
    person = take_in(study)
    client.post(home + "events", data={"participant": person.code, "description": "a fall", "by": "nurse"})
    assert "reported by nurse" in client.get(home).text
    assert study.participant(person.code).status == "held"
    client.post(home + "safety/1", data={"by": "Dr Okafor"})
    assert "To be assessed: event 1" in client.get(home).text
    refused = client.post(home + "safety/1/assessment", data={"by": "Dr Okafor", "close": "yes"})
    assert refused.status_code == 422
    assert "can be closed when" in refused.text
    judged = {"severity": "mild", "outcome": "recovered", "by": "Dr Okafor", "close": "yes"}
    client.post(home + "safety/1/assessment", data=judged)
    assert safety.event(study, 1)["closed_at"] is not None
    assert "event 1" not in client.get(home).text
    client.post(home + "halts", data={"what": "arm chat", "by": "Dr Okafor", "why": "to look"})
    assert "Halted: arm chat" in client.get(home).text
    client.post(home + "halts/1/lift", data={"by": "Board", "why": "looked"})
    assert "Halted" not in client.get(home).text
    assert client.post(home + "halts", data={"what": "arm video", "by": "x", "why": "y"}).status_code == 422


def test_a_blinded_page_tells_no_arm(folder: Path, clock: HandClock) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text() + '\n[blinding]\nroles = ["analyst"]\n')
    study = Study.open(folder, clock=clock)
    people = [take_in(study) for _ in range(3)]
    visit = visits.today(study, people[0])
    assert visit is not None
    visits.rate(study, visit, "before", 60)
    app = create_app(study, {study.protocol.engine: open_engine("eliza")})
    client, home = app.test_client(), study.blinded_path("analyst")
    page = client.get(home).text
    assert not any(word in page.lower() for word in ("robot", "chat", "worksheet", "neutral"))
    assert all(label in page for label in ("Arm A", "Arm B", "Arm C"))
    blinding.unblind(study, "analyst", by="Dr Okafor", why="emergency", participant=people[0].code)
    assert client.get(home).text == page  # one arm beside its label would unblind everybody who has that label
    blinding.unblind(study, "analyst", by="Dr Okafor", why="the analysis is frozen")
    assert "robot" in client.get(home).text
    for wrong in (study.blinded_path("assessor"), home.replace("analyst", "assessor"), home[:-4] + "x/"):
        assert client.get(wrong).status_code == 404
    app.extensions["bedside"].close()
    study.close()


def test_test_participants_are_marked_and_not_counted(study: Study, app: Flask) -> None:
    take_in(study, kind="test", skip=True)
    page = app.test_client().get(study.researcher_path()).text
    assert "(test)" in page
    assert '<p class="big">0</p><p class="hint">robot 0' in page

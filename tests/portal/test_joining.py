"""From the study's door to the follow-up, in the browser, without scripts."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import joining
from portal.app import create_app
from study import enrolment, forms, identity, safety, visits
from study.access import devices
from study.amendment import amend
from study.study import Participant, Study
from study.tick import tick
from study.verify import verify
from tests import trial
from tests.conftest import HandClock
from tests.portal.conftest import Robot
from therapist.engines import open_engine
from therapist.exercise import load_exercise


@pytest.fixture
def app(whole: Study) -> Iterator[Flask]:
    app = create_app(whole, {whole.protocol.engine: open_engine("eliza")})
    yield app
    app.extensions["bedside"].close()


class Visitor:
    """Somebody with a browser, who fills in whatever form the page has."""

    def __init__(self, app: Flask, study: Study) -> None:
        self.client: FlaskClient = app.test_client()
        self.study = study
        self.path = ""

    def come(self, zone: str = "Europe/Stockholm") -> "Visitor":
        door = self.study.join_path()
        page = hidden(self.client.get(door).text, "page")
        answer = self.client.post(door, data={"page": page, "timezone": zone})
        assert answer.status_code == 303
        self.path = answer.location
        return self

    @property
    def code(self) -> str:
        return self.path.split("/")[2]

    def page(self) -> str:
        answer = self.client.get(self.path + "now", follow_redirects=True)
        assert answer.status_code == 200
        return answer.text

    def title(self) -> str:
        found = re.search(r"<h1>([^<]+)</h1>", self.page())
        assert found
        return found[1].replace("&#39;", "'")

    def fields(self, **items: str) -> dict[str, str]:
        """The form that the page has, each question answered with the first choice, or as `items` say."""
        page = self.page()
        sent = {name: hidden(page, name) for name in ("measure", "occasion", "visit")}
        for name, value in re.findall(r'<input type="radio" name="item-([^"]+)" value="([^"]*)"', page):
            sent.setdefault(f"item-{name}", value)
        for name in re.findall(r'<input type="number"[^>]* name="item-([^"]+)"', page):
            sent[f"item-{name}"] = "0"
        return {**sent, **{f"item-{name.removeprefix('i')}": value for name, value in items.items()}}

    def answer(self, **items: str) -> TestResponse:
        return self.client.post(self.path + "form", data=self.fields(**items))

    def screening(self, **items: str) -> TestResponse:
        fit = {"age": "20", "sex": "female", "treatment": "no"}
        return self.client.post(self.path + "form", data=self.fields(**{**fit, **items}))

    def agree(self, *without: str) -> TestResponse:
        page = self.page()
        data = {
            name: "yes" for name in re.findall(r'name="((?:statement|permission)-[^"]+)"', page) if name not in without
        }
        return self.client.post(
            self.path + "consent", data={**data, "sha256": hidden(page, "sha256"), "decision": "agree"}
        )

    def enrol(self) -> Participant:
        self.screening()
        self.answer()  # K10
        self.agree()
        self.client.post(self.path + "identity", data={"name": "Maya Lindqvist", "email": "maya@example.org"})
        self.answer()  # PHQ-9
        self.answer()  # UCLA-3
        self.page()
        return self.study.participant(self.code)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]


@pytest.fixture
def visitor(app: Flask, whole: Study) -> Visitor:
    return Visitor(app, whole).come()


def test_somebody_goes_from_the_door_to_their_first_visit(visitor: Visitor, whole: Study) -> None:
    assert visitor.title() == "Does the study suit you?"
    assert visitor.screening().status_code == 303
    assert "past 4 weeks" in visitor.page()
    visitor.answer()
    assert visitor.title() == "What the study is about"
    visitor.agree()
    assert visitor.title() == "How can we reach you?"
    visitor.client.post(visitor.path + "identity", data={"name": "Maya Lindqvist", "email": "maya@example.org"})
    assert "Over the last 2 weeks" in visitor.page()
    visitor.answer()
    visitor.answer()
    assert visitor.title() == "Your visit for today"
    person = whole.participant(visitor.code)
    assert str(person.zone) == "Europe/Stockholm"
    assert identity.contact(whole, person.code)["email"] == "maya@example.org"
    assert verify(whole.records).mistakes == []


def test_a_second_click_on_the_door_brings_the_same_person(app: Flask, whole: Study) -> None:
    client = app.test_client()
    page = hidden(client.get(whole.join_path()).text, "page")
    first = client.post(whole.join_path(), data={"page": page, "timezone": "Europe/London"})
    second = client.post(whole.join_path(), data={"page": page, "timezone": "Europe/London"})
    assert first.location == second.location
    assert len(whole.people()) == 1


def test_a_zone_that_does_not_exist_is_the_studys(app: Flask, whole: Study) -> None:
    for zone in ("", "Mars/Olympus", "../../etc/passwd"):
        visitor = Visitor(app, whole).come(zone)
        assert str(whole.person(visitor.code).zone) == "Europe/London"


def test_of_a_crowd_from_one_address_everybody_comes_in_who_tries_again(
    app: Flask, whole: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [0.0]
    monkeypatch.setattr("portal.joining.time", SimpleNamespace(monotonic=lambda: moment[0]))
    monkeypatch.setattr("portal.joining.COMING", 4)
    left = [secrets.token_hex(8) for _ in range(11)]
    client = app.test_client()
    came = []
    for _ in range(9):  # each tries every ten seconds
        left = [page for page in left if client.post(whole.join_path(), data={"page": page}).status_code != 303]
        came.append(11 - len(left))
        moment[0] += 10
    assert came == [4, 4, 4, 4, 4, 4, 4, 8, 8]


def test_a_flood_of_addresses_is_not_remembered_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.joining.DOORS", 3)
    doors = joining._Doors()
    assert all(doors.lets_in(f"198.51.100.{number}") for number in range(100))
    assert len(doors._came) == 3


def test_a_wrong_door_is_no_page(app: Flask) -> None:
    assert app.test_client().get("/join/abc/").status_code == 404


def test_who_cannot_take_part_is_told_every_reason(visitor: Visitor, whole: Study) -> None:
    visitor.screening(age="17", treatment="yes")
    visitor.answer()
    assert visitor.title() == "This study does not suit you"
    assert "The study is for adults." in visitor.page()
    assert "not in treatment" in visitor.page()
    assert len(whole.person(visitor.code).reasons) == 2
    assert visitor.client.post(visitor.path + "consent", data={"decision": "agree"}).status_code == 409


def test_a_question_that_is_not_answered_is_shown_again_with_what_was_chosen(visitor: Visitor) -> None:
    data = visitor.fields(age="abc", sex="male")
    data.pop("item-treatment", None)
    answer = visitor.client.post(visitor.path + "form", data=data)
    assert answer.status_code == 422
    assert "Please answer the questions that are marked." in answer.text
    assert "Please give a whole number from 0 to 120." in answer.text
    assert 'value="male" checked' in answer.text
    assert visitor.screening(age="121").status_code == 422
    assert visitor.screening().status_code == 303


def test_an_item_can_be_left_out(visitor: Visitor, whole: Study) -> None:
    visitor.screening()
    assert visitor.answer(i3="none").status_code == 303
    row = whole.records.row("SELECT value FROM answer JOIN form ON form.id = form WHERE measure = 'k10' AND item = '3'")
    assert row == {"value": None}


def test_a_form_sent_twice_or_too_late_changes_nothing(visitor: Visitor, whole: Study) -> None:
    first = visitor.fields(age="20", sex="female", treatment="no")
    visitor.client.post(visitor.path + "form", data=first)
    again = visitor.client.post(visitor.path + "form", data={**first, "item-age": "30"})
    assert again.status_code == 303
    row = whole.records.row("SELECT value FROM answer WHERE item = 'age'")
    assert row == {"value": 20}
    early = {**first, "measure": "phq9", "occasion": "baseline"}
    assert visitor.client.post(visitor.path + "form", data=early).status_code == 409


def test_every_statement_has_to_be_ticked_and_permissions_need_not(visitor: Visitor, whole: Study) -> None:
    visitor.screening()
    visitor.answer()
    refused = visitor.agree("statement-1")
    assert refused.status_code == 422
    assert "please tick every statement" in refused.text
    assert 'name="statement-0" value="yes" checked' in refused.text
    visitor.agree("permission-record_speech")
    row = whole.records.row("SELECT * FROM consent")
    assert row is not None
    assert row["permissions"] == '{"record_speech": false}'
    for address in ("consent", "consent/copy", "consent/copy.txt"):
        copy = visitor.client.get(visitor.path + address)
        assert "Agreed on 2 March 2026 (version 1.0)" in copy.text
        assert "I take part of my own free will." in copy.text
        assert re.search(r"The robot may keep the sound of my answers\.\s+(<strong>)?No", copy.text)
    assert copy.headers["Content-Disposition"] == f'attachment; filename="consent-{visitor.code}.txt"'


def test_a_consent_to_another_text_is_not_taken(visitor: Visitor, whole: Study) -> None:
    visitor.screening()
    visitor.answer()
    data = {"statement-0": "yes", "statement-1": "yes", "sha256": "0" * 64, "decision": "agree"}
    assert visitor.client.post(visitor.path + "consent", data=data).status_code == 409
    assert whole.records.row("SELECT * FROM consent") is None


def test_who_does_not_want_to_take_part_is_asked_no_more(visitor: Visitor, whole: Study) -> None:
    visitor.screening()
    visitor.answer()
    visitor.client.post(visitor.path + "consent", data={"decision": "decline"})
    assert whole.person(visitor.code).state == "declined"
    assert visitor.title() == "You have left the study"


def test_an_answer_that_means_danger_stops_everything_at_once(visitor: Visitor, whole: Study) -> None:
    visitor.screening()
    visitor.answer()
    visitor.agree()
    visitor.client.post(visitor.path + "identity", data={"name": "Maya", "email": "m@example.org"})
    visitor.answer(i9="2")
    assert visitor.title() == "Let's stop here for today"
    assert "Samaritans" in visitor.page()
    [event] = safety.events(whole)
    assert (event["participant"], event["source"], event["category"]) == (visitor.code, "item", "self_harm")
    assert visitor.client.post(visitor.path + "form", data={"measure": "ucla3"}).status_code == 409
    assert whole.person(visitor.code).state == "baseline"
    safety.acknowledge(whole, event["id"], "Dr Okafor")
    visitor.answer()
    visitor.page()
    assert whole.person(visitor.code).state == "enrolled"


def test_days_follow_ups_and_what_is_due_on_them(visitor: Visitor, whole: Study, clock: HandClock) -> None:
    visitor.enrol()
    clock.forward(days=7)
    assert "past 4 weeks" in visitor.page()  # K10 on day 8
    visitor.answer()
    clock.forward(days=37)
    assert "past 4 weeks" in visitor.page()  # the follow-up
    visitor.answer()
    assert visitor.title() == "Thank you"
    person = whole.participant(visitor.code)
    row = whole.records.row("SELECT * FROM visit WHERE follow_up IS NOT NULL")
    assert row is not None
    assert (row["state"], row["day"]) == ("done", 45)
    clock.forward(days=30)
    assert visitor.title() == "The study is over for you"
    assert visits.today(whole, person) is None


def test_a_measure_due_after_the_visit_comes_after_the_second_rating(app: Flask, whole: Study) -> None:
    while True:
        visitor = Visitor(app, whole).come()
        person = visitor.enrol()
        if person.arm.medium == "chat":
            break
    visit = visits.today(whole, person)
    assert visit is not None
    visit = visits.finish_exercise(whole, visits.rate(whole, visit, "before", 60))
    visits.rate(whole, visit, "after", 50)
    assert "lack companionship" in visitor.page()
    visitor.answer()
    assert visitor.title() == "Thank you"
    assert [form["occasion"] for form in forms.given(whole, person.code)][-1] == "after"


@pytest.mark.parametrize("choice", ["keep", "erase"])
def test_somebody_leaves_from_their_own_page(visitor: Visitor, whole: Study, folder: Path, choice: str) -> None:
    visitor.enrol()
    assert visitor.client.post(visitor.path + "leave", data={}).status_code == 422
    visitor.client.post(visitor.path + "leave", data={"data": choice, "reason": "the staircase is too steep"})
    assert visitor.title() == "You have left the study"
    assert whole.participant(visitor.code).status == "withdrawn"
    left = whole.records.row("SELECT count(*) AS n FROM answer")
    assert left is not None
    assert (left["n"] == 0) == (choice == "erase")
    assert verify(whole.records).mistakes == []


def test_a_halted_study_says_so(visitor: Visitor, whole: Study) -> None:
    from study import halting

    visitor.screening()
    visitor.answer()
    visitor.agree()
    visitor.client.post(visitor.path + "identity", data={"name": "Maya", "email": "m@example.org"})
    visitor.answer()
    number = halting.halt(whole, "study", "", by="Dr Okafor", why="to look")
    visitor.answer()
    assert visitor.title() == "The study is paused"
    halting.lift(whole, number, by="Dr Okafor", why="looked")
    assert visitor.title() == "Your visit for today"


def test_closed_pages_say_when_the_next_visit_opens_on_the_participants_own_clock(
    visitor: Visitor, whole: Study, clock: HandClock
) -> None:
    person = visitor.enrol()
    visit = visits.today(whole, person)
    assert visit is not None
    visits.rate(whole, visit, "before", 60)
    visits.rate(whole, visits.finish_exercise(whole, visit), "after", 50)
    if "lack companionship" in visitor.page():
        visitor.answer()
    assert "Tuesday 3 March, 04:00" in visitor.page()
    clock.forward(days=16)
    assert visitor.title() == "Your daily visits are done"
    assert "Wednesday 15 April, 04:00" in visitor.page()


def test_nothing_of_the_visits_can_be_reached_before_the_enrolment(visitor: Visitor) -> None:
    for way in ("visit", "reply?visit=1"):
        assert visitor.client.get(visitor.path + way).status_code == 409
    assert visitor.client.post(visitor.path + "rating", data={"visit": "1"}).status_code == 409
    assert visitor.client.post(visitor.path + "turns", json={"visit": "1"}).status_code == 409


class Broken:
    """An engine that fails whenever it is asked for a word."""

    identity = open_engine("eliza").identity

    def generate(self, *asked: object, **more: object) -> Iterator[str]:
        raise RuntimeError("the engine is away")


def test_a_crisis_is_met_while_the_engine_is_broken(whole: Study) -> None:
    """Rules decide, in words and in answers, also when no model can be reached."""
    app = create_app(whole, {whole.protocol.engine: Broken()})  # type: ignore[dict-item]
    try:
        while True:
            visitor = Visitor(app, whole).come()
            if visitor.enrol().arm.medium == "worksheet":
                break
        visitor.client.post(visitor.path + "rating", data=rating(visitor))
        page = visitor.client.get(visitor.path + "visit").get_json()
        sent = {"visit": str(page["visit"]), "words": "I want to kill myself"}
        step = whole_step(whole, page["visit"])
        visitor.client.put(visitor.path + f"drafts/{step}", json=sent)
        assert visitor.title() == "Let's stop here for today"
        assert [(event["source"], event["participant"]) for event in safety.events(whole)] == [("draft", visitor.code)]
    finally:
        app.extensions["bedside"].close()


def rating(visitor: Visitor) -> dict[str, str]:
    return {"visit": hidden(visitor.page(), "visit"), "occasion": "before", "value": "60"}


def whole_step(study: Study, visit: int) -> str:
    return load_exercise(visits.find(study, visit).exercise).steps[0].id


def in_arm(app: Flask, study: Study, medium: str) -> tuple[Visitor, Participant]:
    while True:
        visitor = Visitor(app, study).come()
        person = visitor.enrol()
        if person.arm.medium == medium:
            return visitor, person


def test_forms_before_the_exercise_come_before_the_rating(whole: Study, app: Flask, clock: HandClock) -> None:
    visitor, _ = in_arm(app, whole, "chat")
    clock.forward(days=7)
    sent = {"visit": hidden(visitor.page(), "visit"), "occasion": "before", "value": "60"}  # K10 is due on day 8
    assert visitor.client.post(visitor.path + "rating", data=sent).status_code == 409
    visitor.answer()
    assert visitor.client.post(visitor.path + "rating", data=sent).status_code == 303


PEOPLE = "Let&#39;s stop here for today"


def on_day_15(visitor: Visitor, clock: HandClock) -> dict[str, str]:
    """The PHQ-9 of the last day as the page has it, with an answer that alarms."""
    clock.forward(days=14)
    visitor.answer()  # K10
    return visitor.fields(i9="3")


def events(study: Study) -> list[tuple[str, str]]:
    return [(row["source"], row["rule"]) for row in reversed(safety.events(study))]


def test_an_answer_that_alarms_is_heard_in_a_form_that_lacks_another(
    whole: Study, app: Flask, clock: HandClock
) -> None:
    visitor, _ = in_arm(app, whole, "chat")
    sent = {**on_day_15(visitor, clock), "item-1": ""}
    for _ in range(2):
        assert visitor.client.post(visitor.path + "form", data=sent).location == visitor.path
    assert events(whole) == [("item", "phq9 item 9 at least 1")]
    assert PEOPLE in visitor.page()


def test_an_answer_that_alarms_is_heard_while_somebody_is_held_for_another_reason(
    whole: Study, app: Flask, clock: HandClock
) -> None:
    visitor, person = in_arm(app, whole, "chat")
    sent = on_day_15(visitor, clock)
    safety.report(whole, person.code, by="nurse", description="a fall")
    assert visitor.client.post(visitor.path + "form", data=sent).location == visitor.path
    assert events(whole) == [("report", ""), ("item", "phq9 item 9 at least 1")]
    assert PEOPLE in visitor.page()


def test_an_answer_that_alarms_is_heard_on_a_full_disk(whole: Study, app: Flask, clock: HandClock) -> None:
    visitor, _ = in_arm(app, whole, "chat")
    sent = on_day_15(visitor, clock)
    trial.fill_disk(whole)
    assert visitor.client.post(visitor.path + "form", data=sent).location == visitor.path
    assert PEOPLE in visitor.page()
    trial.free_disk(whole)
    tick(whole, lambda address, title, body: True)
    assert events(whole) == [("item", "phq9 item 9 at least 1")]


def test_a_follow_up_is_not_closed_by_being_looked_at_while_its_participant_is_held(
    whole: Study, app: Flask, clock: HandClock
) -> None:
    visitor, person = in_arm(app, whole, "chat")
    clock.forward(days=44)
    visit = visits.today(whole, person)
    assert visit is not None
    with pytest.MonkeyPatch.context() as meanwhile:  # the hold comes between two looks of one request
        meanwhile.setattr("study.forms.due_in_visit", lambda study, visit: None)
        visitor.page()
    assert visits.find(whole, visit.id).state == "before"


def test_a_robot_that_was_refused_for_what_is_on_the_page_keeps_no_visit(
    whole: Study, app: Flask, clock: HandClock
) -> None:
    visitor, person = in_arm(app, whole, "robot")
    clock.forward(days=7)
    visit = visits.today(whole, person)
    assert visit is not None
    first, second = (Robot(app.test_client(), devices.issue(whole, name, by="test")) for name in ("one", "two"))
    assert first.call("POST", "/claims", {"code": visit.code}).status_code == 409
    visitor.answer()
    assert second.call("POST", "/claims", {"code": visit.code}).status_code == 200


def test_a_robot_takes_a_visit_when_the_forms_before_it_are_given(whole: Study, app: Flask, clock: HandClock) -> None:
    visitor, person = in_arm(app, whole, "robot")
    clock.forward(days=7)
    assert 'class="code"' not in visitor.page()
    visit = visits.today(whole, person)
    assert visit is not None
    robot = Robot(app.test_client(), devices.issue(whole, "robot-1", by="test"))
    assert robot.call("POST", "/claims", {"code": visit.code}).status_code == 409
    visitor.answer()
    assert robot.call("POST", "/claims", {"code": visit.code}).status_code == 200


def test_a_robot_adds_nothing_to_the_visit_of_somebody_who_left(whole: Study, app: Flask) -> None:
    visitor, person = in_arm(app, whole, "robot")
    visit = visits.today(whole, person)
    assert visit is not None
    robot = Robot(app.test_client(), devices.issue(whole, "robot-1", by="test"))
    robot.call("POST", "/claims", {"code": visit.code})
    robot.call("POST", f"/visits/{visit.id}/ratings", {"occasion": "before", "value": 60})
    visitor.client.post(visitor.path + "leave", data={"data": "erase"})
    for path, body in (
        ("ratings", {"occasion": "after", "value": 50}),
        ("turns", {"words": "I failed the exam", "token": "t"}),
        ("screen", {"words": "I failed the exam"}),
    ):
        assert robot.call("POST", f"/visits/{visit.id}/{path}", body).status_code == 409
    assert whole.records.rows("SELECT * FROM turn") == []
    assert verify(whole.records).mistakes == []


def test_who_agreed_to_an_earlier_consent_is_asked_again_before_the_next_visit(
    visitor: Visitor, whole: Study, folder: Path, clock: HandClock
) -> None:
    participant = visitor.enrol()
    path = folder / "study.toml"
    text = path.read_text().replace("What it asks of you.", "What it asks of you, and that chats are read.")
    path.write_text(text.replace('version = "1.0"', 'version = "2.0"', 1))
    amend(folder, by="Dr Okafor", why="ethics asked for it", clock=clock)
    amended = Study.open(folder, clock=clock)
    app = create_app(amended, {amended.protocol.engine: open_engine("eliza")})
    visitor.client = app.test_client()
    clock.forward(days=1)
    assert "that chats are read" in visitor.page()
    assert visitor.agree("statement-0").status_code == 422
    assert visitor.agree().status_code == 303
    assert "that chats are read" not in visitor.page()
    copy = visitor.client.get(visitor.path + "consent/copy").text
    assert "that chats are read" in copy
    assert [row["version"] for row in amended.records.rows("SELECT version FROM consent ORDER BY id")] == ["1.0", "2.0"]
    assert amended.participant(participant.code).version == 1  # they finish on the protocol that they began on
    app.extensions["bedside"].close()
    amended.close()


def amended(folder: Path, clock: HandClock) -> Study:
    """The same study, after its consent was amended."""
    path = folder / "study.toml"
    text = path.read_text().replace("What it asks of you.", "What it asks of you, and that chats are read.")
    path.write_text(text.replace('version = "1.0"', 'version = "2.0"', 1))
    amend(folder, by="Dr Okafor", why="ethics asked for it", clock=clock)
    return Study.open(folder, clock=clock)


@pytest.fixture
def later(whole: Study, folder: Path, clock: HandClock) -> Iterator[tuple[Study, Flask]]:
    """The study after an amendment of its consent, with somebody in each arm who agreed to the one before."""
    for arm in ("robot", "chat"):
        while trial.join(whole).arm.name != arm:
            pass
    study = amended(folder, clock)
    app = create_app(study, {study.protocol.engine: open_engine("eliza")})
    yield study, app
    app.extensions["bedside"].close()
    study.close()


def test_no_visit_begins_by_a_page_from_before_a_new_consent(later: tuple[Study, Flask], clock: HandClock) -> None:
    study, app = later
    participant = next(one for one in study.participants() if one.arm.name == "chat")
    visit, path, client = visits.today(study, participant), study.participant_path(participant.code), app.test_client()
    assert visit is not None
    fields = {"visit": str(visit.id), "occasion": "before", "value": "50"}
    assert client.post(path + "rating", data=fields).location == path + "consent"
    assert visits.find(study, visit.id).state == "before"
    clock.forward(days=7)
    visit = visits.today(study, participant)
    assert visit is not None
    answers = {f"item-{name}": str(value) for name, value in trial.answers(study, "k10").items()}
    form = {"measure": "k10", "occasion": "day 8", "visit": str(visit.id), **answers}
    assert client.post(path + "form", data=form).location == path + "consent"
    assert len(forms.given(study, participant.code)) == 4  # those before the enrolment
    enrolment.give_consent(study, participant.code, statements=[0, 1])
    assert client.post(path + "form", data=form).location == path + "now"
    assert client.post(path + "rating", data={**fields, "visit": str(visit.id)}).location == path + "now"
    assert visits.find(study, visit.id).state == "exercise"


def test_no_visit_begins_by_a_robot_before_a_new_consent(later: tuple[Study, Flask]) -> None:
    study, app = later
    participant = next(one for one in study.participants() if one.arm.name == "robot")
    visit = visits.today(study, participant)
    assert visit is not None
    robot = Robot(app.test_client(), devices.issue(study, "robot-1", by="test"))
    rating = (f"/visits/{visit.id}/ratings", {"occasion": "before", "value": 70})
    refused = robot.call("POST", "/claims", {"code": visit.code})
    assert (refused.status_code, "new consent" in refused.get_json()["error"]) == (409, True)
    assert robot.call("POST", *rating).status_code in (404, 409)
    assert visits.find(study, visit.id).state == "before"
    enrolment.give_consent(study, participant.code, statements=[0, 1])
    assert robot.call("POST", "/claims", {"code": visit.code}).status_code == 200
    assert robot.call("POST", *rating).status_code == 200


def test_a_robot_that_has_the_visit_already_waits_for_a_new_consent(later: tuple[Study, Flask]) -> None:
    study, app = later
    participant = next(one for one in study.participants() if one.arm.name == "robot")
    visit = visits.today(study, participant)
    assert visit is not None
    robot = Robot(app.test_client(), devices.issue(study, "robot-1", by="test"))
    visits.claim(study, visit.code, "robot-1")
    answer = robot.call("POST", f"/visits/{visit.id}/ratings", {"occasion": "before", "value": 70})
    assert (answer.status_code, "new consent" in answer.get_json()["error"]) == (409, True)
    assert visits.find(study, visit.id).state == "before"


def test_on_the_day_of_a_follow_up_there_is_no_exercise(whole: Study, app: Flask, clock: HandClock) -> None:
    participant = trial.join(whole)
    clock.forward(days=45)
    visit = visits.today(whole, participant)
    assert visit is not None
    assert visit.follow_up == "follow-up"
    path, client = whole.participant_path(participant.code), app.test_client()
    assert client.get(path + "visit").get_json() == {"visit": None}
    assert client.get(f"{path}reply?visit={visit.id}").status_code == 409
    said = {"visit": str(visit.id), "words": "hello", "token": "t"}
    assert client.post(path + "turns", json=said).status_code == 409
    rating = {"visit": str(visit.id), "occasion": "before", "value": "50"}
    assert client.post(path + "rating", data=rating).status_code == 409
    assert visits.find(whole, visit.id).state == "before"

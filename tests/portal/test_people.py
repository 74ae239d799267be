"""The console's pages of people: found, enrolled, left, moved, corrected and looked up, each on record and once."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from study import blinding, identity, safety, visits
from study.access.roles import Role
from study.correcting import corrections, values
from study.enrolment import come, take_in
from study.study import Study
from study.verify import verify
from tests import trial
from tests.conftest import HandClock

SignIn = Callable[..., FlaskClient]


@pytest.fixture
def study(whole: Study) -> Study:
    """These pages are shown of a study that asks for everything."""
    return whole


def send(client: FlaskClient, path: str, **fields: object) -> TestResponse:
    return client.post(path, data={"csrf": client.csrf, **fields})  # type: ignore[attr-defined]


def shown(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def ticket(page: str, action: str) -> str:
    """The code that a form carries for somebody new."""
    found = re.search(rf'action="{action}".*?name="ticket" value="([^"]+)"', page, re.DOTALL)
    assert found, page
    return found[1]


def listed(page: str) -> list[str]:
    return re.findall(r'<a href="/console/people/([A-Z0-9-]+)/">', page)


def events(study: Study, what: str) -> list[dict[str, object]]:
    return study.records.rows("SELECT actor, subject, person FROM event WHERE what = ? ORDER BY id", what)


# The list


def test_people_are_found_by_code_state_arm_and_what_is_due(study: Study, console_as: SignIn) -> None:
    person, other = trial.join(study), trial.join(study)
    coming = come(study)
    send(console_as("coordinator"), f"/console/people/{other.code}/withdraw", how="keep", sure="yes")
    client = console_as("researcher")
    assert listed(shown(client, "/console/people/")) == [person.code, other.code, coming.code]
    assert listed(shown(client, f"/console/people/?q={person.code[1:4].lower()}")) == [person.code]
    assert listed(shown(client, "/console/people/?state=left")) == [other.code]
    assert listed(shown(client, "/console/people/?state=on+the+way")) == [coming.code]
    assert listed(shown(client, "/console/people/?need=due")) == [person.code]
    arm = shown(client, f"/console/people/?arm={person.arm.name}")
    assert (person.code in listed(arm), coming.code in listed(arm)) == (True, False)
    assert "Nobody fits what you look for." in shown(client, "/console/people/?q=ZZZZZZZZ")


def test_who_is_late_is_found_as_late(study: Study, console_as: SignIn, clock: object) -> None:
    person = trial.join(study)
    clock.forward(hours=15)  # type: ignore[attr-defined] # of a window that closes at four in the morning
    client = console_as("researcher")
    assert listed(shown(client, "/console/people/?need=late")) == [person.code]


def test_who_is_blinded_is_not_told_who_has_left_off(study: Study, console_as: SignIn, clock: HandClock) -> None:
    person = trial.join(study)
    visit = visits.today(study, person)
    assert visit is not None
    visits.rate(study, visit, "before", 60)
    clock.forward(minutes=31)
    researcher, blinded = console_as("researcher"), console_as("analyst")
    assert listed(shown(researcher, "/console/people/?need=late")) == [person.code]
    assert listed(shown(blinded, "/console/people/?need=late")) == []
    assert listed(shown(blinded, "/console/people/?need=visiting")) == [person.code]


def test_test_participants_are_marked_and_hidden_from_who_is_blinded(study: Study, console_as: SignIn) -> None:
    tested = take_in(study, kind="test", skip=True)
    assert '<span class="mark off">test</span>' in shown(console_as("researcher"), "/console/people/")
    blinded = console_as("analyst")
    assert tested.code not in shown(blinded, "/console/people/")
    assert blinded.get(f"/console/people/{tested.code}/").status_code == 404


def test_who_may_not_see_arms_sees_labels_and_no_transcript_log_or_reason(study: Study, console_as: SignIn) -> None:
    person = trial.join(study)
    visit = visits.today(study, person)
    assert visit is not None
    safety.report(study, person.code, by="Dr Okafor", description="fell from a ladder")
    client = console_as("analyst")
    page = shown(client, f"/console/people/{person.code}/")
    assert f"<dd>{blinding.labels(study, 'analyst')[person.arm.name]}</dd>" in page
    for told in (person.arm.name, "ladder", "adverse event", "Dr Okafor", "/console/transcripts"):
        assert told not in page.replace('href="/console/transcripts/">Transcripts', "")
    assert client.get(f"/console/people/{person.code}/log").status_code == 403
    assert person.arm.name in shown(console_as("researcher"), f"/console/people/{person.code}/")


# One person


def test_the_page_of_somebody_has_visits_measures_consent_safety_and_messages(study: Study, console_as: SignIn) -> None:
    person = trial.join(study)
    visit = visits.today(study, person)
    assert visit is not None
    visits.rate(study, visit, "before", 60)
    safety.report(study, person.code, by="Dr Okafor", description="fell")
    page = shown(console_as("researcher"), f"/console/people/{person.code}/")
    assert f'href="/console/transcripts/visits/{visit.id}"' in page
    assert "version 1.0" in page
    assert "record_speech: agreed" in page
    assert "reported by Dr Okafor" in page
    assert len(re.findall(r"Day \d+: still to come", page)) >= 14
    assert "Transcripts" not in shown(console_as("coordinator"), f"/console/people/{person.code}/")


def test_what_was_done_is_told_with_who_when_and_why(study: Study, console_as: SignIn) -> None:
    person = trial.join(study)
    client = console_as("researcher")
    send(client, f"/console/people/{person.code}/move", timezone="America/Lima", why="holidays")
    page = shown(client, f"/console/people/{person.code}/log")
    [moved] = re.findall(r"<tr>(?:(?!</tr>).)*moved.*?</tr>", page, re.DOTALL)
    for told in ("researcher", "person timezone: Europe/London → America/Lima", "holidays"):
        assert told in moved
    assert "salt" not in page


# Coming


def test_somebody_is_invited_once_however_often_the_form_is_sent(study: Study, console_as: SignIn) -> None:
    client = console_as("coordinator")
    given = ticket(shown(client, "/console/people/new"), "/console/people/new/invite")
    first, again = (send(client, "/console/people/new/invite", ticket=given) for _ in range(2))
    assert (first.status_code, first.location) == (303, again.location)
    assert len(study.people()) == 1
    [person] = study.people()
    assert person.state == "screening"
    assert [event["actor"] for event in events(study, "came")] == ["coordinator"]


def test_an_invitation_with_a_code_that_was_not_given_out_is_not_taken(study: Study, console_as: SignIn) -> None:
    client = console_as("coordinator")
    given = ticket(shown(client, "/console/people/new"), "/console/people/new/invite")
    for wrong in ("", "ABCDEF", f"ABCDEF.{given.partition('.')[2]}", given[:-1]):
        assert send(client, "/console/people/new/invite", ticket=wrong).status_code == 422
    assert study.people() == []


def form_from_paper(client: FlaskClient) -> str:
    answer = client.get("/console/people/new/paper")
    assert (answer.status_code, answer.location is not None) == (303, True)
    return shown(client, answer.location or "")


def paper(study: Study, page: str, **more: object) -> dict[str, object]:
    """A form from paper, filled in."""
    fields: dict[str, object] = {
        "ticket": ticket(page, "/console/people/new/paper"),
        "sha256": re.findall(r'name="sha256" value="(\w+)"', page)[0],
        "screening.age": "20",
        "screening.sex": "female",
        "screening.treatment": "no",
        "statement": ["0", "1"],
        "permission": ["record_speech"],
        "witness": "Nurse Adeyemi",
        "timezone": "America/Lima",
    }
    for measure in ("k10", "phq9", "ucla3"):
        fields |= {f"{measure}.{item}": str(value) for item, value in trial.answers(study, measure).items()}
    return fields | more


def test_somebody_from_paper_is_enrolled_with_answers_consent_witness_and_zone(
    study: Study, console_as: SignIn
) -> None:
    client = console_as("coordinator")
    fields = paper(study, form_from_paper(client))
    answer = send(client, "/console/people/new/paper", **fields)
    assert answer.status_code == 303, answer.text
    [person] = study.participants()
    assert answer.location == f"/console/people/{person.code}/"
    assert str(person.zone) == "America/Lima"
    consent = study.records.row("SELECT witness, permissions FROM consent")
    assert consent == {"witness": "Nurse Adeyemi", "permissions": '{"record_speech": true}'}
    assert [event["actor"] for event in events(study, "enrolled")] == ["coordinator"]
    assert study.records.row("SELECT count(*) AS n FROM form") == {"n": 4}
    assert verify(study.records).mistakes == []


def test_the_same_paper_sent_twice_again_later_or_at_once_is_one_participant(study: Study, console_as: SignIn) -> None:
    client = console_as("coordinator")
    fields = paper(study, form_from_paper(client))
    windows = [console_as("coordinator") for _ in range(6)]
    with ThreadPoolExecutor(4) as pool:
        sent = pool.map(lambda window: send(window, "/console/people/new/paper", **fields).status_code, windows)
        assert set(sent) == {303}
    send(client, "/console/people/new/paper", **{**fields, "screening.age": "30"})  # as "back" may send it otherwise
    again = client.get(f"/console/people/new/paper?ticket={fields['ticket']}")
    assert again.location == f"/console/people/{study.people()[0].code}/"
    assert len(study.people()) == len(study.participants()) == 1
    assert study.records.row("SELECT value FROM answer WHERE item = 'age'") == {"value": 20}
    assert len(events(study, "enrolled")) == 1
    assert study.records.row("SELECT count(*) AS n FROM form") == {"n": 4}


def test_a_paper_with_something_missing_is_not_entered_and_keeps_what_was_typed(
    study: Study, console_as: SignIn
) -> None:
    client = console_as("coordinator")
    page = form_from_paper(client)
    for name, value in {
        "k10.3": "",
        "screening.age": "200",
        "screening.sex": "woman",
        "statement": ["0"],
        "witness": " ",
    }.items():
        answer = send(client, "/console/people/new/paper", **paper(study, page, **{name: value}))
        assert answer.status_code == 422, name
        assert 'value="Nurse Adeyemi"' in answer.text or name == "witness"
    answer = send(client, "/console/people/new/paper", **paper(study, page, timezone="Atlantis"))
    assert (answer.status_code, "no IANA time zone" in unescape(answer.text)) == (422, True)
    answer = send(client, "/console/people/new/paper", **paper(study, page, sha256="x"))
    assert (answer.status_code, "amended meanwhile" in answer.text) == (409, True)
    assert study.people() == []


def test_whom_the_rules_exclude_is_recorded_with_the_reason_once(study: Study, console_as: SignIn) -> None:
    client = console_as("coordinator")
    fields = paper(study, form_from_paper(client), **{"screening.age": "17"})
    for _ in range(2):
        answer = send(client, "/console/people/new/paper", **fields)
    assert "The study is for adults." in shown(client, answer.location or "")
    assert [person.state for person in study.people()] == ["ineligible"]
    assert study.participants() == []


def test_no_page_and_no_answer_tells_the_arm_before_the_enrolment(study: Study, console_as: SignIn) -> None:
    client = console_as("researcher")
    names = [arm.name for arm in study.protocol.arms if arm.name != "chat"]
    page = form_from_paper(client)
    assert not [name for name in names if f">{name}<" in page]
    person = come(study)
    assert not [name for name in names if f"<dd>{name}</dd>" in shown(client, f"/console/people/{person.code}/")]


def test_a_test_participant_is_made_in_an_arm_of_ones_choice_and_uses_up_no_place(
    study: Study, console_as: SignIn
) -> None:
    client = console_as("researcher")
    given = ticket(shown(client, "/console/people/new"), "/console/people/new/test")
    for _ in range(2):
        send(client, "/console/people/new/test", ticket=given, arm="robot")
    [tested] = study.participants()
    assert (tested.kind, tested.arm.name) == ("test", "robot")
    assert study.records.row("SELECT position FROM participant") == {"position": None}
    given = ticket(shown(client, "/console/people/new"), "/console/people/new/invite")
    assert send(client, "/console/people/new/test", ticket=given).status_code == 422


# The link


def test_a_link_is_shown_in_letters_as_a_code_and_to_be_printed_and_that_is_recorded(
    study: Study, console_as: SignIn
) -> None:
    person = trial.join(study)
    client = console_as("coordinator")
    page = shown(client, f"/console/people/{person.code}/link")
    assert f"http://localhost{study.participant_path(person.code)}" in page
    assert "<svg" in page
    assert "style=" not in page
    assert [event["actor"] for event in events(study, "link shown")] == ["coordinator"]
    printed = shown(client, f"/console/people/{person.code}/hand-out")
    assert study.participant_path(person.code) in printed
    assert "Samaritans" in printed
    assert person.arm.name not in printed
    link = study.key.token("participant", person.code)
    blinded = console_as("analyst")
    assert link not in shown(blinded, f"/console/people/{person.code}/")
    assert link not in shown(blinded, "/console/people/")


# Leaving and moving


def test_a_withdrawal_is_asked_twice_and_says_what_will_happen(study: Study, console_as: SignIn) -> None:
    person = trial.join(study)
    client = console_as("coordinator")
    path = f"/console/people/{person.code}/withdraw"
    assert send(client, path).status_code == 422
    asked = send(client, path, how="keep", reason="no time")
    assert "is analysed in the arm they were allocated to" in asked.text
    assert study.participant(person.code).status == "active"
    for _ in range(2):
        assert send(client, path, how="keep", reason="no time", sure="yes").status_code == 303
    assert study.participant(person.code).status == "withdrawn"
    assert study.records.row("SELECT reason, withdrawn_by, erased_at FROM withdrawal") == {
        "reason": "no time",
        "withdrawn_by": "coordinator",
        "erased_at": None,
    }
    assert len(events(study, "withdrawn")) == 1
    assert client.get(f"/console/people/{person.code}/link").status_code == 404


def test_an_erasure_needs_the_code_and_can_follow_a_withdrawal(study: Study, console_as: SignIn) -> None:
    person = trial.join(study)
    client = console_as("coordinator")
    path = f"/console/people/{person.code}/withdraw"
    send(client, path, how="keep", sure="yes")
    wrong = send(client, path, how="erase", sure="yes", code="ABCDEF")
    assert (wrong.status_code, f"type the code {person.code}" in wrong.text) == (422, True)
    assert study.records.row("SELECT count(*) AS n FROM form") == {"n": 4}
    for _ in range(2):
        assert send(client, path, how="erase", sure="yes", code=person.code.lower()).status_code == 303
    assert study.records.row("SELECT count(*) AS n FROM form") == {"n": 0}
    assert len(events(study, "erased")) == 1
    page = shown(client, f"/console/people/{person.code}/")
    assert "what they gave was erased" in page
    assert "Nothing is left to do." in shown(client, path)
    assert "erased with their data" in shown(console_as("researcher"), f"/console/people/{person.code}/log")


def test_a_move_needs_a_zone_that_there_is_and_a_reason(study: Study, console_as: SignIn) -> None:
    person = trial.join(study)
    client = console_as("coordinator")
    path = f"/console/people/{person.code}/move"
    for wrong in ({"timezone": "Atlantis", "why": "x"}, {"timezone": "America/Lima", "why": " "}):
        assert send(client, path, **wrong).status_code == 422
    for _ in range(2):
        assert send(client, path, timezone="America/Lima", why="holidays").status_code == 303
    assert str(study.participant(person.code).zone) == "America/Lima"
    assert len(events(study, "moved")) == 1


# Correcting


def test_a_value_is_corrected_with_a_reason_and_shown_as_corrected(study: Study, console_as: SignIn) -> None:
    person = trial.join(study)
    visit = visits.today(study, person)
    assert visit is not None
    visits.rate(study, visit, "before", 35)
    client = console_as("researcher")
    home = f"/console/people/{person.code}/values/"
    assert 'name="was" value="35"' in shown(client, home + "rating/1")
    assert send(client, home + "rating/1", new="153", was="35", why="slip").status_code == 422
    assert send(client, home + "rating/1", new="53", was="35", why="").status_code == 422
    for _ in range(2):
        assert send(client, home + "rating/1", new="53", was="35", why="slip").status_code == 303
    assert len(corrections(study, person.code)) == 1
    assert "corrected; given was 35" in shown(client, home)
    assert "1 correction of their values is on record" in shown(client, f"/console/people/{person.code}/")


def test_a_correction_of_a_value_that_changed_meanwhile_is_refused_with_the_value_of_now(
    study: Study, console_as: SignIn
) -> None:
    person = trial.join(study)
    item = next(one for one in values(study, person.code) if (one.measure, one.item) == ("k10", "1"))
    client = console_as("researcher")
    path = f"/console/people/{person.code}/values/{item.name}"
    assert send(client, path, new="4", was="1", why="misread").status_code == 303
    late = send(client, path, new="2", was="1", why="I had the old page")
    assert late.status_code == 409
    assert "changed since you looked" in late.text
    assert 'name="was" value="4"' in late.text
    assert len(corrections(study, person.code)) == 1


def test_answers_with_words_are_corrected_by_their_words_and_the_rules_are_told(
    study: Study, console_as: SignIn
) -> None:
    person = trial.join(study)
    found = {one.item: one for one in values(study, person.code) if one.measure == "screening"}
    client = console_as("researcher")
    home = f"/console/people/{person.code}/values/"
    page = shown(client, home + found["treatment"].name)
    assert '<option value="yes">yes</option>' in page
    send(client, home + found["treatment"].name, new="yes", was="no", why="they said so on the telephone")
    assert "The study is for people who are not in treatment." in shown(client, home)
    phq = next(one for one in values(study, person.code) if (one.measure, one.item) == ("phq9", "9"))
    send(client, home + phq.name, new="1", was="0", why="ticked otherwise on the paper")
    assert [event["source"] for event in safety.events(study, open_only=True)] == ["item"]


@pytest.mark.parametrize("path", ["rating/999", "answer/999", "turn/1", "visit/1"])
def test_a_value_of_somebody_else_or_of_another_kind_is_not_there(study: Study, console_as: SignIn, path: str) -> None:
    person = trial.join(study)
    assert console_as("researcher").get(f"/console/people/{person.code}/values/{path}").status_code == 404


# Identities


def test_an_identity_is_shown_with_a_reason_after_the_look_is_recorded(study: Study, console_as: SignIn) -> None:
    person = trial.join(study)
    identity.remember(study, person.code, by=person.code, name="Maya Lindqvist", email="maya@example.org")
    client = console_as("coordinator")
    path = f"/console/people/{person.code}/identity"
    assert "Maya" not in shown(client, path)
    assert send(client, path, why="  ").status_code == 422
    assert events(study, "identity seen") == []
    answer = send(client, path, why="missed three visits")
    assert "Maya Lindqvist" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert events(study, "identity seen") == [{"actor": "coordinator", "subject": person.code, "person": person.code}]
    looks = shown(console_as("administrator"), "/console/people/looks")
    assert "missed three visits" in looks
    assert "Maya" not in looks


def test_nothing_is_shown_when_the_look_cannot_be_recorded(
    study: Study, console_as: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = trial.join(study)
    identity.remember(study, person.code, by=person.code, name="Maya Lindqvist")
    client = console_as("coordinator")

    def full(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("study.records.Write.log", full)
    answer = send(client, f"/console/people/{person.code}/identity", why="x")
    assert (answer.status_code, "Maya" in answer.text) == (500, False)


def test_an_identity_is_changed_field_by_field_and_the_log_has_no_word_of_it(study: Study, console_as: SignIn) -> None:
    person = trial.join(study)
    identity.remember(study, person.code, by=person.code, name="Maya Lindqvist", email="maya@example.org")
    client = console_as("coordinator")
    path = f"/console/people/{person.code}/identity/edit"
    assert send(client, path, email="no address").status_code == 422
    send(client, path, email="m@example.org", phone="0123")
    assert identity.contact(study, person.code) == {"name": "Maya Lindqvist", "email": "m@example.org", "phone": "0123"}
    assert b"m@example.org" not in study.records.path.read_bytes()


# Who may

WHO_MAY: dict[str, set[Role]] = {
    "": {"researcher", "coordinator", "safety officer", "analyst"},
    "new": {"researcher", "coordinator"},
    "looks": {"researcher", "administrator"},
    "CODE/": {"researcher", "coordinator", "safety officer", "analyst"},
    "CODE/log": {"researcher", "coordinator", "safety officer"},
    "CODE/link": {"researcher", "coordinator"},
    "CODE/hand-out": {"researcher", "coordinator"},
    "CODE/withdraw": {"researcher", "coordinator"},
    "CODE/move": {"researcher", "coordinator"},
    "CODE/values/": {"researcher"},
    "CODE/identity": {"researcher", "coordinator", "safety officer"},
}


@pytest.mark.parametrize("role", ["researcher", "coordinator", "safety officer", "analyst", "administrator"])
def test_each_page_is_for_those_who_may(study: Study, console_as: SignIn, role: Role) -> None:
    person = trial.join(study)
    client = console_as(role)
    opened = {
        path
        for path in WHO_MAY
        if client.get(f"/console/people/{path.replace('CODE', person.code)}").status_code == 200
    }
    assert client.get("/console/people/new/paper").status_code == (303 if role in WHO_MAY["new"] else 403)
    assert opened == {path for path, roles in WHO_MAY.items() if role in roles}

"""Robots and engines in the console: who is connected, and tokens, each shown once."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from study import visits
from study.access import devices
from study.errors import WrongToken
from study.study import Study
from tests.conftest import HandClock
from tests.portal.conftest import Browser

SignIn = Callable[..., FlaskClient]

HOME = "/console/devices/"


def send(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    return client.post(HOME + path, data={"csrf": client.csrf, **fields})  # type: ignore[attr-defined]


def token_in(answer: TestResponse) -> str:
    found = re.search(r'class="secret">([^<]+)<', answer.text)
    assert found, answer.text
    return found[1]


def test_a_token_is_shown_once_and_opens_the_api(study: Study, console_as: SignIn) -> None:
    administrator = console_as("administrator")
    answer = send(administrator, "tokens", name="robot-1", **{"scope-visits": "yes", "scope-read": "yes"})
    token = token_in(answer)
    caller = devices.by_token(study, token)
    assert (caller.device, caller.scopes) == ("robot-1", {"visits", "read"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert token not in administrator.get(HOME).text
    logged = study.records.row("SELECT actor, detail FROM event WHERE what = 'device token issued'")
    assert logged
    assert logged["actor"] == "administrator"
    assert token.partition(".")[2] not in logged["detail"]


def test_a_token_is_rotated_and_revoked(study: Study, console_as: SignIn, clock: HandClock) -> None:
    client = console_as("researcher")
    old = devices.issue(study, "robot-1", by="test")
    new = token_in(send(client, "robot-1/rotation", scopes="visits read telemetry"))
    assert devices.by_token(study, old).device == devices.by_token(study, new).device
    assert "replaced: good for 10 min more" in client.get(HOME).text
    clock.forward(minutes=10)
    with pytest.raises(WrongToken):
        devices.by_token(study, old)
    assert send(client, "robot-1/revocation").status_code == 303
    with pytest.raises(WrongToken):
        devices.by_token(study, new)
    assert "no token</span>" in client.get(HOME).text


def test_a_mistake_is_said_and_what_was_filled_in_stays(study: Study, console_as: SignIn) -> None:
    answer = send(console_as("researcher"), "tokens", name="robot one")
    assert answer.status_code == 422
    assert "letters, digits and - only" in answer.text
    assert 'value="robot one"' in answer.text
    assert send(console_as("administrator"), "robot-9/rotation", scopes="visits").status_code == 404
    assert devices.all(study) == []


def test_it_says_how_each_robot_is_and_whose_visit_it_holds(
    browser_in: Callable[[str], Browser], study: Study, console_as: SignIn, clock: HandClock
) -> None:
    client = console_as("researcher")
    devices.by_token(study, devices.issue(study, "robot-1", by="test"))
    devices.issue(study, "robot-2", by="test")
    devices.report(study, "robot-1", battery=0.42, latency_ms=38.4)
    person = browser_in("robot").participant
    visit = visits.today(study, person)
    assert visit is not None
    visits.claim(study, visit.code, "robot-1")
    for path in (HOME, "/console/"):
        page = client.get(path).text
        row = re.search(r'<tr><th scope="row">robot-1</th>.*?</tr>', page, re.S)
        assert row
        assert all(said in row[0] for said in ("online", "a moment ago", "42 %", "38 ms", person.code))
        assert "never" in page
    assert person.code not in console_as("administrator").get(HOME).text  # who sees no participant
    clock.forward(seconds=31)
    assert "not connected" in client.get(HOME).text


def test_only_those_who_manage_devices_get_the_forms(study: Study, console_as: SignIn) -> None:
    devices.issue(study, "robot-1", by="test")
    officer = console_as("safety officer")
    page = officer.get(HOME).text
    assert "robot-1" in page
    assert HOME + "tokens" not in page
    for path in ("tokens", "robot-1/rotation", "robot-1/revocation"):
        assert send(officer, path, name="robot-2", scopes="visits").status_code == 403
    assert console_as("analyst").get(HOME).status_code == 403

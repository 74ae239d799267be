"""A portal in this process, answered by the 1966 rules, and participants who hold a link."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.app import create_app
from portal.console.guard import COOKIE
from study.access import accounts, devices, signing
from study.access.roles import Role
from study.enrolment import take_in
from study.study import Participant, Study
from tests.in_memory import tmp_path
from therapist.engines import open_engine

__all__ = ["tmp_path"]


@pytest.fixture
def app(study: Study) -> Iterator[Flask]:
    app = create_app(study, {study.protocol.engine: open_engine("eliza")})
    yield app
    app.extensions["bedside"].close()


@dataclass
class Browser:
    """One participant's browser, at one link."""

    client: FlaskClient
    participant: Participant
    path: str

    def page(self) -> str:
        """The step of the visit that is due, or the page of today when none is."""
        answer = self.client.get(self.path + "now", follow_redirects=True)
        assert answer.status_code == 200
        return answer.text

    def hidden(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page())
        assert found
        return found[1]

    def rate(self, occasion: str, value: object) -> TestResponse:
        fields = {"visit": self.hidden("visit"), "occasion": occasion, "value": value}
        return self.client.post(self.path + "rating", data=fields)

    def send(self, words: str, token: str, **more: str) -> TestResponse:
        state = self.state()
        return self.client.post(
            self.path + "turns", json={"visit": str(state["visit"]), "token": token, "words": words, **more}
        )

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(self.path + "visit").get_json()
        return found

    def reply(self, after: int) -> list[tuple[str, dict[str, Any]]]:
        """The events of the reply stream, to its end."""
        answer = self.client.get(f"{self.path}reply?visit={self.state()['visit']}&after={after}")
        assert answer.mimetype == "text/event-stream"
        return [(name, json.loads(data)) for name, data in re.findall(r"event: (\w+)\ndata: (.*)\n\n", answer.text)]


@pytest.fixture
def browser_in(study: Study, app: Flask) -> Callable[[str], Browser]:
    """Enrols until somebody is in the arm, and opens their link."""

    def open_link(arm: str) -> Browser:
        while True:
            participant = take_in(study)
            if participant.arm.name == arm:
                return Browser(app.test_client(), participant, study.participant_path(participant.code))

    return open_link


@dataclass
class Robot:
    """A device with a token."""

    client: FlaskClient
    token: str

    def call(self, method: str, path: str, body: object = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.open("/api/v1" + path, method=method, json=body, headers=headers)


@pytest.fixture
def robot(study: Study, app: Flask) -> Robot:
    return Robot(app.test_client(), devices.issue(study, "robot-1", by="test"))


@pytest.fixture
def console_as(study: Study, app: Flask) -> Callable[..., FlaskClient]:
    """Signs somebody in who has these roles. `client.csrf` is what every form of theirs has to send."""

    def sign_in(*roles: Role) -> FlaskClient:
        name = "-".join(roles).replace(" ", "-")
        if name not in {account.name for account in accounts.everybody(study)}:
            accounts.add(study, name, roles, by="test")
        client = app.test_client()
        token = signing.begin(study, name)
        client.set_cookie(COOKIE, token)
        client.csrf = study.key.token("csrf", token)  # type: ignore[attr-defined]
        return client

    return sign_in

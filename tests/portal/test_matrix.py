"""Every route, and whom it lets in: nobody, each role, participants with their own and another's link, and devices.

What is expected follows from `study.access.roles` and from the tables below. A route that stands in none of them fails.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from portal.app import create_app
from portal.console.guard import COOKIE, FOR_EVERYBODY
from portal.limiting import Bucket
from study import visits
from study.access import accounts, devices, signing
from study.access.roles import PERMISSIONS, ROLES, Role
from study.enrolment import take_in
from study.study import Study, create
from tests.conftest import HandClock
from therapist.engines import open_engine

LINK, DOOR, OPEN, DEVICE, VISIT, CONSOLE = "link", "door", "open", "device", "visit", "console"

TABLE = {
    "/p/<code>/<token>/": LINK,
    "/join/<token>/": DOOR,
    "/static/": OPEN,
    "/chat_web/static/": OPEN,
    "/worksheet/static/": OPEN,
    "/api/v1/openapi.json": OPEN,
    "/api/v1/claims": DEVICE,
    "/api/v1/telemetry": DEVICE,
    "/api/v1/visits/": VISIT,
    "/console/sign-in": OPEN,
    "/console/sign-out": OPEN,
    "/console/welcome/": OPEN,
    "/console/": CONSOLE,
}
"""Whose a route is, by the beginning of its path: the longest counts."""

PERMITTED = {
    "/console/": {"follow", FOR_EVERYBODY},
    "/console/people/": {"follow", "enrol", "correct", "identity", "audit", "see arms"},
    "/console/transcripts/": {"read", "take over"},
    "/console/safety/": {"report harm", "safety"},
    "/console/devices/": {"engine", "devices"},
    "/console/data/": {"export"},
    "/console/protocol/": {"protocol"},
    "/console/paper/": {"enrol"},
    "/console/accounts/": {"accounts"},
    "/console/own/": {FOR_EVERYBODY},
}
"""The permissions of which one has to stand at every view of a part of the console."""

HARMLESS = {"follow", "protocol", "engine", "see arms"}
"""Permissions that only let somebody look: nothing is changed by them."""

ACTORS = ["nobody", *ROLES, "own link", "another's link", "own device", "another's device"]


@dataclass
class World:
    """A study with two participants, two devices and somebody in each role; a new client for each request."""

    app: Flask
    study: Study
    code: str
    link: str
    other_link: str
    visit: int
    tokens: dict[str, str]

    def url(self, rule: Rule, actor: str) -> str:
        link = {"own link": self.link, "another's link": self.other_link}.get(actor, "wrong")
        if rule.rule.startswith("/join/"):
            link = self.study.join_path().split("/")[2] if actor == "own link" else "wrong"
        values: dict[str, Any] = {"code": self.code, "token": link, "visit_id": self.visit, "filename": "bedside.css"}
        values |= {name: 1 if "int" in str(rule._converters[name]).lower() else "1" for name in rule.arguments}  # type: ignore[attr-defined]
        values |= {"code": self.code, "token": link, "name": "robot-1", "step": "thought"}
        for name in ("visit_id", "visit"):
            values[name] = self.visit
        values["filename"] = {"chat_web.static": "chat.js", "worksheet.static": "worksheet.js"}.get(
            rule.endpoint, "bedside.css"
        )
        return rule.build({name: values[name] for name in rule.arguments}, append_unknown=False)[1]  # type: ignore[index]

    def ask(self, rule: Rule, method: str, actor: str, *, csrf: bool = True) -> TestResponse:
        client = self.app.test_client()
        headers = {}
        token = self.tokens.get(actor, "")
        if actor in ROLES:
            client.set_cookie(COOKIE, token)
            headers = {"X-CSRF-Token": self.study.key.token("csrf", token)} if csrf else {}
        elif token:
            headers = {"Authorization": f"Bearer {token}"}
        body = {"json": {}} if rule.rule.startswith("/api/") and method != "GET" else {}
        answer = client.open(self.url(rule, actor), method=method, headers=headers, buffered=False, **body)  # type: ignore[arg-type]
        if answer.mimetype != "text/event-stream":
            answer.get_data()
        answer.close()
        return answer


@contextmanager
def world_in(folder: Path, clock: HandClock) -> Iterator[World]:
    folder.mkdir()
    path = create(folder)
    text = path.read_text().replace('kind = "transformers"\nmodel = "smollm2"', 'kind = "eliza"')
    for old, new in (("robot", "alder"), ("chat", "birch"), ("worksheet", "cedar")):
        text = text.replace(f'name = "{old}"', f'name = "{new}"')
    path.write_text(text.replace("block_sizes = [3, 6] ", "block_sizes = [3] ") + '\n[blinding]\nroles = ["analyst"]\n')
    study = Study.open(folder, clock=clock)
    app = create_app(study, {study.protocol.engine: open_engine("eliza")})
    for name in ("link", "wrong", "account", "device", "sign_in"):
        setattr(app.extensions["bedside limits"], name, Bucket(10**9, 1))
    people = {one.arm.name: one for one in (take_in(study) for _ in range(6))}
    assert set(people) == {"alder", "birch", "cedar"}
    tokens = {
        "own device": devices.issue(study, "robot-1", by="test"),
        "another's device": devices.issue(study, "robot-2", by="test"),
    }
    for role in ROLES:
        accounts.add(study, f"the {role}", [role], by="test")
        tokens[role] = signing.begin(study, f"the {role}")
    for one in people.values():
        visit = visits.today(study, one)
        assert visit is not None
        if one.arm.name == "alder":
            mine, held = one, visits.claim(study, visit.code, "robot-1")
        visits.rate(study, visit, "before", 60)
    link, other = (study.participant_path(one.code).split("/")[3] for one in (mine, people["birch"]))
    yield World(app, study, mine.code, link, other, held.id, tokens)
    app.extensions["bedside"].close()
    study.close()


def kind_of(rule: Rule) -> str:
    """Whose a route is. Fails for one that is in no table."""
    found = [begin for begin in TABLE if rule.rule.startswith(begin)]
    assert found, f"{rule.rule} is in no table of this test"
    return TABLE[max(found, key=len)]


def methods_of(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def mistake(world: World, rule: Rule, method: str, actor: str) -> str | None:
    """What a route does for somebody otherwise than the tables say."""
    kind = kind_of(rule)
    answer = world.ask(rule, method, actor)
    status = answer.status_code
    if kind == OPEN:
        # Signing out needs the token of the page, which each of the roles sends here and nobody else has.
        right = status not in (401, 403) or (rule.endpoint == "signing.sign_out" and actor not in ROLES)
    elif kind in (LINK, DOOR):
        # What is not due, or not part of this protocol, looks like a wrong link; the page itself is always there.
        own = status == 200 if rule.rule in TABLE and method == "GET" else status not in (401, 403)
        right = own if actor == "own link" else status == 404
    elif kind == DEVICE:
        right = status not in (401, 403) if "device" in actor else status == 401
    elif kind == VISIT:
        right = {"own device": status not in (401, 403, 404), "another's device": status == 404}.get(
            actor, status == 401
        )
    else:
        permission = world.app.view_functions[rule.endpoint].permission  # type: ignore[attr-defined]
        if actor not in ROLES:
            right = status == 401 or (
                method == "GET" and status == 303 and "/console/sign-in" in (answer.location or "")
            )
        elif permission == FOR_EVERYBODY or permission in PERMISSIONS[actor]:  # type: ignore[index]
            right = status not in (401, 403) and "sign-in" not in (answer.location or "")
        else:
            right = status == 403
    return None if right and status < 500 else f"{method} {rule.rule} answers {status} to {actor}"


def test_every_view_of_the_console_asks_for_a_permission_that_befits_its_part(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if kind_of(rule) != CONSOLE:
            continue
        permission = getattr(app.view_functions[rule.endpoint], "permission", None)
        part = max((begin for begin in PERMITTED if rule.rule.startswith(begin)), key=len)
        assert permission in PERMITTED[part], f"{rule.rule} asks for {permission}"
        if methods_of(rule) != ["GET"]:
            assert permission not in HARMLESS, f"{rule.rule} changes something and asks for {permission}"


def test_every_route_lets_in_whom_the_tables_say_and_nobody_else(app: Flask, tmp_path: Path, clock: HandClock) -> None:
    wrong: list[str | None] = []
    with world_in(tmp_path / "looking", clock) as world:
        rules = list(world.app.url_map.iter_rules())
        for rule in rules:
            if "GET" in methods_of(rule):
                wrong += [mistake(world, rule, "GET", actor) for actor in ACTORS]
    changing = [(rule, method) for rule in rules for method in methods_of(rule) if method != "GET"]
    for number, (rule, method) in enumerate(changing):
        with world_in(tmp_path / str(number), clock) as world:  # what is changed may end what the next one needs
            # Whoever is refused comes first: what they try must not have happened, either.
            refused = [actor for actor in ACTORS if actor not in ("own link", "own device")]
            before = world.study.records.row("SELECT max(id) AS id FROM event")
            for actor in refused:
                if actor not in ROLES:
                    wrong.append(mistake(world, rule, method, actor))
            if kind_of(rule) == LINK:
                assert world.study.records.row("SELECT max(id) AS id FROM event") == before, rule.rule
            wrong += [mistake(world, rule, method, actor) for actor in ACTORS if actor not in refused or actor in ROLES]
    assert [one for one in wrong if one] == []
    assert len(changing) > 20


def test_no_change_in_the_console_is_taken_without_the_token_of_the_page(tmp_path: Path, clock: HandClock) -> None:
    with world_in(tmp_path / "one", clock) as world:
        for rule in world.app.url_map.iter_rules():
            if kind_of(rule) == CONSOLE or rule.endpoint == "signing.sign_out":
                for method in methods_of(rule):
                    if method != "GET":
                        for role in ROLES:
                            assert world.ask(rule, method, role, csrf=False).status_code == 403, rule.rule


BLIND: Role = "analyst"

SAYS_ARMS = re.compile(
    r"alder|birch|cedar|\b(robot|chat|worksheet)s?\b|neutral|warm_trait|warm_behaviour|secure_attachment|eliza",
    re.IGNORECASE,
)
"""What tells an arm: its name, its medium, its persona, its engine."""

NAMES_ARMS = {"protocol.page"}
"""The protocol may be read by anybody, and says which arms there are; it says of nobody in which they are."""


def test_whoever_is_blinded_sees_nothing_from_which_an_arm_follows(tmp_path: Path, clock: HandClock) -> None:
    looked = []
    with world_in(tmp_path / "one", clock) as world:
        codes = [one.code for one in world.study.participants()]
        for rule in world.app.url_map.iter_rules():
            if kind_of(rule) != CONSOLE or "GET" not in methods_of(rule):
                continue
            answer = world.ask(rule, "GET", BLIND)
            if answer.status_code != 200:
                continue
            looked.append(rule.endpoint)
            if rule.endpoint in NAMES_ARMS:
                assert not any(code in answer.text for code in codes)
            else:
                found = SAYS_ARMS.search(answer.text)
                assert not found, f"{rule.rule}: {answer.text[max(0, found.start() - 80) : found.end() + 40]}"
    assert "home.page" in looked


def test_no_page_of_which_each_look_is_recorded_reads_itself_again(tmp_path: Path, clock: HandClock) -> None:
    recorded = []
    with world_in(tmp_path / "one", clock) as world:
        for rule in world.app.url_map.iter_rules():
            if kind_of(rule) != CONSOLE or "GET" not in methods_of(rule):
                continue
            for role in ROLES:
                before = world.study.records.rows("SELECT max(id) AS last FROM event")
                answer = world.ask(rule, "GET", role)
                if world.study.records.rows("SELECT max(id) AS last FROM event") != before:
                    recorded.append(rule.endpoint)
                    assert answer.mimetype != "text/html" or 'data-page=""' in answer.text, rule.rule
    assert {"enrolling.link", "enrolling.hand_out"} <= set(recorded)

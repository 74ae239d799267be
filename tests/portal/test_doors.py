"""What every request has to pass and every answer carries: other sites, floods, headers, proxies."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient

from bedside import logs
from portal.app import create_app
from portal.doors import HEADERS
from portal.limiting import Bucket, Limits
from study.access import accounts, signing
from study.enrolment import take_in
from study.study import Study
from tests.conftest import HandClock
from tests.portal.conftest import Browser, Robot

Open = Callable[[str], Browser]

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(
    path for room in ("portal", "chat_web", "worksheet") for path in (ROOT / room).glob("templates/**/*.html")
)


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "https://localhost"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://localhost.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, True),
    ],
    ids=str,
)
def test_no_other_site_can_send_anything_for_anybody(
    browser_in: Open, console_as: Callable[..., FlaskClient], headers: dict[str, str], taken: bool
) -> None:
    browser = browser_in("chat")
    fields = {"visit": browser.hidden("visit"), "occasion": "before", "value": "5"}
    answer = browser.client.post(browser.path + "rating", data=fields, headers=headers)
    assert answer.status_code == (303 if taken else 403)
    client = console_as("administrator")
    fields = {"csrf": client.csrf, "do": "add", "name": "Nurse Joy", "roles": "coordinator"}  # type: ignore[attr-defined]
    assert client.post("/console/accounts/", data=fields, headers=headers).status_code == (200 if taken else 403)


@pytest.mark.parametrize("csrf", [None, "", "x", "ü"])
def test_no_form_of_the_console_is_taken_without_its_token(
    console_as: Callable[..., FlaskClient], study: Study, csrf: str | None
) -> None:
    client = console_as("administrator")
    fields = {"do": "add", "name": "Nurse Joy", "roles": "coordinator"} | ({} if csrf is None else {"csrf": csrf})
    assert client.post("/console/accounts/", data=fields).status_code == 403
    headers = {} if csrf is None else {"X-CSRF-Token": csrf}
    assert client.post("/console/accounts/", data=fields, headers=headers).status_code == 403
    assert "Nurse Joy" not in {one.name for one in accounts.everybody(study)}


def test_the_token_of_one_sign_in_is_not_taken_for_another(console_as: Callable[..., FlaskClient]) -> None:
    first, second = console_as("administrator"), console_as("administrator")
    fields = {"csrf": first.csrf, "do": "add", "name": "x", "roles": "coordinator"}  # type: ignore[attr-defined]
    assert second.post("/console/accounts/", data=fields).status_code == 403


def test_every_answer_carries_the_headers(
    app: Flask, browser_in: Open, robot: Robot, console_as: Callable[..., FlaskClient]
) -> None:
    browser, client = browser_in("chat"), console_as("researcher")
    answers = [
        browser.client.get(browser.path),
        browser.client.get("/nothing"),
        client.get("/console/"),
        client.get("/console/accounts/"),
        robot.call("GET", "/visits/1"),
        client.get("/static/bedside.css"),
    ]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert "Strict-Transport-Security" not in answer.headers
        assert "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "charset=utf-8" in answer.content_type or "json" in answer.content_type
    assert [answer.headers.get("Cache-Control") == "no-store" for answer in answers] == [True] * 5 + [False]
    secure = client.get("/nothing", base_url="https://study.example.org")
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_the_policy_allows_no_inline_script_no_style_and_no_other_host() -> None:
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in str(policy)
    assert "http" not in str(policy)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_inline_script_or_style(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(
        r"<style|\bstyle\s*=|<script(?![^>]*\bsrc=)|\bon\w+\s*=\s*[\"']|[\"']javascript:", text, re.IGNORECASE
    )
    assert not re.search(r"(src|href)\s*=\s*[\"'](https?:)?//", text)
    assert "| safe" not in text
    assert "|safe" not in text


def test_a_bucket_holds_a_burst_and_fills_at_its_pace() -> None:
    now = 0.0
    bucket = Bucket(3, 0.5, now=lambda: now)
    assert [bucket.take("a") for _ in range(4)] == [True, True, True, False]
    assert bucket.take("b")
    now = 2.0
    assert [bucket.take("a") for _ in range(2)] == [True, False]
    now = 1000.0
    assert [bucket.take("a") for _ in range(4)] == [True, True, True, False]


@pytest.fixture
def still(app: Flask) -> Limits:
    """The portal's limits, with buckets that are small and never fill."""
    limits: Limits = app.extensions["bedside limits"]
    for name in ("link", "wrong", "account", "device", "sign_in"):
        setattr(limits, name, Bucket(5, 1, now=lambda: 0.0))
    return limits


def test_a_class_behind_one_address_is_let_in_and_a_flood_by_one_link_is_not(
    app: Flask, study: Study, still: Limits
) -> None:
    client = app.test_client()
    paths = [study.participant_path(take_in(study, kind="test", skip=True).code) for _ in range(20)]
    for _ in range(5):
        assert {client.get(path).status_code for path in paths} == {200}
    answer = client.get(paths[0])
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"
    assert "wait a minute" in answer.text


def test_wrong_links_from_one_address_are_refused_and_right_ones_are_not(
    app: Flask, study: Study, still: Limits, robot: Robot
) -> None:
    client = app.test_client()
    path = study.participant_path(take_in(study).code)
    assert [client.get(path[:-3] + f"{number}/").status_code for number in range(7)] == [404] * 5 + [429] * 2
    assert client.get(path).status_code == 200
    wrong = Robot(app.test_client(), "robot-1.nothing")
    assert wrong.call("GET", "/visits/1").status_code == 429
    assert robot.call("GET", "/visits/1").status_code == 404


def test_one_account_and_one_device_cannot_flood(
    still: Limits, console_as: Callable[..., FlaskClient], robot: Robot
) -> None:
    client = console_as("researcher")
    assert [client.get("/console/own/").status_code for _ in range(7)] == [200] * 5 + [429] * 2
    assert [robot.call("GET", "/visits/1").status_code for _ in range(7)] == [404] * 5 + [429] * 2


def test_a_proxy_is_believed_only_where_the_server_was_told_of_it(study: Study) -> None:
    said = {
        "X-Forwarded-For": "198.51.100.9, 192.0.2.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "study.example.org",
    }
    for behind, status in ((False, 403), (True, 200)):
        app = create_app(study, {}, behind_proxy=behind)
        client = app.test_client()
        answer = client.get("/console/sign-in", headers=said, environ_base={"REMOTE_ADDR": "10.0.0.2"})
        assert answer.status_code == status
        assert ("Strict-Transport-Security" in answer.headers) is behind
        origin = {"Origin": "https://study.example.org"}
        sent = client.post("/console/sign-in", data={"name": "x"}, headers=said | origin)
        assert sent.status_code == (422 if behind else 403)
        app.extensions["bedside"].close()
    [event] = study.records.rows("SELECT detail FROM event WHERE what = 'sign-in failed'")
    assert "192.0.2.7" in event["detail"]  # the last one, which our own proxy saw; the others anybody can claim


def test_no_secret_stands_in_a_log(
    study: Study,
    app: Flask,
    clock: HandClock,
    browser_in: Open,
    robot: Robot,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Signing in, a second factor, a recovery code, a one-time link, a device and a link, right and wrong, and a crash."""
    logs.set_up()
    caplog.set_level(logging.DEBUG)
    secrets: list[str] = []
    client = app.test_client()
    link = accounts.add(study, "Dr Okafor", ["researcher"], by="test")
    totp = pyotp.TOTP(accounts.invitation(study, link).secret)
    password, code = "four quiet lamps beside a harbour", totp.at(clock.now())
    client.get(f"/console/welcome/{link}")
    page = client.post(f"/console/welcome/{link}", data={"password": password, "code": code}).text
    recovery = re.findall(r"<code>([\w-]+)</code>", page)
    assert len(recovery) == 10
    client.get(f"/console/welcome/{link}")
    clock.forward(minutes=1)
    for given in (totp.at(clock.now()), recovery[0], "424242"):
        for typed in (password, "the wrong harbour"):
            client.post("/console/sign-in", data={"name": "Dr Okafor", "password": typed, "code": given})
        cookie = client.get_cookie("bedside")
        assert cookie
        secrets += [cookie.value, study.key.token("csrf", cookie.value), given]
    client.post("/console/sign-in", data={"name": "typed-in-the-wrong-box", "password": ""})
    browser = browser_in("chat")
    browser.page()
    browser.rate("before", "40")
    browser.send("what I say is nobody's business", "token-of-a-turn")
    browser.reply(0)
    client.get(browser.path[:-2] + "/")
    robot.call("POST", "/claims", {"code": "000000"})
    Robot(client, robot.token[:-1] + "!").call("POST", "/claims", {"code": "000000"})

    def crash() -> None:
        raise RuntimeError("something unforeseen")

    app.before_request_funcs[None].append(crash)
    for path in (browser.path, f"/console/welcome/{link}", "/console/"):
        assert client.get(path).status_code == 500
    robot.call("GET", "/visits/1")
    written = capfd.readouterr()
    logged = written.err + written.out + caplog.text
    assert logged.count("unexpected error") == 4
    record = str(study.records.rows("SELECT * FROM event"))
    assert record.count("sign-in failed") == 5
    token = browser.path.split("/")[3]
    key = (study.folder / "study.key").read_text().strip()
    secrets += [link, totp.secret, password, "the wrong harbour", *recovery, "typed-in-the-wrong-box"]
    secrets += [token, robot.token, robot.token.partition(".")[2], key, "nobody's business"]
    said = logged + record
    # Six digits may stand in a hash by chance, so they are looked for as a number.
    assert [one for one in secrets if re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", said)] == []
    assert [one for one in secrets if len(one) > 6 and one in said] == []


def test_what_is_refused_is_logged(
    app: Flask, study: Study, console_as: Callable[..., FlaskClient], capfd: pytest.CaptureFixture[str]
) -> None:
    accounts.add(study, 'eve" level=info event="all is well', ["administrator"], by="test")
    client = app.test_client()
    client.set_cookie("bedside", signing.begin(study, 'eve" level=info event="all is well'))
    logs.set_up()
    assert client.get("/console/").status_code == 403
    console_as("researcher").post("/console/own/", data={"csrf": "x"})
    client.post("/console/sign-in", headers={"Origin": "https://evil.example"})
    lines = capfd.readouterr().err.splitlines()
    assert [re.sub(r"^timestamp=\S+ ", "", line) for line in lines] == [
        r'level=warning event=refused account="eve\" level=info event=\"all is well" needs=follow endpoint=home.page',
        'level=warning event=refused reason="not from a page of this sign-in" endpoint=own.change_own',
        'level=warning event=refused reason="from another site" endpoint=signing.sign_in',
    ]

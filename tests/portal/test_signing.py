"""Signing in to the console: who gets in, how long, and what is said to who does not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.app import create_app
from portal.limiting import Bucket
from study.access import accounts, signing
from study.access.store import reading
from study.errors import RecordError
from study.study import Study
from study.verify import verify
from tests.conftest import HandClock

PASSWORD = "four quiet lamps beside a harbour"
NAME = "Dr Imani Okafor"


@dataclass
class Person:
    """Somebody with an account, and their browser."""

    client: FlaskClient
    clock: HandClock
    app: pyotp.TOTP
    codes: list[str]

    def code(self, steps: int = 0) -> str:
        return self.app.at(self.clock.now(), counter_offset=steps)

    def sign_in(self, code: str | None = None, password: str = PASSWORD, name: str = NAME, **more: str) -> TestResponse:
        fields = {"name": name, "password": password, "code": self.code() if code is None else code, **more}
        return self.client.post("/console/sign-in", data=fields)


@pytest.fixture
def person(study: Study, app: Flask, clock: HandClock) -> Person:
    """A researcher who has set up their account, a minute ago."""
    token = accounts.add(study, NAME, ["researcher"], by="test")
    totp = pyotp.TOTP(accounts.invitation(study, token).secret)
    _, codes = accounts.accept(study, token, PASSWORD, totp.at(clock.now()))
    clock.forward(minutes=1)
    return Person(app.test_client(), clock, totp, codes)


def what(study: Study) -> list[str]:
    return [row["what"] for row in study.records.rows("SELECT what FROM event ORDER BY id")]


def test_name_password_and_code_let_in(person: Person, study: Study) -> None:
    answer = person.sign_in()
    assert (answer.status_code, answer.location) == (303, "/console/")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("bedside=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Domain" not in cookie
    assert NAME in person.client.get("/console/").text
    assert what(study)[-1] == "signed in"


def test_over_https_the_cookie_is_bound_to_the_host(person: Person) -> None:
    fields = {"name": NAME, "password": PASSWORD, "code": person.code()}
    answer = person.client.post("/console/sign-in", data=fields, base_url="https://study.example.org")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-bedside=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert person.client.get("/console/", base_url="https://study.example.org").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [{"password": "another harbour"}, {"code": "000000"}, {"code": ""}, {"name": "Dr Nobody"}, {"name": ""}],
    ids=str,
)
def test_whatever_is_wrong_the_sentence_is_the_same(person: Person, study: Study, wrong: dict[str, str]) -> None:
    answer = person.sign_in(**wrong)
    assert answer.status_code == 422
    assert "The name, the password or the code is not right." in answer.text
    assert "Set-Cookie" not in answer.headers
    assert person.client.get("/console/").status_code == 303
    assert what(study)[-1] == "sign-in failed"


def test_the_work_is_the_same_whether_there_is_an_account_or_not(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from study.access import passwords

    verified: list[str] = []
    verify = passwords._hasher.verify
    monkeypatch.setattr(
        type(passwords._hasher), "verify", lambda self, kept, given: (verified.append(kept), verify(kept, given))[1]
    )
    person.sign_in(password="another harbour")
    person.sign_in(name="Dr Nobody")
    assert len(verified) == 2
    assert {kept.split("$")[3] for kept in verified} == {"m=65536,t=3,p=4"}


def test_no_code_is_taken_twice(person: Person) -> None:
    code = person.code()
    assert person.sign_in(code).status_code == 303
    assert person.sign_in(code).status_code == 422
    assert person.sign_in(person.code(-1)).status_code == 422
    person.clock.forward(seconds=30)
    assert person.sign_in().status_code == 303


def test_a_recovery_code_is_good_once(person: Person, study: Study) -> None:
    assert len(set(person.codes)) == 10
    assert person.sign_in(person.codes[3].upper().replace("-", " ")).status_code == 303
    assert person.sign_in(person.codes[3]).status_code == 422
    assert person.sign_in(person.codes[4]).status_code == 303
    assert signing.recovery_codes_left(study, NAME) == 8


def test_failures_make_wait_longer_and_longer_even_with_the_right_password(person: Person, study: Study) -> None:
    for _ in range(5):
        assert person.sign_in(code="000000").status_code == 422
    waits = []
    for _ in range(9):
        answer = person.sign_in()
        assert answer.status_code == 429
        waits.append(int(answer.headers["Retry-After"]) - 1)
        person.clock.forward(seconds=waits[-1] + 1)
        assert person.sign_in(code="000000").status_code == 422
    assert waits == [10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert what(study).count("sign-in locked") == 10
    person.clock.forward(minutes=15, seconds=1)
    assert person.sign_in().status_code == 303


def test_a_name_that_nobody_has_has_to_wait_as_well(person: Person, study: Study) -> None:
    for _ in range(5):
        person.sign_in(name="my password by mistake")
    answer = person.sign_in(name="my password by mistake")
    assert answer.status_code == 429
    assert person.sign_in().status_code == 303
    log = str(study.records.rows("SELECT * FROM event"))
    assert "my password by mistake" not in log


def test_one_address_cannot_try_many_names(person: Person, app: Flask) -> None:
    app.extensions["bedside limits"].sign_in = Bucket(5, 0.5, now=lambda: 0.0)
    for number in range(5):
        person.client.post("/console/sign-in", data={"name": f"name {number}", "password": ""})
    assert person.sign_in().status_code == 429


def test_nobody_stays_signed_in_without_doing_anything(person: Person) -> None:
    person.sign_in()
    for _ in range(4):
        person.clock.forward(minutes=29)
        assert person.client.get("/console/").status_code == 200
    person.clock.forward(minutes=31)
    assert person.client.get("/console/").status_code == 303


def test_a_page_that_renews_itself_keeps_nobody_signed_in(person: Person) -> None:
    person.sign_in()
    renewing = {"Sec-Fetch-Mode": "cors"}
    for _ in range(3):
        person.clock.forward(minutes=10)
        assert person.client.get("/console/", headers=renewing).status_code == 200
    person.clock.forward(seconds=1)
    answer = person.client.get("/console/", headers=renewing)
    assert answer.status_code == 401
    assert "Sign in" in answer.get_json()["error"]


def test_a_page_that_says_that_it_is_there_keeps_nobody_signed_in(person: Person, study: Study) -> None:
    person.sign_in()
    path = "/console/transcripts/visits/1/takeover/here"
    token = person.client.get_cookie("bedside")
    assert token is not None
    live = {"X-Bedside-Live": "1", "X-CSRF-Token": study.key.token("csrf", token.value)}
    for _ in range(3):
        person.clock.forward(minutes=10)
        assert person.client.post(path, headers=live).status_code == 200
    person.clock.forward(seconds=1)
    assert person.client.get("/console/", headers={"Sec-Fetch-Mode": "navigate"}).status_code == 303


def test_nobody_stays_signed_in_for_longer_than_twelve_hours(person: Person) -> None:
    person.sign_in()
    for _ in range(12 * 4 - 1):
        person.clock.forward(minutes=15)
        assert person.client.get("/console/").status_code == 200
    person.clock.forward(minutes=16)
    assert person.client.get("/console/").status_code == 303


def test_signing_in_gives_another_token_and_ends_the_one_before(person: Person, app: Flask) -> None:
    person.sign_in()
    before = person.client.get_cookie("bedside")
    assert before is not None
    person.clock.forward(minutes=1)
    person.sign_in()
    after = person.client.get_cookie("bedside")
    assert after is not None
    assert before.value != after.value
    other = app.test_client()
    other.set_cookie("bedside", before.value)
    assert other.get("/console/").status_code == 303


def csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def test_signing_out_ends_it_at_the_server(person: Person, app: Flask) -> None:
    person.sign_in()
    cookie = person.client.get_cookie("bedside")
    assert cookie is not None
    answer = person.client.post("/console/sign-out", data={"csrf": csrf(person.client.get("/console/own/").text)})
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    person.client.set_cookie("bedside", cookie.value)
    assert person.client.get("/console/").status_code == 303


def test_signing_out_everywhere_and_changing_the_password_end_the_others(
    person: Person, app: Flask, study: Study
) -> None:
    person.sign_in()
    other = app.test_client()
    other.set_cookie("bedside", signing.begin(study, NAME))
    page = person.client.get("/console/own/").text
    assert page.count("<li>since") == 2
    data = {"csrf": csrf(page), "do": "password", "old": PASSWORD, "password": "another five words for a door"}
    assert "Your password is changed" in person.client.post("/console/own/", data=data).text
    assert other.get("/console/").status_code == 303
    assert person.client.get("/console/").status_code == 200
    other.set_cookie("bedside", signing.begin(study, NAME))
    answer = person.client.post("/console/own/", data={"csrf": csrf(page), "do": "everywhere"})
    assert answer.location == "/console/sign-in"
    assert other.get("/console/").status_code == 303
    person.clock.forward(minutes=1)
    assert person.sign_in().status_code == 422
    assert person.sign_in(password="another five words for a door").status_code == 303


def test_one_other_place_can_be_signed_out(person: Person, app: Flask, study: Study) -> None:
    person.sign_in()
    other = app.test_client()
    other.set_cookie("bedside", signing.begin(study, NAME))
    page = person.client.get("/console/own/").text
    found = re.search(r'name="place" value="(\w+)"', page)
    assert found
    person.client.post("/console/own/", data={"csrf": csrf(page), "do": "place", "place": found[1]})
    assert other.get("/console/").status_code == 303
    assert person.client.get("/console/").status_code == 200


def test_a_password_is_changed_only_by_who_knows_it(person: Person, study: Study) -> None:
    person.sign_in()
    page = person.client.get("/console/own/").text
    data = {"csrf": csrf(page), "do": "password", "old": "a guess", "password": "another five words for a door"}
    assert "is not right" in person.client.post("/console/own/", data=data).text
    data["old"], data["password"] = PASSWORD, "imani okafor 1"
    assert "easily guessed" in person.client.post("/console/own/", data=data).text
    data["old"] = "a guess"
    answers = [person.client.post("/console/own/", data=data).text for _ in range(6)]
    assert "too many failures" in answers[-1]


def test_what_was_typed_when_the_time_was_over_is_kept_and_can_be_sent(
    study: Study, person: Person, app: Flask
) -> None:
    accounts.set_roles(study, NAME, ["researcher", "administrator"], by="test")
    person.sign_in()
    old = csrf(person.client.get("/console/accounts/").text)
    person.clock.forward(minutes=31)
    typed = {"csrf": old, "do": "add", "name": "Nurse <Joy>", "roles": ["coordinator", "safety officer"], "old": "x-y"}
    page = person.client.post("/console/accounts/", data=typed)
    assert page.status_code == 401
    assert "What you typed is kept: sign in, and you can send it." in page.text
    assert "x-y" not in page.text
    assert old not in page.text
    found = re.search(r'name="kept" value="([^"]+)"', page.text)
    assert found
    kept = found[1].replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">")
    wrong = person.sign_in(code="000000", kept=kept)
    assert 'name="kept"' in wrong.text
    again = person.sign_in(kept=kept)
    assert "You are signed in again" in again.text
    assert 'action="/console/accounts/"' in again.text
    assert "Nurse &lt;Joy&gt;" in again.text
    sent = {"csrf": csrf(again.text), "do": "add", "name": "Nurse <Joy>", "roles": ["coordinator", "safety officer"]}
    assert "A link for Nurse &lt;Joy&gt;" in person.client.post("/console/accounts/", data=sent).text


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/console/", "//evil.example/", "/console/\\evil", "/p/x/", "/console/../p/", "javascript:x"],
)
def test_after_signing_in_nobody_is_led_out_of_the_console(person: Person, elsewhere: str) -> None:
    assert elsewhere not in person.client.get("/console/sign-in", query_string={"then": elsewhere}).text
    assert person.sign_in(then=elsewhere).location == "/console/"
    person.clock.forward(minutes=1)
    assert "You are signed in again" not in person.sign_in(kept=f'["{elsewhere}", [["a", "b"]]]').text


def test_one_comes_back_to_the_page_one_asked_for(person: Person) -> None:
    asked = person.client.get("/console/own/?x=1")
    assert asked.location == "/console/sign-in?then=/console/own/?x%3D1"
    assert person.client.get(asked.location).text.count('name="then" value="/console/own/?x=1"') == 1
    assert person.sign_in(then="/console/own/?x=1").location == "/console/own/?x=1"


def test_the_console_does_not_open_over_a_network_without_tls(person: Person) -> None:
    for path in ("/console/", "/console/sign-in", "/console/welcome/x"):
        answer = person.client.get(path, environ_base={"REMOTE_ADDR": "192.0.2.7"})
        assert answer.status_code == 403
        assert "over HTTPS" in answer.text


def test_a_disk_that_takes_nothing_says_so(person: Person, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    person.sign_in()
    page = person.client.get("/console/own/").text
    person.clock.forward(minutes=2)
    with reading(study) as read:
        read.connection.execute("PRAGMA query_only = ON")
        # One can still look; what has to be written is refused in words.
        assert person.client.get("/console/").status_code == 200
        answer = person.sign_in()
        assert answer.status_code == 507
        assert "access.sqlite cannot be written" in answer.text
        out = {"csrf": csrf(page), "do": "everywhere"}
        assert person.client.post("/console/own/", data=out).status_code == 507
        with pytest.raises(RecordError, match="cannot be written"):
            accounts.add(study, "x y", ["analyst"], by="test")


def test_ones_own_page_tells_what_happened_with_the_account(person: Person, study: Study) -> None:
    person.sign_in(code="000000")
    person.sign_in()
    accounts.set_roles(study, NAME, ["coordinator"], by="somebody else")
    page = person.client.get("/console/own/").text
    lately = re.findall(r"<li>2026-03-02 09:0\d UTC: ([\w -]+)</li>", page)
    assert lately == ["roles changed", "signed in", "sign-in failed", "account set up"]


def test_each_event_of_an_account_is_in_the_log(person: Person, study: Study) -> None:
    """Who, when, what, and from which address."""
    for _ in range(5):
        person.sign_in(code="000000")
    person.clock.forward(seconds=11)
    person.sign_in()
    page = person.client.get("/console/own/").text
    change = {"do": "password", "old": PASSWORD, "password": "another five words for a door"}
    person.client.post("/console/own/", data={"csrf": csrf(page), **change})
    person.client.post("/console/own/", data={"csrf": csrf(page), "do": "codes", "old": "x"})
    person.client.post("/console/own/", data={"csrf": csrf(page), "do": "codes", "old": change["password"]})
    person.client.post("/console/sign-out", data={"csrf": csrf(page)})
    accounts.reset(study, NAME, by="the administrator")
    accounts.disable(study, NAME, by="the administrator")
    accounts.enable(study, NAME, by="the administrator")
    events = study.records.rows("SELECT * FROM event ORDER BY id")
    assert [(one["actor"], one["what"]) for one in events] == [
        ("test", "account made"),
        (NAME, "account set up"),
        *[(NAME, "sign-in failed")] * 5,
        ("bedside", "sign-in locked"),
        (NAME, "signed in"),
        (NAME, "password changed"),
        (NAME, "password not right"),
        (NAME, "recovery codes renewed"),
        (NAME, "signed out"),
        ("the administrator", "account reset"),
        ("the administrator", "account disabled"),
        ("the administrator", "account enabled"),
    ]
    assert {one["subject"] for one in events} == {NAME}
    assert '"address": "127.0.0.1"' in events[2]["detail"]
    assert verify(study.records).mistakes == []


@pytest.fixture
def plain(study: Study) -> Iterator[FlaskClient]:
    """A server that was started with --no-second-factor."""
    app = create_app(study, {}, second_factor=False)
    yield app.test_client()
    app.extensions["bedside"].close()


def test_without_a_second_factor_a_password_is_enough_there_and_nowhere_else(
    plain: FlaskClient, app: Flask, study: Study
) -> None:
    token = accounts.add(study, NAME, ["researcher"], by="test")
    assert "second factor" not in plain.get(f"/console/welcome/{token}").text
    assert plain.post(f"/console/welcome/{token}", data={"password": PASSWORD}).location == "/console/sign-in"
    fields = {"name": NAME, "password": PASSWORD}
    assert plain.post("/console/sign-in", data=fields).status_code == 303
    for code in ("", "000000"):
        assert app.test_client().post("/console/sign-in", data={**fields, "code": code}).status_code == 422

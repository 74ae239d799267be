"""Odd things that can be sent: nothing of it breaks a page, and words in it are heard as they are."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as some

from portal import words
from portal.console.guard import Kept, safe_path
from study import visits
from study.study import Study
from tests.portal.conftest import Browser
from tests.portal.test_hearing import DARK

Open = Callable[[str], Browser]
Sign = Callable[..., FlaskClient]

HALF = "\\ud83d"
"""Half a character, as JSON writes it."""

HUGE = "9" * 30
DEEP = "[" * 60_000


def begun(browser_in: Open, study: Study, arm: str) -> tuple[Browser, int]:
    browser = browser_in(arm)
    browser.rate("before", "60")
    browser.page()
    return browser, browser.state()["visit"]


def post(browser: Browser, path: str, body: str, method: str = "POST") -> int:
    client = browser.client
    return client.open(browser.path + path, method=method, data=body, content_type="application/json").status_code


def test_words_with_half_a_character_are_taken_and_screened(browser_in: Open, study: Study) -> None:
    browser, visit = begun(browser_in, study, "chat")
    assert post(browser, "turns", f'{{"visit": "{visit}", "token": "t{HALF}", "words": "x"}}') == 201
    browser.reply(2)
    assert post(browser, "turns", f'{{"visit": "{visit}", "token": "t", "words": "{DARK} {HALF}"}}') == 201
    [turn] = study.records.rows("SELECT text FROM turn WHERE token = 't'")
    assert turn == {"text": f"{DARK} \ufffd"}
    assert visits.find(study, visit).state == "stopped"


def test_a_draft_and_an_answer_with_half_a_character_are_taken(browser_in: Open, study: Study) -> None:
    browser, visit = begun(browser_in, study, "worksheet")
    said = f'"visit": "{visit}", "words": "sad {HALF}"'
    assert post(browser, "drafts/thought", f'{{{said}, "base": ""}}', "PUT") == 200
    assert post(browser, "turns", f'{{{said}, "base": "sad {HALF}", "token": "t", "step": "thought"}}') == 201
    assert post(browser, "leave", f'{{"data": "keep", "reason": "{HALF}"}}') == 303


@pytest.mark.parametrize(
    "body", [DEEP, '{"a":' * 12_000, HALF, '{"visit": "' + HALF + '", "token": "t", "words": "x"}']
)
def test_a_body_that_is_no_body_is_refused_in_a_sentence(browser_in: Open, study: Study, body: str) -> None:
    browser, _ = begun(browser_in, study, "chat")
    for path in ("turns", "rating", "leave", "form", "stop"):
        assert post(browser, path, body) in (303, 400, 409, 422)


def test_the_door_and_the_sign_in_take_odd_texts(app: Flask, study: Study) -> None:
    client = app.test_client()
    sent = {"content_type": "application/json"}
    assert client.post(study.join_path(), data=f'{{"page": "x", "timezone": "{HALF}"}}', **sent).status_code == 303
    assert client.post("/console/sign-in", data=f'{{"name": "{HALF}", "password": "x"}}', **sent).status_code == 422
    assert client.post("/console/sign-in", data=DEEP, **sent).status_code == 400
    kept = f'["/console/people/new", [["name", "{HALF}"]]]'
    for odd in ("[" * 20_000, kept):
        answer = client.post("/console/sign-in", data={"name": "a", "password": "x", "kept": odd})
        assert answer.status_code == 422
    for path in ("//[", "/console/[", "//[/console/", "/console/\ud83d"):
        assert client.get("/console/sign-in", query_string={"then": path.encode("utf-8", "replace")}).status_code == 200


def test_what_was_kept_has_no_half_characters() -> None:
    kept = Kept.read(f'["/console/people/new", [["name", "{HALF}"]]]')
    assert kept is not None
    assert kept.fields == [("name", "\ufffd")]
    assert not safe_path("//[")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/console/transcripts/visits/{}"),
        ("GET", "/console/transcripts/visits/{}/live"),
        ("POST", "/console/transcripts/visits/{}/takeover/here"),
        ("POST", "/console/safety/events/{}/acknowledgement"),
        ("POST", "/console/safety/events/{}/assessment"),
        ("POST", "/console/safety/halts/{}/lifting"),
    ],
)
def test_no_page_has_a_number_that_the_record_could_not_hold(console_as: Sign, method: str, path: str) -> None:
    client = console_as("researcher", "safety officer")
    fields = {"csrf": client.csrf, "why": "a look"} if method == "POST" else None  # type: ignore[attr-defined]
    assert client.open(path.format(HUGE), method=method, data=fields).status_code == 404


def test_a_page_that_has_more_turns_than_the_record_could_hold_is_given_all(
    browser_in: Open, study: Study, console_as: Sign
) -> None:
    browser, visit = begun(browser_in, study, "chat")
    client = console_as("researcher")
    turns = client.get(f"/console/transcripts/visits/{visit}/live/now?after={HUGE}").get_json()["turns"]
    assert [turn["number"] for turn in turns] == [1]
    assert browser.client.get(f"{browser.path}reply?visit={visit}&after={HUGE}").status_code == 200


def test_a_search_for_half_a_character_finds_nothing(console_as: Sign) -> None:
    client = console_as("researcher")
    headers = {"X-CSRF-Token": client.csrf}  # type: ignore[attr-defined]
    body = f'{{"query": "{HALF}"}}'
    answer = client.post("/console/transcripts/search", data=body, content_type="application/json", headers=headers)
    assert answer.status_code == 200


@given(some.text(some.characters(codec=None)))
def test_any_text_can_be_kept_and_whole_text_stays_as_it_is(text: str) -> None:
    words.whole(text).encode()
    whole = text.encode("utf-8", "ignore").decode()
    assert words.whole(whole) == whole

"""A participant's day in the browser, as the server sees it."""

from collections.abc import Callable

import pytest
from flask import Flask

from study import safety
from study.study import Study
from study.turns import TurnKeeper
from study.verify import verify
from study.visits import find
from tests.conftest import HandClock
from tests.portal.conftest import Browser

Open = Callable[[str], Browser]


def test_a_day_in_the_chat(browser_in: Open, study: Study) -> None:
    browser = browser_in("chat")
    assert "How are you right now?" in browser.page()
    assert browser.rate("before", "62").status_code == 303
    number = 0
    while browser.state()["state"] == "exercise":
        answer = browser.send("I failed the maths exam and felt sad, 80", f"t{number}")
        assert answer.status_code == 201
        events = browser.reply(answer.get_json()["number"])
        assert [name for name, _ in events][-2:] == ["turn", "end"]
        number += 1
    assert "And now?" in browser.page()
    browser.rate("after", "40")
    assert "Thank you" in browser.page()
    rows = study.records.rows("SELECT occasion, value FROM rating ORDER BY id")
    assert rows == [{"occasion": "before", "value": 62}, {"occasion": "after", "value": 40}]


def test_a_day_on_the_worksheet(browser_in: Open, study: Study) -> None:
    browser = browser_in("worksheet")
    browser.rate("before", "10")
    page = browser.page()
    assert page.count("<textarea") == 8
    visit = browser.state()["visit"]
    saved = browser.client.put(browser.path + "drafts/thought", json={"visit": str(visit), "words": "half a thou"})
    assert saved.get_json() == {"state": "exercise"}
    assert "half a thou</textarea>" in browser.page()
    for step in (
        "thought",
        "situation",
        "feeling",
        "evidence_for",
        "evidence_against",
        "friend",
        "fairer_thought",
        "feeling_now",
    ):
        assert browser.send("I failed and was sad, 80", f"{visit}-{step}", step=step).status_code == 201
    browser.reply(0)
    assert browser.state()["state"] == "after"
    assert study.records.rows("SELECT * FROM draft") == [
        row for row in study.records.rows("SELECT * FROM draft") if row["step"] != "thought"
    ]
    browser.rate("after", "0")
    assert "Thank you" in browser.page()


def test_the_robots_page_shows_the_code_and_no_form(browser_in: Open, study: Study) -> None:
    browser = browser_in("robot")
    page = browser.page()
    code = find(study, browser.state()["visit"]).code
    assert f"{code[:3]} {code[3:]}" in page
    assert "<form" not in page


def test_refresh_back_and_two_tabs_duplicate_nothing(browser_in: Open, study: Study) -> None:
    browser = browser_in("chat")
    first = browser.hidden("visit")
    for value in ("62", "99"):
        answer = browser.client.post(
            browser.path + "rating", data={"visit": first, "occasion": "before", "value": value}
        )
        assert answer.status_code == 303
    assert study.records.rows("SELECT value FROM rating") == [{"value": 62}]
    one = browser.send("I failed the maths exam yesterday", "same")
    two = browser.send("I failed the maths exam yesterday", "same")
    assert one.get_json()["number"] == two.get_json()["number"] == 2
    browser.reply(0)
    again = browser.send("I failed the maths exam yesterday", "same")
    assert again.get_json()["number"] == 2
    assert len(browser.state()["turns"]) == 3


def test_a_second_message_waits_for_the_answer_to_the_first(browser_in: Open, study: Study, app: Flask) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    visit = find(study, browser.state()["visit"])
    browser.page()
    # Recorded as by a process that died before it could answer.
    app.extensions["bedside"].conversation(visit).hear("I failed the exam", "one")
    assert browser.send("and more", "two").status_code == 409
    events = browser.reply(2)
    assert [name for name, _ in events][-1] == "end"
    assert [turn["speaker"] for turn in browser.state()["turns"]] == ["therapist", "participant", "therapist"]


def test_a_form_without_script_works_too(browser_in: Open) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    fields = {"visit": browser.hidden("visit"), "token": browser.hidden("token"), "words": "I failed the maths exam"}
    assert browser.client.post(browser.path + "turns", data=fields).status_code == 303
    assert browser.client.post(browser.path + "turns", data=fields).status_code == 303
    assert browser.page().count('class="participant"') == 1
    assert browser.page().count('class="therapist"') == 2


@pytest.mark.parametrize("value", ["", "101", "-1", "50.5", "fifty", "9" * 30, "٥"])
def test_a_rating_that_is_none_is_asked_again_and_not_kept(browser_in: Open, study: Study, value: str) -> None:
    browser = browser_in("chat")
    answer = browser.rate("before", value)
    assert answer.status_code == 422
    assert 'role="alert">Please choose' in answer.text
    assert study.records.rows("SELECT * FROM rating") == []


def test_words_that_are_markup_stay_words(browser_in: Open, study: Study) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    words = "<script>alert('x')</script> & \"quotes\" <b>bold</b>"
    number = browser.send(words, "t").get_json()["number"]
    browser.reply(number)
    assert "<script>alert" not in browser.page()
    assert "&lt;script&gt;alert" in browser.page()
    assert study.records.rows("SELECT text FROM turn WHERE number = 2") == [{"text": words}]


def test_a_megabyte_is_refused_in_a_sentence_and_nothing_is_lost(browser_in: Open) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    before = browser.state()["turns"]
    for words in ("x" * 1_000_000, "x" * 4001):
        answer = browser.send(words, "big")
        assert answer.status_code == 413
        assert "too much to send at once" in answer.get_json()["error"]
    assert browser.state()["turns"] == before
    assert browser.send("x" * 4000, "fits").status_code == 201


@pytest.mark.parametrize("path", ["/p/NOBODY/abc/", "/p/NOBODY/abc/rating", "/researcher/abc/", "/nothing", "/p/"])
def test_an_unknown_link_gets_a_sentence_and_tells_nothing(app: Flask, path: str) -> None:
    for answer in (app.test_client().get(path), app.test_client().post(path)):
        assert answer.status_code in (404, 405)
        assert "<h1>Something is not right</h1>" in answer.text


def test_a_link_with_another_participants_token_opens_nothing(browser_in: Open, app: Flask) -> None:
    one, two = browser_in("chat"), browser_in("worksheet")
    token = two.path.split("/")[3]
    assert app.test_client().get(f"/p/{one.participant.code}/{token}/").status_code == 404


def test_a_page_drawn_yesterday_is_refused_today(browser_in: Open, clock: HandClock) -> None:
    browser = browser_in("chat")
    yesterday = browser.hidden("visit")
    clock.forward(days=1)
    assert "Day 2 of 15" in browser.page()
    answer = browser.client.post(browser.path + "rating", data={"visit": yesterday, "occasion": "before", "value": "5"})
    assert answer.status_code == 409
    assert "The time for this visit is over, so what you just sent was not taken." in answer.text


def test_after_the_last_day_the_page_says_so(browser_in: Open, clock: HandClock) -> None:
    browser = browser_in("chat")
    clock.forward(days=15)
    assert "The study is over for you" in browser.page()
    assert browser.state() == {"visit": None}


def test_a_crisis_stops_the_visit_shows_the_contacts_and_holds_the_participant(
    browser_in: Open, study: Study, clock: HandClock, app: Flask
) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    answer = browser.send("I want to kill myself", "t")
    assert answer.get_json()["state"] == "stopped"
    browser.reply(0)
    page = browser.page()
    assert "Samaritans" in page
    assert "<form" not in page
    assert browser.send("hello", "u").status_code == 409
    [event] = study.records.rows("SELECT * FROM safety_event")
    assert (event["category"], event["source"], event["turn"]) == ("suicide", "participant", 2)
    said = TurnKeeper(study, find(study, event["visit"])).turns()[-1]
    assert said.origin == "crisis"
    assert "116 123" in said.text
    clock.forward(days=1)
    assert "Your visits are paused" in browser.page()
    safety.acknowledge(study, 1, "Dr Okafor")
    assert "How are you right now?" in browser.page()


def test_a_crisis_in_a_field_not_yet_confirmed_is_found(browser_in: Open, study: Study) -> None:
    browser = browser_in("worksheet")
    browser.rate("before", "62")
    browser.page()
    visit = browser.state()["visit"]
    answer = browser.client.put(browser.path + "drafts/thought", json={"visit": str(visit), "words": "I want to die"})
    assert answer.get_json() == {"state": "stopped"}
    assert "Samaritans" in browser.page()
    assert [row["source"] for row in study.records.rows("SELECT source FROM safety_event")] == ["draft"]


def test_a_full_disk_is_said_and_nothing_confirmed_is_lost(browser_in: Open, study: Study) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    number = browser.send("I failed the maths exam yesterday", "one").get_json()["number"]
    browser.reply(number)
    before = browser.state()["turns"]
    # SQLite's own limit on the file makes it answer as a full disk does.
    db = study.records.db.conn
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    answers = [browser.send("x" * 4000, f"full{number}") for number in range(3)]
    full = [answer for answer in answers if answer.status_code == 507]
    assert full
    assert "could not save this just now" in full[0].get_json()["error"]
    db.execute("PRAGMA max_page_count = 1000000")
    assert browser.state()["turns"][: len(before)] == before
    assert verify(study.records).mistakes == []


def test_pages_forbid_inline_scripts_other_hosts_and_referrers(browser_in: Open) -> None:
    answer = browser_in("chat").client.get("/nothing")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_form_on_another_site_cannot_post_here(browser_in: Open, study: Study) -> None:
    browser = browser_in("chat")
    answer = browser.client.post(
        browser.path + "rating",
        data={"visit": browser.hidden("visit"), "occasion": "before", "value": "5"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403
    assert study.records.rows("SELECT * FROM rating") == []

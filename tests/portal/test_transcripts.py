"""Transcripts on the console: which there are, and one visit whole."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flask import Flask
from flask.testing import FlaskClient

from portal.console.replaying import Moment, Rated, replay
from study import withdrawal
from study.access.roles import PERMISSIONS
from study.study import Study
from tests.conftest import HandClock
from tests.portal.conftest import Browser

Open = Callable[[str], Browser]
ConsoleAs = Callable[..., FlaskClient]

HOME = "/console/transcripts/"
WORDS = "I failed the maths exam yesterday and felt sad"


def begin(browser: Browser, words: str = WORDS) -> int:
    """A visit with one answer; its number."""
    browser.rate("before", "62")
    browser.page()
    visit = browser.state()["visit"]
    browser.reply(browser.send(words, "t", **step(browser)).get_json()["number"])
    return int(visit)


def step(browser: Browser) -> dict[str, str]:
    return {"step": "situation"} if browser.participant.arm.medium == "worksheet" else {}


def visits_on(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'<th scope="row"><a href="/console/transcripts/visits/(\d+)"', page)]


def test_the_list_is_narrowed_by_what_happened(browser_in: Open, console_as: ConsoleAs, app: Flask) -> None:
    one, two, three = browser_in("chat"), browser_in("worksheet"), browser_in("chat")
    first, second = begin(one), begin(two)
    third = begin(three, "I want to kill myself.")
    client = console_as("researcher")
    assert visits_on(client.get(HOME).text) == [third, second, first]
    for query, wanted in {
        f"participant={one.participant.code.lower()}": [first],
        "day=1": [third, second, first],
        "day=2": [],
        "arm=worksheet": [second],
        "state=stopped": [third],
        "state=exercise": [second, first],
        "found=yes": [third],
        "fallback=yes": [],
        "person=yes": [],
        "day=x&page=0&state=nonsense": [],
        "page=2": [],
    }.items():
        assert visits_on(client.get(f"{HOME}?{query}").text) == wanted, query
    app.extensions["bedside"].desk.take(first, by="nurse", why="to see")
    assert visits_on(client.get(f"{HOME}?person=yes").text) == [first]


def test_more_visits_than_a_page_holds_are_on_the_next(
    browser_in: Open, console_as: ConsoleAs, monkeypatch: object, study: Study
) -> None:
    numbers = [begin(browser_in("chat")) for _ in range(3)]
    monkeypatch.setattr("study.transcripts.PER_PAGE", 2)  # type: ignore[attr-defined]
    client = console_as("researcher")
    page = client.get(HOME + "?state=exercise").text
    assert visits_on(page) == numbers[:0:-1]
    following = re.search(r'rel="next" href="([^"]*)"', page)
    assert following
    assert visits_on(client.get(HOME + following[1].replace("&amp;", "&")).text) == numbers[:1]


def test_a_visit_is_shown_whole_and_what_was_said_is_never_markup(browser_in: Open, console_as: ConsoleAs) -> None:
    browser = browser_in("chat")
    number = begin(browser, "I failed <script>alert(1)</script> the exam yesterday")
    page = console_as("safety officer").get(f"{HOME}visits/{number}").text
    assert "I failed &lt;script&gt;alert(1)&lt;/script&gt; the exam yesterday" in page
    assert "<script>alert" not in page
    assert "62 before, not rated after" in page
    assert "from the model" in page
    assert "eliza: doctor" in page
    assert "Whole answer" in page
    assert 'id="turn-2"' in page
    assert " style=" not in page


def test_what_the_screen_found_stands_beside_the_turn(browser_in: Open, console_as: ConsoleAs) -> None:
    number = begin(browser_in("chat"), "I want to kill myself.")
    page = console_as("researcher").get(f"{HOME}visits/{number}").text
    turn = page[page.index('id="turn-2"') : page.index('id="turn-3"')]
    assert re.search(r"The screen found: suicid\w+, rule \w+", turn)
    assert "(in the participant’s words before it)" in page[page.index('id="turn-3"') :]
    assert "the fixed message" in page
    assert '<path class="hit"' in page


def test_a_draft_that_was_never_confirmed_is_no_turn(browser_in: Open, console_as: ConsoleAs) -> None:
    browser = browser_in("worksheet")
    number = begin(browser)
    browser.client.put(browser.path + "drafts/thought", json={"visit": str(number), "words": "half a thought"})
    page = console_as("researcher").get(f"{HOME}visits/{number}").text
    assert WORDS in page
    assert "half a thought" not in page


def test_what_was_erased_is_on_no_page(browser_in: Open, console_as: ConsoleAs, study: Study) -> None:
    browser = browser_in("chat")
    number = begin(browser)
    client = console_as("researcher")
    withdrawal.withdraw(study, browser.participant.code, by="nurse", erase=True)
    assert visits_on(client.get(HOME).text) == []
    page = client.get(f"{HOME}visits/{number}").text
    assert WORDS not in page
    assert "what was said was erased" in page


def test_other_pages_lead_to_a_visits_transcript(browser_in: Open, console_as: ConsoleAs) -> None:
    browser = browser_in("chat")
    number = begin(browser, "I want to kill myself.")
    client = console_as("researcher")
    for path in ("/console/", "/console/safety/", f"/console/people/{browser.participant.code}/"):
        links = re.findall(r'href="(/console/transcripts/\w[^"]*)"', client.get(path).text)
        assert links == [f"{HOME}visits/{number}"], path


def test_who_may_not_read_sees_no_transcript(browser_in: Open, console_as: ConsoleAs, study: Study) -> None:
    number = begin(browser_in("chat"))
    for role in ("coordinator", "analyst", "administrator"):
        client = console_as(role)
        for path in ("", "search", f"visits/{number}", f"visits/{number}/live", f"visits/{number}/live/now"):
            assert client.get(HOME + path).status_code == 403, (role, path)
    # A transcript tells the arm, so whoever may read one may see arms.
    assert all("see arms" in may for may in PERMISSIONS.values() if "read" in may)
    assert console_as("researcher").get(f"{HOME}visits/99").status_code == 404


START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def turn(number: int, seconds: float, speaker: str = "participant", **more: object) -> dict[str, object]:
    told = more.pop("told", None)
    row = {
        "number": number,
        "speaker": speaker,
        "step": "situation",
        "origin": speaker,
        "text": "One. Two.",
        "hit": None,
    }
    return {**row, "recorded_at": START + timedelta(seconds=seconds), "told": told, **more}


def test_an_answers_first_sentence_is_seen_when_it_was_and_the_rest_when_it_was_whole() -> None:
    told = {"total_ms": 4000.0, "first_sentence_ms": 1000.0}
    shown = replay(
        [turn(1, 60), turn(2, 70, "therapist", origin="model", told=told)],
        [("before", 62, START), ("after", 40, START + timedelta(seconds=90))],
    )
    assert [type(one) for one in shown.seen] == [Rated, Moment, Moment, Rated]
    participant, therapist = shown.moments
    assert (participant.at_ms, participant.whole_ms, participant.rest) == (60_000, 60_000, "")
    assert (therapist.at_ms, therapist.whole_ms) == (67_000, 70_000)
    assert (therapist.first, therapist.rest) == ("One.", " Two.")
    assert shown.length_ms == 90_000
    assert therapist.x == 744.4


def test_turns_stay_in_their_order_whatever_the_clocks_say() -> None:
    told = {"total_ms": 4000.0, "first_sentence_ms": 1000.0}
    shown = replay([turn(1, 5), turn(2, 5, "therapist", origin="model", told=told)], [("before", 62, START)])
    assert [one.number for one in shown.moments] == [1, 2]
    assert [one.at_ms for one in shown.seen] == [0, 5000, 5000]


def test_the_scripts_own_words_and_a_persons_are_seen_at_once() -> None:
    told = {"total_ms": 4000.0, "first_sentence_ms": None}
    shown = replay([turn(1, 0, "therapist", origin="person", told=told)], [])
    assert (shown.moments[0].at_ms, shown.moments[0].first) == (0, "One. Two.")
    assert shown.latencies[0].first is None
    assert shown.latencies[0].said == "Turn 1 (person): whole 4.00 s"


def test_latencies_stand_on_a_scale_that_has_a_model_and_a_person() -> None:
    rows = [
        turn(n, n, "therapist", origin="model", told={"total_ms": ms, "first_sentence_ms": ms})
        for n, ms in enumerate((0.0, 10.0, 1000.0, 100_000.0, 900_000.0), 1)
    ]
    assert [one.total for one in replay(rows, []).latencies] == [120.0, 120.0, 60.0, 0.0, 0.0]


def test_a_visit_of_one_moment_can_be_shown(clock: HandClock) -> None:
    shown = replay([turn(1, 0)], [])
    assert (shown.length_ms, shown.moments[0].x) == (1, 0.0)
    assert replay([], []).seen == []

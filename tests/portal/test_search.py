"""Searching what was said."""

import threading
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from portal.console.searching import Index
from study import visits, withdrawal
from study.enrolment import take_in
from study.study import Participant, Study
from study.turns import TurnKeeper
from tests.portal.test_transcripts import HOME, Open, begin
from therapist.transcript import Turn

Say = Callable[..., None]


@pytest.fixture
def person(study: Study) -> Participant:
    return take_in(study)


def say(study: Study, person: Participant, *words: str, speaker: str = "participant") -> None:
    visit = visits.today(study, person)
    assert visit is not None
    keeper = TurnKeeper(study, visit)
    for one in words:
        number = len(keeper.turns())
        own = {"token": str(number)} if speaker == "participant" else {"reply_to": number}
        origin = "participant" if speaker == "participant" else "model"
        keeper.add(Turn(speaker, "situation", one, origin, **own))  # type: ignore[arg-type]


def excerpts(index: Index, query: str, speaker: str | None = None) -> list[str]:
    return [str(hit.excerpt) for hit in index.search(query, speaker).hits]  # type: ignore[arg-type]


def test_words_phrases_and_beginnings_are_found_and_marked(study: Study, person: Participant) -> None:
    say(study, person, "I failed my exam.", "My exam failed me.", "Müde & <b>allein</b>")
    index = Index(study.records)
    assert excerpts(index, "exam failed") == [
        "My <mark>exam</mark> <mark>failed</mark> me.",
        "I <mark>failed</mark> my <mark>exam</mark>.",
    ]
    assert excerpts(index, '"failed my"') == ["I <mark>failed my</mark> exam."]
    assert excerpts(index, "alle*") == ["Müde &amp; &lt;b&gt;<mark>allein</mark>&lt;/b&gt;"]
    assert excerpts(index, "mude") == ["<mark>Müde</mark> &amp; &lt;b&gt;allein&lt;/b&gt;"]
    assert excerpts(index, "failed NOT me") == ["I <mark>failed</mark> my exam."]
    assert excerpts(index, "nothing") == []


def test_one_speakers_words_alone_can_be_searched(study: Study, person: Participant) -> None:
    say(study, person, "I failed.")
    say(study, person, "You failed?", speaker="therapist")
    index = Index(study.records)
    assert len(excerpts(index, "failed")) == 2
    assert excerpts(index, "failed", "participant") == ["I <mark>failed</mark>."]
    assert excerpts(index, "failed OR you", "therapist") == ["<mark>You</mark> <mark>failed</mark>?"]


@pytest.mark.parametrize(
    "query",
    [
        "don't (",
        '"',
        "*",
        "NEAR(",
        "a AND",
        "self-harm",
        "nobody : here",
        "^",
        "'; DROP",
        "\0",
        '( ) " * \x02',
        "{",
        "-",
    ],
)
def test_what_is_no_query_is_plain_words_and_never_an_error(study: Study, person: Participant, query: str) -> None:
    say(study, person, "I don't know about self-harm.")
    found = Index(study.records).search(query)
    assert found.total == (1 if query in ("don't (", "self-harm") else 0)
    assert Index(study.records).search(query, "participant").total == found.total


def test_new_turns_are_found_and_old_ones_not_read_again(study: Study, person: Participant) -> None:
    index = Index(study.records)
    assert excerpts(index, "exam") == []
    say(study, person, "The exam.")
    assert len(excerpts(index, "exam")) == 1
    say(study, person, "Another exam.")
    assert len(excerpts(index, "exam")) == 2


def test_what_was_erased_is_found_no_more_although_its_number_is_given_again(study: Study, person: Participant) -> None:
    index = Index(study.records)
    say(study, person, "The secret exam.")
    assert len(excerpts(index, "secret")) == 1
    withdrawal.withdraw(study, person.code, by="nurse", erase=True)
    other = take_in(study)
    say(study, other, "Plain words.")
    assert study.records.rows("SELECT id FROM turn") == [{"id": 1}]
    assert excerpts(index, "secret") == []
    assert excerpts(index, "plain") == ["<mark>Plain</mark> words."]


def test_several_people_can_search_while_turns_come_in(study: Study, person: Participant) -> None:
    index = Index(study.records)
    errors: list[Exception] = []

    def look() -> None:
        try:
            for _ in range(20):
                index.search("exam")
        except Exception as error:
            errors.append(error)
        finally:
            study.records.close()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for one in threads:
        one.start()
    for number in range(20):
        say(study, person, f"Exam {number}.")
    for one in threads:
        one.join()
    assert errors == []
    assert index.search("exam").total == 20


def test_the_page_shows_hits_with_a_link_to_the_turn(
    browser_in: Open, console_as: Callable[..., FlaskClient], study: Study
) -> None:
    number = begin(browser_in("chat"), "I failed the <i>maths</i> exam yesterday")
    client = console_as("researcher")
    assert client.get(HOME + "search").status_code == 200
    fields = {"query": "maths", "speaker": "participant", "csrf": client.csrf}  # type: ignore[attr-defined]
    page = client.post(HOME + "search", data=fields).text
    assert f'href="/console/transcripts/visits/{number}#turn-2"' in page
    assert "I failed the &lt;i&gt;<mark>maths</mark>&lt;/i&gt; exam" in page
    assert "1 turn" in page
    assert client.post(HOME + "search", data={**fields, "query": "zebra ("}).status_code == 200
    assert client.post(HOME + "search", data={"query": "maths"}).status_code == 403


def test_that_somebody_searched_is_recorded_and_not_for_what(
    console_as: Callable[..., FlaskClient], study: Study
) -> None:
    client = console_as("researcher")
    fields = {"query": "zebra", "csrf": client.csrf}  # type: ignore[attr-defined]
    client.post(HOME + "search", data=fields)
    event = study.records.rows("SELECT * FROM event WHERE what = 'transcripts searched'")[-1]
    assert event["actor"] == "researcher"
    assert all("zebra" not in str(value) for value in event.values())

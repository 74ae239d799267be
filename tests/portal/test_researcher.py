"""The researcher's page and the transcripts behind it."""

from collections.abc import Callable

from flask import Flask

from study.study import Study
from tests.portal.conftest import Browser

Open = Callable[[str], Browser]


def test_the_page_shows_where_everybody_is(browser_in: Open, study: Study, app: Flask) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    number = browser.send("I failed the maths exam yesterday", "t").get_json()["number"]
    browser.reply(number)
    page = app.test_client().get(study.researcher_path()).text
    assert browser.participant.code in page
    assert "eliza: doctor" in page
    assert "Day 1, begun" in page
    assert "Day 1: before 62 (n=1)" in page
    transcript = app.test_client().get(study.researcher_path() + f"visits/{browser.state()['visit']}").text
    assert "I failed the maths exam yesterday" in transcript
    assert "Distress before: <strong>62</strong>, after: <strong>not rated</strong>" in transcript


def test_an_empty_study_has_a_page_too(study: Study, app: Flask) -> None:
    assert "Nobody is enrolled yet" in app.test_client().get(study.researcher_path()).text


def test_nothing_of_it_opens_without_the_researchers_link(browser_in: Open, study: Study, app: Flask) -> None:
    browser = browser_in("chat")
    browser.page()
    token = browser.path.split("/")[3]
    for wrong in ("abc", token):
        for path in ("/", f"/visits/{browser.state()['visit']}"):
            assert app.test_client().get(f"/researcher/{wrong}{path}").status_code == 404
        assert app.test_client().post(f"/researcher/{wrong}/safety/1", data={"by": "me"}).status_code == 404


def test_an_event_is_acknowledged_by_somebody_with_a_name(study: Study, app: Flask) -> None:
    answer = app.test_client().post(study.researcher_path() + "safety/1", data={"by": ""})
    assert answer.status_code == 422
    assert app.test_client().post(study.researcher_path() + "safety/99", data={"by": "me"}).status_code == 404

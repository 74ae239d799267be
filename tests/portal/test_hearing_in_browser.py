"""The people to call are shown at once, whatever becomes of the stream of answers; and what the server cannot take comes
back into the box."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from portal import stream
from study import visits
from study.study import Study
from study.texts import texts
from tests.portal.conftest import Browser
from tests.portal.test_hearing import DARK
from tests.portal.test_waiting_in_browser import address, page

__all__ = ["address", "page"]

Open = Callable[[str], Browser]

SCREENS = texts("en", "screens")


def at_the_chat(browser_in: Open, address: str, page: Page) -> Browser:
    browser = browser_in("chat")
    browser.rate("before", "62")
    page.goto(f"{address}{browser.path}now")
    return browser


def send(page: Page, words: str) -> None:
    page.get_by_label("Your message").fill(words)
    page.get_by_role("button", name="Send").click()


def the_people(page: Page) -> None:
    expect(page.get_by_role("heading", name="Let's stop here for today")).to_be_visible()
    expect(page.get_by_text("116 123")).to_be_visible()


def test_the_people_are_shown_without_a_stream(browser_in: Open, address: str, page: Page) -> None:
    at_the_chat(browser_in, address, page)
    page.route("**/reply?*", lambda route: route.abort())
    page.route("**/visit", lambda route: route.abort())  # the page looks there now and then
    send(page, DARK)
    the_people(page)


def test_the_people_are_shown_where_there_is_no_room_for_a_stream(browser_in: Open, address: str, page: Page) -> None:
    at_the_chat(browser_in, address, page)
    page.route("**/visit", lambda route: route.abort())
    while stream._room.acquire(blocking=False):
        pass
    try:
        send(page, DARK)
        the_people(page)
    finally:
        stream._room.release(stream.STREAMS)


def test_the_people_are_shown_for_words_that_came_too_late(
    browser_in: Open, study: Study, address: str, page: Page
) -> None:
    browser = at_the_chat(browser_in, address, page)
    visits.end(study, visits.find(study, browser.state()["visit"]), by=browser.participant.code)
    send(page, DARK)
    the_people(page)


def test_the_people_are_shown_for_a_field_that_was_written_too_late(
    browser_in: Open, study: Study, address: str, page: Page
) -> None:
    browser = browser_in("worksheet")
    browser.rate("before", "62")
    page.goto(f"{address}{browser.path}now")
    visits.end(study, visits.find(study, browser.state()["visit"]), by=browser.participant.code)
    page.locator("textarea").first.fill(DARK)
    the_people(page)
    assert len(study.records.rows("SELECT id FROM safety_event")) == 1

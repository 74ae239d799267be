"""The people to call are shown at once, whatever becomes of the stream of answers; and what the server cannot take comes
back into the box."""

from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

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


def asked_so_often(page: Page, asked: list[str], times: int) -> None:
    """Let the page's own time pass until it has asked so often."""
    for _ in range(500):
        if len(asked) >= times:
            return
        page.clock.run_for(500)
        page.wait_for_timeout(20)
    raise AssertionError(f"the page asked {len(asked)} times")


def test_words_at_which_the_server_fails_come_back_into_the_box(browser_in: Open, address: str, page: Page) -> None:
    at_the_chat(browser_in, address, page)
    asked: list[str] = []

    def fail(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=500, content_type="application/json", body="{}")

    page.clock.install()
    page.route("**/turns", fail)
    send(page, "I failed the exam")
    asked_so_often(page, asked, 5)
    expect(page.locator("#status")).to_have_text(SCREENS["error"]["broken"])
    expect(page.get_by_label("Your message")).to_have_value("I failed the exam")
    assert len(asked) == 5
    page.clock.run_for(60_000)
    assert len(asked) == 5
    page.unroute("**/turns")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("li.participant .state")).to_have_text(SCREENS["frame"]["saved"])


def test_words_for_a_server_that_is_away_are_sent_when_it_is_back(browser_in: Open, address: str, page: Page) -> None:
    at_the_chat(browser_in, address, page)
    asked: list[str] = []

    def away(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) < 8:
            route.fulfill(status=502, body="")
        else:
            route.continue_()

    page.clock.install()
    page.route("**/turns", away)
    send(page, "I failed the exam")
    asked_so_often(page, asked, 8)
    expect(page.locator("li.participant .state")).to_have_text(SCREENS["frame"]["saved"])

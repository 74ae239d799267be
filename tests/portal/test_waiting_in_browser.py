"""The place in the queue as a participant reads it: beside the dots, in plain words, in their language, and calmly."""

import threading
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from study.texts import texts
from tests.e2e.conftest import until
from tests.portal.conftest import Browser
from tests.portal.test_waiting import WORDS, app, engine, folder, wait_s
from tests.queueing import QueueingEngine

__all__ = ["app", "engine", "folder", "wait_s"]

Open = Callable[[str], Browser]


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    server.server_close()
    serving.join()


@pytest.fixture
def page(chromium: Chromium) -> Iterator[Page]:
    context = chromium.new_context()
    context.set_default_timeout(30_000)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context.new_page()
    context.close()
    assert errors == []


def said(place: int, language: str = "en") -> str:
    frame = texts(language, "screens")["frame"]
    if place > 1:
        return str(frame["place_many"]).format(count=place)
    return str(frame["place_one"] if place else frame["place_begun"])


def test_a_chat_says_how_many_come_before_and_whose_turn_it_is(
    browser_in: Open, address: str, page: Page, engine: QueueingEngine
) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    engine.place = 3
    page.goto(f"{address}{browser.path}now")
    page.get_by_label("Your message").fill(WORDS)
    page.get_by_role("button", name="Send").click()
    line = page.locator("#status")
    expect(line).to_have_text("3 answers are being written before yours.")
    expect(page.locator("#typing")).to_be_visible()
    assert line.get_attribute("role") == "status"
    assert Axe().run(page).response["violations"] == []
    engine.place = 1
    expect(line).to_have_text("One answer is being written before yours.")
    page.reload()  # whoever comes late is told, too
    expect(line).to_have_text(said(1))
    engine.place = 0
    expect(line).to_have_text("Yours is being written now.")
    engine.let()
    expect(page.locator("li.therapist .text").last).to_contain_text(engine.text)
    expect(line).to_have_text("")
    expect(page.locator("#typing")).to_be_hidden()


def test_a_screen_reader_hears_few_of_many_places(
    browser_in: Open, address: str, page: Page, engine: QueueingEngine
) -> None:
    """The page's own clock stands still, so that what is counted does not depend on this machine's speed."""
    browser = browser_in("chat")
    browser.rate("before", "62")
    engine.place = 9
    page.clock.install(time=0)
    page.goto(f"{address}{browser.path}now")
    page.clock.pause_at(3_600_000)
    line = page.locator("#status")
    page.get_by_label("Your message").fill(WORDS)
    page.get_by_role("button", name="Send").click()

    def says_where_it_stands() -> bool:
        page.clock.run_for(10)
        return line.text_content() == said(9)

    until(says_where_it_stands)
    page.evaluate("source.addEventListener('place', () => (window.told = (window.told ?? 0) + 1)); 0")

    def told_of(place: int) -> None:
        before = page.evaluate("window.told ?? 0")
        engine.place = place
        until(lambda: page.evaluate("window.told ?? 0") > before)

    for place in (8, 7, 6, 5):
        told_of(place)
        page.clock.run_for(1000)
        expect(line).to_have_text(said(9))
    page.clock.run_for(5000)
    expect(line).to_have_text(said(5))
    told_of(0)
    page.clock.run_for(10)
    expect(line).to_have_text(said(0))  # at once


def test_a_worksheet_says_it_at_the_answer_that_waits(
    browser_in: Open, address: str, page: Page, engine: QueueingEngine
) -> None:
    browser = browser_in("worksheet")
    browser.rate("before", "62")
    engine.place = 2
    page.goto(f"{address}{browser.path}now")
    form = page.locator("form.field").first
    form.locator("textarea").fill(WORDS)
    form.get_by_role("button", name="Confirm").click()
    reply = form.locator(".reply")
    expect(reply).to_have_text(said(2))
    assert reply.get_attribute("aria-live") == "polite"
    engine.place = 0
    expect(reply).to_have_text(said(0))
    engine.let()
    expect(reply).to_contain_text(engine.text)


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_language_has_the_three_sentences(language: str) -> None:
    sentences = [said(place, language) for place in (5, 1, 0)]
    assert len(set(sentences)) == 3
    assert "5" in sentences[0]
    assert all("{" not in one for one in sentences)

"""Accessibility: no page has a violation that axe finds, and a whole day can be done by keyboard alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from study.study import Study
from tests.e2e.conftest import Server, link_of, rate, sign_in


def assert_accessible(page: Page) -> None:
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_page_is_free_of_violations(
    serve: Callable[..., Server], chromium: Browser, folder: Path, colours: str
) -> None:
    server = serve("serve", str(folder))
    context = chromium.new_context(
        viewport={"width": 390, "height": 780}, color_scheme=colours, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(link_of(folder, server, "chat"))
    assert_accessible(page)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_have_text("Please choose a place on the line first.")
    assert_accessible(page)
    rate(page, 60)
    page.get_by_label("Your message").fill("I failed my maths exam yesterday and I keep thinking about it.")
    page.get_by_role("button", name="Send").click()
    page.locator("li.therapist[data-number]").nth(1).wait_for()
    assert_accessible(page)
    page.get_by_label("Your message").fill("I want to die.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Let's stop here for today")).to_be_visible()
    assert_accessible(page)
    page.goto(link_of(folder, server, "worksheet"))
    rate(page, 60)
    page.locator("textarea").first.fill("I failed my maths exam yesterday.")
    page.get_by_role("button", name="Confirm this answer").first.click()
    expect(page.locator(".reply").first).not_to_be_empty()
    assert_accessible(page)
    page.goto(link_of(folder, server, "robot"))
    assert_accessible(page)
    page.goto(server.url + "/p/NOBODY/abc/")
    assert_accessible(page)
    page.set_viewport_size({"width": 1200, "height": 800})
    sign_in(page, server, folder, "researcher")
    assert_accessible(page)
    page.goto(server.url + "/console/transcripts/1")
    assert_accessible(page)
    context.close()


def test_a_day_in_the_chat_by_keyboard_alone(serve: Callable[..., Server], phone: BrowserContext, folder: Path) -> None:
    server = serve("serve", str(folder))
    page = phone.new_page()
    keyboard = page.keyboard

    def tab_to(name: str) -> None:
        for _ in range(12):
            if page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()") == name:
                return
            keyboard.press("Tab")
        raise AssertionError(f"{name} cannot be reached by the Tab key")

    page.goto(link_of(folder, server, "chat"))
    tab_to("value")
    keyboard.press("ArrowRight")
    tab_to("Continue")
    keyboard.press("Enter")
    expect(page.get_by_label("Your message")).to_be_focused()
    for number in range(1, 9):
        keyboard.type("I failed my maths exam and felt sad, about 70")
        keyboard.press("Enter")
        page.locator("li.therapist[data-number]").nth(number).wait_for()
    expect(page.get_by_role("link", name="Continue")).to_be_focused()
    keyboard.press("Enter")
    expect(page.get_by_role("heading", name="And now?")).to_be_visible()
    tab_to("value")
    keyboard.press("End")
    tab_to("Continue")
    keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    study = Study.open(folder)
    assert [row["value"] for row in study.records.rows("SELECT value FROM rating ORDER BY id")] == [51, 100]
    study.close()

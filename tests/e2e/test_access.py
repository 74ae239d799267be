"""Accessibility: no page has a violation that axe finds, nothing is cut off or moves, all can be done by keyboard alone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect

from study.study import Study
from tests.e2e.conftest import Server, begin, link_of, rate, sign_in

NAMED = {"button", "link", "textbox", "radio", "checkbox", "slider", "spinbutton", "progressbar", "DisclosureTriangle"}

CUT_OFF = """() => {
  const wide = document.documentElement.clientWidth;
  return Array.from(document.querySelectorAll("body *:not(.unseen, .skip, .scroll *)"))
    .filter((one) => one.checkVisibility() && one.getClientRects().length)
    .filter((one) => { const box = one.getBoundingClientRect(); return box.left < -1 || box.right > wide + 1; })
    .map((one) => one.outerHTML.slice(0, 120));
}"""

MOVING = """() => document.getAnimations().length + Array.from(document.querySelectorAll("*")).filter((one) => {
  const style = getComputedStyle(one);
  return style.animationName !== "none" || style.transitionDuration !== "0s";
}).length"""

SMALL = """() => Array.from(document.querySelectorAll("button, .button, .option, .ways-out a, input:not([type=hidden]), textarea"))
  .filter((one) => one.checkVisibility() && !one.matches(".option input"))
  .filter((one) => { const box = one.getBoundingClientRect(); return box.height < 44 || box.width < 44; })
  .map((one) => one.outerHTML.slice(0, 120))"""
"""What is touched and is smaller than 44 pixels."""


def assert_accessible(page: Page) -> None:
    page.wait_for_load_state()  # with its style sheets
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")  # colours are those at rest
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    assert found.violations_count == 0, found.generate_report()


def heard(devtools: CDPSession) -> list[dict[str, Any]]:
    """What a screen reader is told of the page, control by control."""
    nodes = devtools.send("Accessibility.getFullAXTree")["nodes"]
    return [node for node in nodes if not node["ignored"]]


def participants_states(page: Page, server: Server, folder: Path) -> Iterator[str]:
    """Every page of the days in the three arms, in every state that a participant can bring it to."""
    chat, sheet, robot = (link_of(folder, server, arm) for arm in ("chat", "worksheet", "robot"))
    page.goto(chat)
    yield "today"
    begin(page)
    yield "rating"
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_have_text("Please choose a place on the line first.")
    yield "rating not chosen"
    rate(page, 60)
    page.get_by_label("Your message").fill("I failed my maths exam yesterday and I keep thinking about it.")
    page.get_by_role("button", name="Send").click()
    page.locator("li.therapist[data-number]").nth(1).wait_for()
    yield "chat"
    page.goto(chat)
    expect(page.get_by_text("You have begun.")).to_be_visible()
    yield "today, begun"
    page.get_by_role("link", name="Talk to a person").click()
    yield "talk"
    page.get_by_role("button", name="Ask somebody to contact me").click()
    expect(page.get_by_text("It is passed on.")).to_be_visible()
    yield "asked"
    page.goto(chat + "now")
    page.get_by_label("Your message").fill("I want to die.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Let's stop here for today")).to_be_visible()
    yield "crisis"
    page.get_by_role("link", name="Stop for today").click()
    yield "nothing to stop"
    page.goto(sheet)
    rate(page, 60)
    page.locator("textarea").first.fill("I failed my maths exam yesterday.")
    page.get_by_role("button", name="Confirm this answer").first.click()
    expect(page.locator(".reply").first).not_to_be_empty()
    yield "worksheet"
    for name in ("Print it empty, to write by hand", "Print what I wrote"):
        page.goto(sheet + "now")
        page.get_by_role("link", name=name).click()
        yield name
    page.get_by_role("link", name="Stop for today").click()
    yield "stop"
    page.get_by_role("button", name="End today's visit").click()
    expect(page.get_by_role("heading", name="You have stopped for today")).to_be_visible()
    yield "stopped by themselves"
    page.get_by_role("link", name="Leave the study").click()
    page.get_by_role("button", name="Leave the study").click()
    expect(page.get_by_role("alert")).to_be_visible()
    yield "leave"
    page.goto(robot)
    begin(page)
    yield "robot"
    page.goto(robot + "nothing")
    yield "an error of somebody who is known"
    page.goto(server.url + "/p/NOBODY/abc/")
    yield "an error of somebody who is not"


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_page_is_free_of_violations(
    serve: Callable[..., Server], chromium: Browser, folder: Path, colours: str
) -> None:
    """Light at the size of a phone; dark at 320 pixels, which is 640 at 200 % zoom, and with reduced motion."""
    server = serve("serve", str(folder))
    narrow = colours == "dark"
    context = chromium.new_context(
        viewport={"width": 320 if narrow else 390, "height": 780},
        color_scheme=colours,
        reduced_motion="reduce" if narrow else "no-preference",
    )
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    for state in participants_states(page, server, folder):
        assert_accessible(page)
        assert page.evaluate(CUT_OFF) == [], state
        assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth"), state
        assert page.evaluate(SMALL) == [], state
        for node in heard(devtools):
            if node["role"]["value"] in NAMED:
                assert node.get("name", {}).get("value", "").strip(), (state, node)
        if narrow:
            assert page.evaluate(MOVING) == 0, state
        if state != "an error of somebody who is not":
            for way in ("Stop for today", "Talk to a person"):
                assert page.get_by_role("link", name=way).is_visible(), state
    page.set_viewport_size({"width": 1200, "height": 800})
    sign_in(page, server, folder, "researcher")
    assert_accessible(page)
    page.goto(server.url + "/console/transcripts/visits/1")
    assert_accessible(page)
    context.close()


def tab_to(page: Page, name: str, presses: int = 16) -> None:
    """Press Tab until the control with this id or these words has the focus."""
    for _ in range(presses):
        if page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()") == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name} cannot be reached by the Tab key")


def begin_by_keyboard(page: Page) -> None:
    tab_to(page, "next")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="How are you right now?")).to_be_visible()
    tab_to(page, "value")
    page.keyboard.press("ArrowRight")
    tab_to(page, "Continue")
    page.keyboard.press("Enter")


def end_by_keyboard(page: Page, folder: Path) -> None:
    expect(page.get_by_role("link", name="Continue")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="And now?")).to_be_visible()
    tab_to(page, "value")
    page.keyboard.press("End")
    tab_to(page, "Continue")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    study = Study.open(folder)
    # From a line without a position the first arrow goes to the low end, not past the middle.
    assert [row["value"] for row in study.records.rows("SELECT value FROM rating ORDER BY id")] == [0, 100]
    study.close()


def test_a_day_in_the_chat_by_keyboard_alone(serve: Callable[..., Server], phone: BrowserContext, folder: Path) -> None:
    server = serve("serve", str(folder))
    page = phone.new_page()
    page.goto(link_of(folder, server, "chat"))
    begin_by_keyboard(page)
    expect(page.get_by_label("Your message")).to_be_focused()
    for number in range(1, 9):
        page.keyboard.type("I failed my maths exam and felt sad, about 70")
        page.keyboard.press("Enter")
        page.locator("li.therapist[data-number]").nth(number).wait_for()
    end_by_keyboard(page, folder)


def test_a_day_on_the_worksheet_by_keyboard_alone(
    serve: Callable[..., Server], phone: BrowserContext, folder: Path
) -> None:
    server = serve("serve", str(folder))
    page = phone.new_page()
    page.goto(link_of(folder, server, "worksheet"))
    begin_by_keyboard(page)
    page.locator("textarea").first.wait_for()
    first = page.locator("textarea").first.get_attribute("id")
    tab_to(page, first or "")
    for left in range(7, -1, -1):
        page.keyboard.type("I failed my maths exam and felt sad, about 70")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("textarea")).to_have_count(left)
    end_by_keyboard(page, folder)


def test_the_line_has_no_position_until_one_is_chosen(
    serve: Callable[..., Server], chromium: Browser, folder: Path
) -> None:
    """By touch, by mouse and by keyboard; a screen reader hears that nothing is chosen yet; a reload keeps what was."""
    server = serve("serve", str(folder))
    context = chromium.new_context(viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    link = link_of(folder, server, "chat") + "now"

    def fresh() -> tuple[Page, CDPSession]:
        """The page in a window of its own, which remembers nothing."""
        page = context.new_page()
        devtools = context.new_cdp_session(page)
        page.goto(link)
        assert slider(page) == "not chosen yet"
        assert described(devtools).startswith("not chosen yet")
        return page, devtools

    def described(devtools: CDPSession) -> str:
        """What a screen reader says of the line beside its name and its number."""
        line = next(node for node in heard(devtools) if node["role"]["value"] == "slider")
        return str(line["description"]["value"])

    def slider(page: Page) -> str:
        line = page.get_by_role("slider", name="How much distress do you feel at this moment?")
        return line.get_attribute("aria-valuetext") or ""

    def drag(page: Page, devtools: CDPSession, start: float, end: float) -> None:
        box = page.locator("#value[type=range]").bounding_box()
        assert box
        at = box["y"] + box["height"] / 2
        points = [box["x"] + box["width"] * (start + (end - start) * step / 8) for step in range(9)]
        for kind, where in (("touchStart", points[:1]), ("touchMove", points[1:])):
            for x in where:
                devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": at}]})
        devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    page, devtools = fresh()
    drag(page, devtools, 0.3, 0.8)
    chosen = page.locator(".chosen")
    expect(chosen).not_to_have_text("not chosen yet")
    assert 75 <= int(slider(page)) <= 85
    assert "not chosen yet" not in described(devtools)
    page.reload()
    expect(chosen).not_to_have_text("not chosen yet")
    assert 75 <= int(slider(page)) <= 85
    for touched, expected in ((0.001, "0"), (0.999, "100")):  # at the ends the browser itself may see no change
        page, devtools = fresh()
        drag(page, devtools, touched, touched)
        expect(page.locator(".chosen")).to_have_text(expected)
    page, _ = fresh()
    box = page.locator("#value[type=range]").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".chosen")).to_have_text("50")
    for key, expected in (("ArrowRight", "0"), ("ArrowLeft", "0"), ("PageUp", "0"), (" ", "0"), ("End", "100")):
        page, _ = fresh()
        page.locator("#value[type=range]").press(key)
        expect(page.locator(".chosen")).to_have_text(expected)
    context.close()

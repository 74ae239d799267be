"""The console in Chromium: it keeps itself up to date and disturbs nobody, an alarm is heard, and axe finds nothing."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, BrowserContext, Page, expect
from werkzeug.serving import BaseWSGIServer, make_server

from portal.console.guard import COOKIE
from study import halting, safety, visits
from study.access import devices
from study.access.roles import Role
from study.enrolment import take_in
from study.study import Study
from tests.e2e.conftest import until

EVERY = 6_000
"""Milliseconds after which a page has asked again."""


@dataclass
class Console:
    """The portal at a port of this machine; it can go away and come back there."""

    app: Flask
    port: int = 0
    server: BaseWSGIServer | None = None
    thread: threading.Thread | None = None

    def start(self) -> "Console":
        self.server = make_server("127.0.0.1", self.port, self.app, threaded=True)
        self.server.daemon_threads = True
        self.port = self.server.port
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def stop(self) -> None:
        if self.server is not None and self.thread is not None:
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()
        self.server = None


@pytest.fixture
def console(app: Flask) -> Iterator[Console]:
    console = Console(app).start()
    yield console
    console.stop()


@dataclass
class Desk:
    """Somebody's browser, signed in, whose time the test moves on."""

    context: BrowserContext
    url: str
    asked: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.clock.install()
        page.on("request", lambda request: self.asked.append(request.url.removeprefix(self.url)))
        page.goto(self.url + path)
        expect(page.locator("#live")).to_have_text("Live")
        return page


@pytest.fixture
def desk(console: Console, chromium: Browser, console_as: Callable[..., FlaskClient]) -> Iterator[Callable[..., Desk]]:
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def sit_down(*roles: Role, colours: str = "light", width: int = 1280, height: int = 800) -> Desk:
        client = console_as(*roles)
        cookie = client.get_cookie(COOKIE, path="/console") or client.get_cookie(COOKIE)
        assert cookie is not None
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=colours, reduced_motion="reduce"
        )
        context.set_default_timeout(30_000)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        url = f"http://127.0.0.1:{console.port}"
        context.add_cookies([{"name": COOKIE, "value": cookie.value, "url": url}])
        contexts.append(context)
        return Desk(context, url)

    yield sit_down
    for context in contexts:
        context.close()
    assert errors == []


def harm(study: Study) -> int:
    return safety.report(study, take_in(study).code, by="nurse", description="a fall")


def test_a_new_event_appears_by_itself_while_somebody_types(study: Study, desk: Callable[..., Desk]) -> None:
    person = take_in(study)
    safety.acknowledge(study, harm(study), "Dr Okafor")
    page = desk("safety officer", height=500).open("/console/safety/")
    page.get_by_text("Report an adverse event").click()
    page.get_by_label("Participant").select_option(person.code)
    field = page.get_by_label("What happened")
    field.scroll_into_view_if_needed()
    field.press_sequentially("She slipped on ")
    page.evaluate("window.stood = document.activeElement.getBoundingClientRect().top")
    number = harm(study)
    page.clock.run_for(EVERY)
    expect(page.locator("#alarm")).to_contain_text("New safety event. 1 open.")
    expect(page.locator(f"#event-{number}")).to_contain_text("I take charge of this")
    expect(page.locator("#open-events")).to_contain_text("1")
    expect(page).to_have_title(re.compile(r"^\(1\) Safety"))
    expect(field).to_be_focused()
    assert abs(page.evaluate("document.activeElement.getBoundingClientRect().top - window.stood")) < 1
    page.keyboard.type("the stairs.")
    expect(field).to_have_value("She slipped on the stairs.")
    page.get_by_role("button", name="Report it").click()
    expect(page.locator("#queue")).to_contain_text("She slipped on the stairs.")
    assert safety.event(study, number + 1)["participant"] == person.code


def test_what_is_not_sent_yet_is_left_alone(study: Study, desk: Callable[..., Desk]) -> None:
    """Two officers at the same event: what one of them has chosen stays, though the other was quicker."""
    number = harm(study)
    safety.acknowledge(study, number, "Dr Okafor")
    page = desk("safety officer").open("/console/safety/")
    page.get_by_text("Assess and close").click()
    page.get_by_label("Severity").select_option("moderate")
    page.get_by_role("heading", name="Safety", exact=True).click()  # the focus is elsewhere
    safety.assess(study, number, by="Dr Lindqvist", severity="mild")
    harm(study)
    page.clock.run_for(EVERY)
    expect(page.locator("#queue")).to_contain_text("a fall")
    expect(page.get_by_label("Severity")).to_have_value("moderate")
    page.get_by_label("Severity").select_option("")  # given up: now it may change
    page.clock.run_for(EVERY)
    expect(page.locator(f"#event-{number}")).to_contain_text("Last assessed by Dr Lindqvist")
    expect(page.get_by_label("Severity")).to_have_value("mild")
    expect(page.locator(f"#assess-{number}")).to_have_attribute("open", "")


def test_the_dashboard_follows_and_nothing_is_read_while_nothing_changed(
    study: Study, desk: Callable[..., Desk]
) -> None:
    there = desk("researcher")
    page = there.open("/console/")
    expect(page.locator("#due .big")).to_have_text("0")
    take_in(study)
    page.clock.run_for(EVERY)
    expect(page.locator("#due .big")).to_have_text("1")
    drawn = there.asked.count("/console/?")
    asked = there.asked.count("/console/pulse")
    for time in range(1, 4):
        with page.expect_response("**/console/pulse") as answer:
            page.clock.run_for(EVERY)
        assert answer.value.status == 304
        assert there.asked.count("/console/pulse") >= asked + time
    assert there.asked.count("/console/?") == drawn


def test_a_hidden_page_is_not_drawn_and_still_counts(study: Study, desk: Callable[..., Desk]) -> None:
    there = desk("researcher")
    page = there.open("/console/")
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { configurable: true, get: () => window.away ?? true });"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    harm(study)
    page.clock.run_for(4 * EVERY)
    expect(page).to_have_title(re.compile(r"^\(1\) Dashboard"))
    assert "/console/?" not in there.asked
    expect(page.locator("#alarms")).not_to_contain_text("open safety event")
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#alarms")).to_contain_text("1 open safety event")


def test_it_says_since_when_it_is_not_live_and_comes_back(
    study: Study, console: Console, desk: Callable[..., Desk]
) -> None:
    page = desk("researcher").open("/console/")
    console.stop()
    page.clock.run_for(EVERY)
    expect(page.locator("#live")).to_contain_text("Not live since ")
    take_in(study)
    console.start()
    page.clock.run_for(3 * EVERY)
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("#due .big")).to_have_text("1")


def test_an_alarm_sounds_for_who_wants_it(study: Study, desk: Callable[..., Desk]) -> None:
    there = desk("safety officer")
    there.context.add_init_script(
        "window.tones = 0; const make = AudioContext.prototype.createOscillator;"
        "AudioContext.prototype.createOscillator = function () { window.tones += 1; return make.call(this); };"
    )
    page = there.open("/console/")
    harm(study)
    page.clock.run_for(EVERY)
    expect(page.locator("#alarm")).to_contain_text("New safety event")
    assert page.evaluate("window.tones") == 0  # nobody asked for it
    page.get_by_role("button", name="Alarm sound: off").click()
    expect(page.get_by_role("button", name="Alarm sound: on")).to_have_attribute("aria-pressed", "true")
    until(lambda: page.evaluate("window.tones") == 6)  # so it sounds: heard once when it is switched on
    harm(study)
    page.clock.run_for(EVERY)
    until(lambda: page.evaluate("window.tones") == 12)
    page.get_by_role("button", name="Hide this").click()
    expect(page.locator("#alarm")).to_be_empty()


def test_the_days_are_reached_by_keyboard(study: Study, desk: Callable[..., Desk]) -> None:
    people = [take_in(study) for _ in range(3)]
    page = desk("researcher").open("/console/")
    page.get_by_role("region", name="Who did which day").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#adherence a").first).to_be_focused()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator(".reading")).to_have_text(f"{people[1].code}, Day 2: still to come")
    page.keyboard.press("Tab")  # one stop for the whole table
    assert not page.evaluate("document.activeElement.closest('table[role=grid]')")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(study: Study, desk: Callable[..., Desk], colours: str) -> None:
    people = [take_in(study) for _ in range(6)]
    for person in people[:4]:
        visit = visits.today(study, person)
        assert visit is not None
        visits.rate(study, visit, "before", 60)
    closed = harm(study)
    safety.acknowledge(study, closed, "Dr Okafor")
    safety.assess(study, closed, by="Dr Okafor", outcome="recovered", close=True)
    safety.acknowledge(study, harm(study), "Dr Okafor")
    harm(study)
    halting.halt(study, "participant", people[5].code, by="Dr Okafor", why="asked us to wait")
    devices.by_token(study, devices.issue(study, "robot-1", by="test"))
    devices.issue(study, "robot-2", by="test")
    there = desk("researcher", "safety officer", colours=colours)
    for path in ("/console/", "/console/safety/", "/console/devices/"):
        page = there.open(path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert_accessible(page)
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path
        assert_accessible(page)
    page.get_by_label("The device’s name").fill("robot-3")
    page.get_by_role("button", name="Issue the token").click()
    expect(page.locator(".secret")).to_contain_text("robot-3.")
    assert_accessible(page)
    page = there.open("/console/safety/")
    harm(study)
    page.clock.run_for(EVERY)
    expect(page.locator("#alarm")).to_contain_text("New safety event")
    assert_accessible(page)
    assert_accessible(desk("analyst", colours=colours).open("/console/"))


def assert_accessible(page: Page) -> None:
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    assert found.violations_count == 0, found.generate_report()

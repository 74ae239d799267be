"""Other languages in a real browser: a German day, and one that runs from right to left and has no word of its own.

The second language is made by the test: every English text with each letter replaced by a Hebrew one. So a Latin letter
on a page is a sentence that stands in no catalogue, and a page that was drawn for left to right shows it.
"""

import re
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from babel.messages.pofile import read_po, write_po
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

import study.protocol
import study.texts
import therapist._datafiles
from catalogues import Source
from portal.app import create_app
from study.clock import Clock
from study.enrolment import come, take_in
from study.study import Study, create
from tests import trial
from tests.conftest import HandClock
from tests.e2e.faulty import SlowModel
from therapist.engines import open_engine
from therapist.screen import Screen

HEBREW = {chr(ord("a") + number): chr(0x05D0 + number % 22) for number in range(26)}
LATIN = re.compile(r"[A-Za-zÀ-ÿ]{2,}")
CODES = re.compile(r"Europe/London|\b[A-Z2-9]{6}\b|\{\w+\}")
"""What is the same in every language: a time zone's name, a participant's code, a name that a script fills in."""

VISIBLE = """
(own) => {
  const found = [];
  for (const element of document.querySelectorAll("body, body *")) {
    // What a researcher, a participant or a model wrote is theirs, and a measure has a language of its own.
    if (element.closest(own) || element.closest("script, style")) continue;
    if (element.closest("[lang]").lang !== document.documentElement.lang) continue;
    for (const name of ["aria-label", "title", "alt", "placeholder", "aria-valuetext"]) {
      if (element.hasAttribute(name)) found.push(element.getAttribute(name));
    }
    for (const [name, value] of Object.entries(element.dataset)) {
      if (value.includes(" ") && name !== "sent") found.push(value);
    }
    for (const node of element.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) found.push(node.textContent.trim());
    }
  }
  return found.filter((text) => text);
}
"""

OWN = ".study, .contacts, .turns [data-reply-to] .text, .turns .participant .text, textarea, [data-own], .course-key .mark"


def pseudo(text: str) -> str:
    """The text with Hebrew letters, but for the names in curly brackets."""
    return "".join(
        part if part.startswith("{") else "".join(HEBREW.get(letter.lower(), letter) for letter in part)
        for part in re.split(r"(\{\w+\})", text)
    )


def made(source: Source, folder: Path) -> Source:
    """The source with a complete pseudo-Hebrew catalogue beside its others."""
    there = replace(source, catalogues=str(folder))
    path = there.update("he")
    with path.open("rb") as file:
        catalog = read_po(file, locale="he")
    for message in catalog:
        if isinstance(message.id, tuple):
            message.string = tuple(pseudo(message.id[1]) for _ in range(catalog.num_plurals))
        elif message.id:
            message.string = pseudo(message.id)
    with path.open("wb") as file:
        write_po(file, catalog, width=0)
    assert there.mistakes("he") == []
    return there


@pytest.fixture
def hebrew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A language called he, for this process and this test."""
    of_study = made(study.texts.SOURCE, tmp_path / "study-texts")
    of_therapist = made(therapist._datafiles.SOURCE, tmp_path / "therapist-texts")
    monkeypatch.setattr(study.texts, "SOURCE", of_study)
    monkeypatch.setattr(study.protocol, "SOURCE", of_study)
    monkeypatch.setattr(therapist._datafiles, "SOURCE", of_therapist)
    english = Screen.load("en")
    monkeypatch.setattr(Screen, "load", classmethod(lambda cls, language="en": english))
    yield
    study.texts.texts.cache_clear()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(30)
    app.extensions["bedside"].close()


@contextmanager
def phone(chromium: Browser, locale: str) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale=locale, reduced_motion="reduce")
    context.set_default_timeout(30_000)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context.new_page()
    context.close()
    assert errors == []


def study_in(folder: Path, language: str, clock: Clock, *more: tuple[str, str]) -> Study:
    path = create(folder)
    text = path.read_text().replace('language = "en"', f'language = "{language}"')
    for old, new in (("block_sizes = [3, 6] ", "block_sizes = [3] "), *more):
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text)
    return Study.open(folder, clock=clock)


def link(opened: Study, arm: str) -> str:
    while True:
        somebody = take_in(opened)
        if somebody.arm.name == arm:
            return opened.participant_path(somebody.code)


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def look(page: Page, keep: Path) -> Callable[[str], None]:
    """Holds what the page shows now to its language, its direction and its window."""
    protocol = tomllib.loads((keep / "mystudy" / "study.toml").read_text())
    # What the researcher wrote; but "yes" and "no" in a rule are codes, and what a participant reads is a text of ours.
    written = {part for text in strings(protocol) for part in text.split("\n\n")} - {"yes", "no"}

    def at(name: str) -> None:
        page.screenshot(path=keep / f"{name}.png", full_page=True)
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["he", "rtl"], name
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px too wide"
        foreign = [text for text in page.evaluate(VISIBLE, OWN) if LATIN.search(CODES.sub("", text))]
        foreign = [text for text in foreign if text not in written]
        assert foreign == [], name

    return at


@pytest.mark.timeout(600)
def test_every_page_runs_from_right_to_left_and_has_no_text_of_its_own(
    hebrew: None, chromium: Browser, tmp_path: Path, clock: HandClock
) -> None:
    folder = tmp_path / "mystudy"
    opened = study_in(folder, "he", clock, ('kind = "transformers"\nmodel = "smollm2"', 'kind = "eliza"'))
    opened.close()
    trial.write(folder)
    text = (folder / "study.toml").read_text()
    text = re.sub(r'(measure = "(?:k10|phq9|ucla3)"\n)', r'\1language = "en"\n', text)
    (folder / "study.toml").write_text(text)
    opened = Study.open(folder, clock=clock)
    app = create_app(opened, {opened.protocol.engine: open_engine("eliza")})
    with served(app) as url, phone(chromium, "he-IL") as page:
        at = look(page, tmp_path)
        # Coming
        page.goto(f"{url}{opened.join_path()}")
        at("join")
        somebody = come(opened)
        page.goto(url + opened.participant_path(somebody.code))
        page.locator("form.questions button").click()
        at("screening")
        trial.fill(opened, somebody.code)
        page.goto(url + opened.participant_path(somebody.code))
        at("identity")
        other = come(opened)
        trial_until_consent(opened, other.code)
        page.goto(url + opened.participant_path(other.code))
        page.locator("button[value=agree]").click()
        at("consent")
        page.goto(f"{url}/p/ABCDEF/nothing/")
        at("error")
        # A day with a worksheet
        home = url + enrolled(opened, "worksheet")
        page.goto(home)
        at("today")
        for way in ("stop", "talk", "leave", "consent/copy", "paper"):
            page.goto(home + way)
            at(way.replace("/", "-"))
        page.goto(home + "now")
        page.locator("button[type=submit]").click()
        at("rating")
        the_line_runs_from_right_to_left(page)
        page.locator("button[type=submit]").click()
        expect(page.locator("form[data-step]").first).to_be_visible()
        at("worksheet")
        page.locator("textarea").first.fill("לא")
        # A conversation
        home = url + enrolled(opened, "chat")
        page.goto(home + "now")
        page.locator("#value[type=range]").press("Home")
        page.locator("button[type=submit]").click()
        page.locator("#words").fill("אני עייף היום ולא ישנתי בלילה")
        page.locator("#say button").click()
        expect(page.locator("#turns li")).to_have_count(3)
        at("chat")
        mine, theirs = page.locator("#turns li.participant").first, page.locator("#turns li.therapist").first
        own, other_box = mine.bounding_box(), theirs.bounding_box()
        assert own
        assert other_box
        assert own["x"] < other_box["x"], "one's own words stand at the end of the line: on the left"
        page.locator("#words").fill("I want to kill myself")
        page.locator("#say button").click()
        expect(page.locator("#say")).to_have_count(0)
        at("stopped")
        # The robot's page
        page.goto(url + enrolled(opened, "robot") + "now")
        at("robot")
    opened.close()


def trial_until_consent(opened: Study, code: str) -> None:
    from study import forms

    while (due := forms.due_before_enrolment(opened, opened.person(code))) and opened.person(code).state == "screening":
        given = trial.FIT if due.measure == forms.SCREENING else trial.answers(opened, due.measure)
        forms.submit(opened, code, due, given)


def enrolled(opened: Study, arm: str) -> str:
    while True:
        somebody = trial.join(opened)
        if somebody.arm.name == arm:
            return opened.participant_path(somebody.code)


def the_line_runs_from_right_to_left(page: Page) -> None:
    """None at all is at the right end, and the arrow to the left leads away from it."""
    low, high, line = (page.locator(place).bounding_box() for place in ("#low", "#high", "#value"))
    assert low
    assert high
    assert line
    assert low["x"] > high["x"]
    page.mouse.click(line["x"] + 0.25 * line["width"], line["y"] + line["height"] / 2)
    assert 65 <= int(page.locator("#value").input_value()) <= 85
    page.locator("#value[type=range]").press("Home")
    page.locator("#value[type=range]").press("ArrowLeft")
    page.locator("#value[type=range]").press("ArrowLeft")
    page.locator("#value[type=range]").press("ArrowRight")
    assert page.locator("#value").input_value() == "1"


@pytest.mark.timeout(600)
def test_a_german_day(chromium: Browser, tmp_path: Path, clock: HandClock) -> None:
    model = SlowModel()
    model.pieces = ("Du hast mir erzählt, ", "dass die Prüfung schwer war. ", "Daran denkst du noch.")
    remote = (
        'kind = "transformers"\nmodel = "smollm2"',
        f'kind = "openai"\nbase_url = "{model.url}"\nmodel = "slow"',
    )
    opened = study_in(
        tmp_path / "studie", "de", clock, remote, ("assist = true ", "assist = false "), ("London", "Berlin")
    )
    engine = open_engine("openai", model="slow", base_url=model.url)
    app = create_app(opened, {opened.protocol.engine: engine})
    with served(app) as url, phone(chromium, "de-DE") as page:
        page.goto(url + link(opened, "chat"))
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["de", "ltr"]
        expect(page.get_by_role("heading", name="Dein Termin für heute")).to_be_visible()
        expect(page.get_by_text("nach der Uhr deiner Zeitzone Europe/Berlin")).to_be_visible()
        page.get_by_role("link", name="Anfangen").click()
        rate(page, 60)
        expect(page.get_by_text("Was ist passiert, in einem Moment der letzten Tage")).to_be_visible()
        page.get_by_label("Deine Nachricht").fill("Ich habe gestern die Prüfung nicht bestanden und denke noch daran.")
        page.get_by_role("button", name="Senden").click()
        reply = page.locator("#turns li.therapist").last
        expect(reply).to_contain_text("Du hast mir erzählt, dass die Prüfung schwer war.")
        expect(reply).to_contain_text("Was ging dir in diesem Moment durch den Kopf?")
        # A worksheet that nobody answers
        home = url + link(opened, "worksheet")
        page.goto(home + "now")
        rate(page, 40)
        for number in range(1, 9):
            field = page.locator("textarea").first
            field.fill(f"Das ist meine Antwort Nummer {number}, in ganzen Sätzen.")
            page.get_by_role("button", name="Diese Antwort bestätigen").first.click()
            expect(page.locator("p.answer")).to_have_count(number)
        page.get_by_role("link", name="Weiter").click()
        rate(page, 25)
        expect(page.get_by_role("heading", name="Danke")).to_be_visible()
        expect(page.get_by_text("Dein nächster Termin öffnet am Dienstag, 3. März, 04:00 Uhr.")).to_be_visible()
        # Words of danger, in a message without umlauts
        page.goto(url + link(opened, "chat") + "now")
        rate(page, 90)
        page.get_by_label("Deine Nachricht").fill("ich moechte mich toeten")
        page.get_by_role("button", name="Senden").click()
        expect(page.get_by_role("heading", name="Für heute hören wir hier auf")).to_be_visible()
    opened.close()
    model.shutdown()
    model.server_close()


def rate(page: Page, value: int) -> None:
    line = page.locator("#value")
    line.press("Home")
    page.evaluate(
        "(value) => { const line = document.querySelector('#value'); line.value = value;"
        " line.dispatchEvent(new Event('input', { bubbles: true })); }",
        value,
    )
    page.get_by_role("button", name="Weiter").click()

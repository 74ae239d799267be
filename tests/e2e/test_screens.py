"""Every screen, on a phone and on a desk, as docs/screens.md shows them.

`make screens` runs this and keeps the pictures in docs/pictures/screens. In any run each screen must fit its window, axe
must find nothing on it, and docs/screens.md must show each screen and no other.
"""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from study.access import accounts, devices
from study.enrolment import come
from study.study import Study
from tests.e2e.conftest import Server, rate, sign_in
from tests.e2e.past import study_with_a_past
from tests.e2e.test_access import assert_accessible

DOCS = Path(__file__).parents[2] / "docs"

SIZES = {"phone": (390, 844), "desk": (1280, 800)}

LONGEST = 2600
"""A picture shows so much of a page, in pixels from the top."""

COLOURS = 64
"""So many a picture has: enough for a page, and a fifth of the bytes."""


class Album:
    """Takes each screen in both sizes, and remembers what was taken."""

    def __init__(self, keep: bool) -> None:
        self.keep = keep
        self.taken: dict[str, list[tuple[str, str]]] = {}
        self.part = ""

    def begin(self, part: str) -> None:
        self.part = part
        self.taken[part] = []

    def take(self, page: Page, name: str, title: str) -> None:
        size = page.viewport_size
        assert size is not None
        for kind, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{name} is {wide} px too wide on a {kind}"
            page.evaluate("scrollTo(0, 0)")
            picture = page.screenshot(full_page=True, animations="disabled", caret="hide")
            if self.keep:
                self._save(picture, f"{name}-{kind}.png")
        page.set_viewport_size(size)
        assert_accessible(page)
        self.taken[self.part].append((name, title))

    def _save(self, picture: bytes, name: str) -> None:
        image = Image.open(io.BytesIO(picture)).convert("RGB")
        image = image.crop((0, 0, image.width, min(image.height, LONGEST)))
        target = DOCS / "pictures" / "screens" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        image.quantize(COLOURS).save(target, optimize=True)

    def page(self) -> str:
        """docs/screens.md."""
        lines = [
            "# Every screen",
            "",
            "As `make screens` takes them, of a study with invented participants, a week after they came. Each is shown on a",
            "phone (390 pixels wide) and on a desk (1280).",
        ]
        for part, screens in self.taken.items():
            lines += ["", f"## {part}"]
            for name, title in screens:
                lines += [
                    "",
                    f"### {title}",
                    "",
                    f"| ![{title}, on a phone](pictures/screens/{name}-phone.png) "
                    f"| ![{title}, on a desk](pictures/screens/{name}-desk.png) |",
                    "|---|---|",
                ]
        return "\n".join(lines) + "\n"


@pytest.fixture
def window(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, reduced_motion="reduce", locale="en-GB")
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.mark.timeout(600)
def test_every_screen_fits_its_window_and_is_in_the_documents(
    serve: Callable[..., Server],
    window: BrowserContext,
    tmp_path: Path,
    own_configuration: Path,
) -> None:
    folder = tmp_path / "study"
    study = study_with_a_past(folder)
    album = Album(keep=bool(os.environ.get("BEDSIDE_KEEP_SCREENS")))
    server = serve("serve", str(folder))
    _joining(album, study, server, window.new_page())
    _the_day(album, study, server, window.new_page())
    _ways_out(album, study, server, window.new_page())
    _console(album, study, server, folder, window.new_page())
    study.close()
    path = DOCS / "screens.md"
    if album.keep:
        path.write_text(album.page())
    assert path.read_text() == album.page()
    pictures = {f"{name}-{kind}.png" for part in album.taken.values() for name, _ in part for kind in SIZES}
    assert {picture.name for picture in (DOCS / "pictures" / "screens").glob("*.png")} == pictures


def _joining(album: Album, study: Study, server: Server, page: Page) -> None:
    album.begin("Joining")
    page.goto(server.url + study.join_path())
    album.take(page, "join", "The study's door")
    _send(page, "Begin")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("alert").first.wait_for()
    album.take(page, "screening", "The screening, with questions left open")
    page.get_by_label("How old are you?").fill("17")
    for question in page.get_by_role("group").all():
        question.get_by_role("radio").first.check()
    _send(page, "Continue")
    _lowest(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("This study does not suit you")
    album.take(page, "ineligible", "Who cannot take part")
    person = come(study)
    page.goto(server.url + study.participant_path(person.code))
    page.get_by_label("How old are you?").fill("22")
    for name, answer in (("student", "yes"), ("gender", "woman"), ("therapy", "no")):
        page.locator(f'input[name="item-{name}"][value="{answer}"]').check()
    _send(page, "Continue")
    album.take(page, "measure", "A measure, made from its data")
    _lowest(page)
    album.take(page, "consent", "The consent")
    for box in page.get_by_role("checkbox").all():
        box.check()
    _send(page, "I agree and take part")
    album.take(page, "identity", "How to reach a participant")
    page.get_by_label("Your name").fill("Robin Example")
    page.get_by_label("Your e-mail address").fill("robin@example.org")
    _send(page, "Continue")
    while page.locator("form.questions").count():
        _lowest(page)
    album.take(page, "enrolled", "Enrolled, before the first day")
    page.goto(server.url + study.participant_path(person.code) + "consent/copy")
    album.take(page, "consent_copy", "What was agreed to, to keep")


def _send(page: Page, name: str) -> None:
    """Press a button that brings another page, and wait for that page."""
    with page.expect_navigation():
        page.get_by_role("button", name=name).click()


def _lowest(page: Page) -> None:
    """Give the lowest answer to each item, and go on."""
    for question in page.locator("fieldset.field").all():
        question.get_by_role("radio").first.check()
    for number in page.locator(".field input[type=number]").all():
        number.fill("40")
    _send(page, "Continue")


def _link(study: Study, server: Server, medium: str, place: int = 0) -> str:
    people = [person for person in study.participants() if person.arm.medium == medium and person.status == "active"]
    return server.url + study.participant_path(people[place].code)


def _begin(page: Page, link: str) -> None:
    """Open today's visit and give what is asked before the rating."""
    page.goto(link)
    with page.expect_navigation():
        page.locator("#next").click()
    while page.locator("form.questions").count():
        _lowest(page)


def _the_day(album: Album, study: Study, server: Server, page: Page) -> None:
    album.begin("The day")
    chat = _link(study, server, "chat")
    page.goto(chat)
    album.take(page, "today", "Today: one thing to do next")
    _begin(page, chat)
    album.take(page, "rating", "The rating, before a place is chosen")
    page.locator("#value[type=range]").focus()
    page.keyboard.press("End")
    for _ in range(38):
        page.keyboard.press("ArrowLeft")
    album.take(page, "rating_chosen", "The rating, with a place chosen")
    _send(page, "Continue")
    for words in ("I failed my exam yesterday and I keep thinking about it.", "That I am not good enough for this."):
        count = page.locator("li.therapist[data-number]").count()
        page.get_by_label("Your message").fill(words)
        page.get_by_role("button", name="Send").click()
        page.locator("li.therapist[data-number]").nth(count).wait_for()
    album.take(page, "chat", "The chat")
    sheet = _link(study, server, "worksheet")
    _begin(page, sheet)
    rate(page, 55)
    page.locator("textarea").first.fill("I failed my exam yesterday.")
    page.get_by_role("button", name="Confirm this answer").first.click()
    page.get_by_text("Confirmed", exact=True).first.wait_for()
    album.take(page, "worksheet", "The worksheet")
    page.goto(sheet + "paper")
    album.take(page, "worksheet_paper", "The worksheet to print")
    robot = _link(study, server, "robot")
    _begin(page, robot)
    album.take(page, "robot", "The robot's page: no robot is connected")
    token = devices.issue(study, "robot-2", by="Dr Ada Example")
    page.request.post(
        server.url + "/api/v1/telemetry",
        headers={"Authorization": f"Bearer {token}"},
        data={"battery": 0.82, "latency_ms": 21, "state": "idle"},
    )
    page.reload()
    album.take(page, "robot_ready", "The robot's page: it is ready")


def _ways_out(album: Album, study: Study, server: Server, page: Page) -> None:
    album.begin("Ways out")
    link = _link(study, server, "worksheet", 1)
    page.goto(link)
    for path, name, title in (
        ("talk", "talk", "To talk to a person"),
        ("stop", "stop", "To stop for today"),
        ("leave", "leave", "To leave the study"),
    ):
        page.goto(link + path)
        album.take(page, name, title)
    crisis = _link(study, server, "chat", 1)
    _begin(page, crisis)
    rate(page, 70)
    page.get_by_label("Your message").fill("I want to die.")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("heading", name="Let's stop here for today").wait_for()
    album.take(page, "stopped", "A visit that the safety screen stopped: no model is near it")
    page.goto(server.url + "/p/NOBODY/abc/")
    album.take(page, "error", "A link that is not right")


def _console(album: Album, study: Study, server: Server, folder: Path, page: Page) -> None:
    album.begin("The console")
    page.goto(server.url + "/console/sign-in")
    album.take(page, "sign_in", "Signing in")
    page.goto(f"{server.url}/console/welcome/{accounts.add(study, 'Sam', ['coordinator'], by='Dr Ada Example')}")
    album.take(page, "welcome", "The one-time link of a new account")
    sign_in(page, server, folder, "researcher", "administrator")
    code = study.participants()[0].code
    done = study.records.rows("SELECT id FROM visit WHERE state = 'done' ORDER BY id DESC")[0]["id"]
    live = study.records.rows("SELECT id FROM visit WHERE state = 'exercise' ORDER BY id")[0]["id"]
    for path, name, title in (
        ("", "dashboard", "The dashboard"),
        ("people/", "people", "Participants"),
        (f"people/{code}/", "person", "One participant"),
        (f"people/{code}/link", "person_link", "A participant's link"),
        (f"people/{code}/values/", "person_values", "Values, and their corrections"),
        (f"people/{code}/identity", "person_identity", "Looking up who somebody is"),
        ("people/new", "person_new", "Inviting or enrolling somebody"),
        ("transcripts/", "transcripts", "Transcripts"),
        (f"transcripts/visits/{done}", "transcript", "One visit, and its replay"),
        (f"transcripts/visits/{live}/live", "live", "A visit under way, before it is taken over"),
        ("safety/", "safety", "The safety queue"),
        ("devices/", "devices", "Robots"),
        ("data/", "data", "Exports"),
        ("protocol/", "protocol", "The protocol, as a person reads it"),
        ("accounts/", "accounts", "Accounts"),
        ("own/", "own", "One's own account"),
        ("paper/", "paper", "Blank worksheets to print"),
    ):
        answer = page.goto(f"{server.url}/console/{path}")
        assert answer
        assert answer.status == 200, path
        album.take(page, name, title)

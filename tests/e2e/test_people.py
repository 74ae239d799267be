"""The console's people, data and protocol in a browser: enrolled from paper, corrected, exported, looked up; and every
page of it free of violations, by phone and by desk, light and dark."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from study import visits
from study.correcting import corrections
from study.enrolment import take_in
from study.study import Study
from tests import trial
from tests.e2e.conftest import Server, sign_in
from tests.e2e.test_access import assert_accessible


def choose_all(page: Page) -> None:
    """Enter the first answer of every item, and the screening's."""
    for field in page.locator("main select").all():
        field.select_option(index=1)
    page.get_by_label("How old are you?").fill("20")
    page.get_by_label("What is your sex?").select_option("female")
    page.get_by_label("Are you in psychotherapy now?").select_option("no")


def test_somebody_is_enrolled_from_paper_corrected_and_exported(
    serve: Callable[..., Server], chromium: Browser, folder: Path
) -> None:
    trial.write(folder)
    server = serve("serve", str(folder))
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    name = sign_in(page, server, folder, "researcher")

    page.get_by_role("link", name="Participants").click()
    page.get_by_role("link", name="Invite or enrol somebody").click()
    page.get_by_role("link", name="Enter a participant").click()
    page.get_by_role("button", name="Enrol").click()
    expect(page.locator(".mistake[role=alert]")).to_contain_text("each is marked")
    assert_accessible(page)
    page.goto(server.url + "/console/people/new/paper")
    choose_all(page)
    page.get_by_label("I have read what the study is.").check()
    page.get_by_label("I take part of my own free will.").check()
    page.get_by_label("Who saw them sign").fill("Nurse Adeyemi")
    page.get_by_role("button", name="Enrol").dblclick()
    expect(page.get_by_text("Nurse Adeyemi vouches for it")).to_be_visible()
    code = page.get_by_role("heading", level=1).inner_text()
    study = Study.open(folder)
    assert [person.code for person in study.people()] == [code]
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text(code)
    assert [person.code for person in study.people()] == [code]

    visit = visits.today(study, study.participant(code))
    assert visit is not None
    visits.rate(study, visit, "before", 35)
    page.get_by_role("link", name="Values and corrections").click()
    page.get_by_role("link", name="Correct distress distress").click()
    other = context.new_page()
    other.goto(page.url)
    page.get_by_label("It should have been").fill("53")
    page.get_by_label("Why").fill("the paper says 53")
    page.get_by_role("button", name="Correct it").dblclick()
    expect(page.get_by_text("corrected; given was 35")).to_be_visible()
    assert_accessible(page)
    other.get_by_label("It should have been").fill("80")
    other.get_by_label("Why").fill("a page that was old")
    other.get_by_role("button", name="Correct it").click()
    expect(other.locator(".mistake[role=alert]")).to_contain_text("changed since you looked")
    assert_accessible(other)
    other.close()
    [corrected] = corrections(study, code)
    assert (corrected["value"], corrected["corrected_by"]) == (53, name)
    study.close()

    page.get_by_role("link", name="Data").click()
    page.get_by_label("What was said in the exercises").uncheck()
    page.get_by_role("button", name="Make the export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        rows = list(csv.DictReader(io.StringIO(packed.read("bedside-whole/rating.csv").decode())))
        assert [(row["value"], row["corrected"]) for row in rows] == [("53", "1")]
        assert "bedside-whole/transcripts.jsonl" not in packed.namelist()
    page.reload()
    expect(page.get_by_text("It was downloaded")).to_be_visible()
    assert_accessible(page)
    context.close()


def test_every_page_of_people_data_and_the_protocol_is_free_of_violations(
    serve: Callable[..., Server], chromium: Browser, folder: Path
) -> None:
    trial.write(folder)
    study = Study.open(folder)
    person, other = trial.join(study), trial.join(study)
    visit = visits.today(study, person)
    assert visit is not None
    visits.rate(study, visit, "before", 35)
    study.close()
    server = serve("serve", str(folder))
    home = f"/console/people/{person.code}/"
    pages = [
        "/console/people/",
        "/console/people/?state=declined",
        "/console/people/new",
        "/console/people/new/paper",
        "/console/people/looks",
        home,
        home + "log",
        home + "link",
        home + "hand-out",
        home + "move",
        home + "withdraw",
        home + "values/",
        home + "values/rating/1",
        home + "values/answer/3",
        home + "identity",
        "/console/data/",
        "/console/protocol/",
    ]
    for colours, width in (("light", 1280), ("dark", 390)):
        context = chromium.new_context(
            viewport={"width": width, "height": 844}, color_scheme=colours, reduced_motion="reduce"
        )
        page = context.new_page()
        sign_in(page, server, folder, "researcher")
        for path in pages:
            page.goto(server.url + path)
            assert_accessible(page)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{path} is {wide} pixels too wide at {width}"
        page.goto(server.url + home + "identity")
        page.get_by_label("Why do you look?").fill("a missed visit")
        page.get_by_role("button", name="Show it").click()
        expect(page.get_by_text("Your look is recorded.")).to_be_visible()
        assert_accessible(page)
        page.goto(f"{server.url}/console/people/{other.code}/withdraw")
        page.get_by_label("Erase it").check()
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("This cannot be undone.")).to_be_visible()
        assert_accessible(page)
        page.get_by_role("button", name="Withdraw and erase").click()
        expect(page.locator(".mistake[role=alert]")).to_contain_text("type the code")
        assert_accessible(page)
        page.goto(server.url + home + "move")
        page.get_by_role("button", name="Move them").click()
        expect(page.locator(".mistake[role=alert]")).to_be_visible()
        assert_accessible(page)
        context.close()


def test_the_link_is_copied_by_a_button_and_by_keyboard(
    serve: Callable[..., Server], chromium: Browser, folder: Path
) -> None:
    study = Study.open(folder)
    person = take_in(study)
    path = study.participant_path(person.code)
    study.close()
    server = serve("serve", str(folder))
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    page = context.new_page()
    sign_in(page, server, folder, "coordinator")
    page.goto(f"{server.url}/console/people/{person.code}/link")
    page.get_by_role("button", name="Copy the link").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The link is copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == server.url + path
    context.close()

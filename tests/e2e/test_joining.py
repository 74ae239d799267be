"""A whole trial in a real browser: from the door through consent to the first day, and an answer that means danger."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from study.study import Study
from tests import trial
from tests.e2e.conftest import Server, rate, sign_in
from tests.e2e.test_access import assert_accessible


def answer_all(page: Page, measure: str, choice: int = 0, **others: int) -> None:
    """Choose the same answer for every item once the measure is there; `others` are items answered otherwise."""
    page.locator(f'form.questions[data-measure="{measure}"]').wait_for()
    for group in page.locator("fieldset").all():
        options = group.get_by_role("radio")
        name = options.first.get_attribute("name") or ""
        options.nth(others.get(name.replace("-", ""), choice)).check()
    page.get_by_role("button", name="Continue").click()


def come(page: Page, server: Server, study: Study) -> None:
    page.goto(server.url + study.join_path())
    assert_accessible(page)
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", name="Does the study suit you?")).to_be_visible()


def screen(page: Page, age: str = "20") -> None:
    page.get_by_label("How old are you?").fill(age)
    page.get_by_label("female", exact=True).check()
    page.get_by_label("No", exact=True).check()
    page.get_by_role("button", name="Continue").click()


def consent_and_identity(page: Page) -> None:
    expect(page.get_by_role("heading", name="What the study is about")).to_be_visible()
    page.get_by_role("button", name="I agree and take part").click()
    expect(page.get_by_role("alert")).to_contain_text("please tick every statement")
    assert_accessible(page)
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="I agree and take part").click()
    page.get_by_label("Your name").fill("Maya Lindqvist")
    page.get_by_label("Your e-mail address").fill("maya@example.org")
    assert_accessible(page)
    page.get_by_role("button", name="Continue").click()


def test_from_the_door_to_the_end_of_the_first_day(
    serve: Callable[..., Server], chromium: Browser, folder: Path, tmp_path: Path
) -> None:
    trial.write(folder, ('name = "robot"\nmedium = "robot"', 'name = "robot"\nmedium = "chat"'))
    server = serve("serve", str(folder))
    study = Study.open(folder)
    context = chromium.new_context(viewport={"width": 390, "height": 780}, timezone_id="America/Lima", locale="en-GB")
    page = context.new_page()
    come(page, server, study)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("Please answer the questions that are marked.")
    assert_accessible(page)
    screen(page)
    expect(page.get_by_text("past 4 weeks").first).to_be_visible()
    assert_accessible(page)
    page.screenshot(path=tmp_path / "k10.png", full_page=True)
    answer_all(page, "k10")
    consent_and_identity(page)
    answer_all(page, "phq9")
    expect(page.get_by_text("lack companionship")).to_be_visible()
    page.reload()
    answer_all(page, "ucla3")
    expect(page.get_by_role("heading", name="Your visit for today")).to_be_visible()
    [person] = study.participants()
    assert str(person.zone) == "America/Lima"
    rate(page, 60)
    page.get_by_role("link", name="What I agreed to").click()
    expect(page.get_by_role("heading", name="What I agreed to")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Leave the study").click()
    assert_accessible(page)
    page.get_by_label("Please erase it").check()
    page.get_by_role("button", name="Leave the study").click()
    expect(page.get_by_role("heading", name="You have left the study")).to_be_visible()
    assert_accessible(page)
    assert study.records.rows("SELECT * FROM answer") == []
    study.close()
    context.close()


def test_an_answer_that_means_danger_and_one_that_excludes(
    serve: Callable[..., Server], chromium: Browser, folder: Path
) -> None:
    trial.write(folder, ("[robot]", '[blinding]\nroles = ["analyst"]\n\n[robot]'))
    server = serve("serve", str(folder))
    study = Study.open(folder)
    context = chromium.new_context(viewport={"width": 390, "height": 780}, color_scheme="dark", reduced_motion="reduce")
    page = context.new_page()
    come(page, server, study)
    screen(page, age="16")
    answer_all(page, "k10")
    expect(page.get_by_text("The study is for adults.")).to_be_visible()
    assert_accessible(page)
    come(page, server, study)
    screen(page)
    answer_all(page, "k10")
    consent_and_identity(page)
    answer_all(page, "phq9", item9=1)
    expect(page.get_by_role("heading", name="Let's stop here for today")).to_be_visible()
    expect(page.get_by_text("Samaritans").first).to_be_visible()
    page.set_viewport_size({"width": 1200, "height": 900})
    officer = sign_in(page, server, folder, "safety officer")
    page.goto(server.url + "/console/safety/")
    expect(page.get_by_role("heading", name="Event 1: self_harm")).to_be_visible()
    page.get_by_role("button", name="I take charge of this").click()
    expect(page.get_by_text(f"{officer} took charge")).to_be_visible()
    page.get_by_text("Assess and close").click()
    assert_accessible(page)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, server, folder, "analyst")
    assert_accessible(page)
    study.close()
    context.close()

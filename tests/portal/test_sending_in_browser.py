"""What a form keeps in the browser until the server has it: without the link, nothing of who somebody is, and all the
rest for as long as it is not taken."""

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, Route, expect

from portal.app import create_app
from study import enrolment, forms, identity
from study.study import Study
from study.texts import texts
from tests import trial
from tests.portal.test_waiting_in_browser import address, page
from therapist.engines import open_engine

__all__ = ["address", "page"]

SCREENS = texts("en", "screens")


@pytest.fixture
def app(whole: Study) -> Iterator[Flask]:
    app = create_app(whole, {whole.protocol.engine: open_engine("eliza")})
    yield app
    app.extensions["bedside"].close()


@pytest.fixture
def path(whole: Study) -> str:
    """The link of somebody who has consented and is asked who they are."""
    person = enrolment.come(whole)
    while (due := forms.due_before_enrolment(whole, person)) is not None and person.state == "screening":
        given = trial.FIT if due.measure == forms.SCREENING else trial.answers(whole, due.measure)
        forms.submit(whole, person.code, due, given)
        person = whole.person(person.code)
    enrolment.give_consent(whole, person.code, statements=[0, 1])
    return whole.participant_path(person.code)


def stored(page: Page) -> str:
    found: str = page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    return found


def test_who_somebody_is_stands_in_no_storage(path: str, address: str, page: Page, whole: Study) -> None:
    page.goto(f"{address}{path}")
    page.get_by_label(SCREENS["identity"]["name"]).fill("Ada Participant")
    page.get_by_label(SCREENS["identity"]["email"]).fill("ada@example.org")
    page.route("**/identity", lambda route: route.abort())
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("status")).to_have_text(SCREENS["sending"]["offline"])
    assert stored(page) == "{}"
    page.unroute("**/identity")  # what stands on the page is sent when the line is back
    expect(page.get_by_role("heading", name=SCREENS["form"]["title"])).to_be_visible()
    assert identity.contact(whole, path.split("/")[2])["email"] == "ada@example.org"


@pytest.mark.parametrize("status", [429, 409, 500])
def test_answers_that_the_server_did_not_take_are_kept_without_the_link_and_can_be_sent_again(
    path: str, address: str, page: Page, whole: Study, status: int
) -> None:
    code, token = path.split("/")[2:4]
    page.goto(f"{address}{path}")
    page.get_by_label(SCREENS["identity"]["name"]).fill("Ada Participant")
    page.get_by_label(SCREENS["identity"]["email"]).fill("ada@example.org")
    page.get_by_role("button", name="Continue").click()
    items = page.locator("fieldset.field")
    expect(items).to_have_count(9)  # the PHQ-9
    for number in range(9):
        items.nth(number).locator("input").nth(1).check()
    said = f"<main><h1>{SCREENS['error']['title']}</h1><p>Later.</p></main>"

    def refuse(route: Route) -> None:
        route.fulfill(status=status, content_type="text/html", body=said)

    page.route("**/form", refuse)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Later.")).to_be_visible()
    assert "item-" in stored(page)
    assert code in stored(page)
    assert token not in stored(page)
    page.unroute("**/form")
    if status == 409:
        page.goto(f"{address}{path}")
        for number in range(9):
            expect(items.nth(number).locator("input").nth(1)).to_be_checked()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Let's stop here for today")).to_be_visible()  # item 9 has arrived
    given = whole.records.rows("SELECT value FROM answer JOIN form ON form.id = answer.form WHERE measure = 'phq9'")
    assert [row["value"] for row in given] == [1] * 9

"""A sign-in that ends while a form is being filled in, and forms that are sent twice."""

from datetime import timedelta

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from study.access import accounts
from tests.e2e.conftest import PASSWORD, rate
from tests.e2e.faulty import Site, sentence

HAPPENED = "Called at noon: the participant fell on the stairs, and is well."


def test_a_sign_in_that_ends_in_the_middle_of_a_form_loses_none_of_it(site: Site, chromium: Browser) -> None:
    who = site.somebody("chat")
    token = accounts.add(site.study, "Dr Okafor", ("safety officer",), by="test")
    app = pyotp.TOTP(accounts.invitation(site.study, token).secret)
    accounts.accept(site.study, token, PASSWORD, app.at(site.clock.now()))
    desk = chromium.new_context()
    page = desk.new_page()
    sign_in(site, page, app)
    page.goto(site.line.url + "/console/safety/")
    page.get_by_text("Report an adverse event").click()
    page.get_by_label("Participant", exact=True).select_option(who.code)
    page.get_by_label("What happened").fill(HAPPENED)
    site.clock.set(site.clock.now() + timedelta(minutes=31))
    page.get_by_role("button", name="Report it").click()
    expect(page.get_by_role("status")).to_contain_text("What you typed is kept: sign in, and you can send it.")
    assert who.rows("SELECT id FROM safety_event WHERE participant = :code") == []
    sign_in(site, page, app)
    expect(page.get_by_text("What you typed before was kept and has not been sent yet.")).to_be_visible()
    expect(page.get_by_label("Description")).to_have_value(HAPPENED)
    page.get_by_role("button", name="Send it").dblclick()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Safety")
    found = who.rows("SELECT description FROM safety_event WHERE participant = :code")
    assert [row["description"] for row in found] == [HAPPENED]
    desk.close()


def sign_in(site: Site, page: Page, app: pyotp.TOTP) -> None:
    """By the form, with the code of the half minute that comes: none is taken twice."""
    site.clock.set(site.clock.now() + timedelta(seconds=30))
    if not page.get_by_label("Your password", exact=True).count():
        page.goto(site.line.url + "/console/sign-in")
    page.get_by_label("Your name").fill("Dr Okafor")
    page.get_by_label("Your password", exact=True).fill(PASSWORD)
    page.locator("#code").fill(app.at(site.clock.now()))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Your password", exact=True)).to_have_count(0)


@pytest.mark.parametrize("script", [True, False])
def test_forms_that_are_sent_twice_count_once(site: Site, chromium: Browser, script: bool) -> None:
    who = site.newcomer()
    context = chromium.new_context(java_script_enabled=script)
    page = context.new_page()
    page.goto(who.link)
    page.get_by_label("How old are you?").fill("20")
    page.get_by_label("female", exact=True).check()
    page.get_by_label("No", exact=True).check()
    page.get_by_role("button", name="Continue").dblclick()
    expect(page.get_by_role("group").first).to_contain_text("In the past 4 weeks")
    for group in page.get_by_role("group").all():
        group.get_by_role("radio").first.check()
    page.get_by_role("button", name="Continue").dblclick()
    expect(page.get_by_role("heading", name=sentence("consent.title"))).to_be_visible()
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name=sentence("consent.agree")).dblclick()
    expect(page.get_by_role("heading", name=sentence("identity.title"))).to_be_visible()
    page.goto(who.link + "leave")
    page.get_by_label(sentence("leave.keep")).check()
    page.get_by_role("button", name=sentence("leave.send")).dblclick()
    expect(page.get_by_text(sentence("closed.withdrawn"))).to_be_visible()
    counted = {
        table: len(who.rows(f"SELECT 1 FROM {table} WHERE {column} = :code"))
        for table, column in (("form", "person"), ("consent", "person"), ("withdrawal", "participant"))
    }
    assert counted == {"form": 2, "consent": 1, "withdrawal": 1}
    context.close()


def test_a_form_left_open_and_sent_after_all_shows_where_the_visit_stands(site: Site, phone: BrowserContext) -> None:
    who = site.somebody("chat")
    page, old = phone.new_page(), phone.new_page()
    for one in (page, old):
        one.goto(who.link)
        one.locator("#next").click()
        one.locator("#value[type=range]").wait_for()
    rate(page, 20)
    expect(page.get_by_label("Your message")).to_be_visible()
    rate(old, 70)
    expect(old.get_by_label("Your message")).to_be_visible()
    assert who.ratings() == [20]

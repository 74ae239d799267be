"""The console's door in a browser: the first administrator, their link, the second factor, and somebody who comes back."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyotp
from playwright.sync_api import Browser, expect

from study.access import accounts
from study.study import Study
from tests.e2e.conftest import PASSWORD, Server, sign_in, until
from tests.e2e.test_access import assert_accessible


def test_from_the_first_link_to_a_colleague_who_signs_in(
    serve: Callable[..., Server], chromium: Browser, folder: Path
) -> None:
    server = serve("serve", str(folder))
    until(lambda: "/console/welcome/" in "".join(server.output))
    found = re.search(r"http://127\.0\.0\.1:\d+/console/welcome/\S+", "".join(server.output))
    assert found
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    opened = page.goto(found[0])
    assert opened
    assert opened.headers["server"] == "gunicorn"  # and no version
    assert_accessible(page)
    page.get_by_label("Your name").fill("Dr Imani Okafor")
    page.get_by_label("Choose a password", exact=True).fill("password1234")
    app = pyotp.TOTP(page.locator("code").inner_text().replace(" ", ""))
    page.get_by_label("Type the six digits").fill(app.now())
    page.get_by_role("button", name="Set up my account").click()
    expect(page.get_by_role("alert")).to_contain_text("easily guessed")
    page.get_by_label("Choose a password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Show: Choose a password").click()
    expect(page.get_by_label("Choose a password", exact=True)).to_have_attribute("type", "text")
    page.get_by_label("Type the six digits").fill(app.now())
    page.get_by_role("button", name="Set up my account").click()
    expect(page.locator(".codes li")).to_have_count(10)
    assert_accessible(page)
    recovery = page.locator(".codes code").first.inner_text()
    page.get_by_role("link", name="I have kept them").click()
    assert_accessible(page)
    page.get_by_label("Your name").fill("dr imani okafor")
    page.get_by_label("Your password", exact=True).fill(PASSWORD)
    page.get_by_label("The six digits").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The name, the password or the code is not right.")
    assert_accessible(page)
    page.get_by_label("Your password", exact=True).fill(PASSWORD)
    page.get_by_label("The six digits").fill(recovery)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Accounts")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Nurse Joy")
    page.get_by_role("group", name="Roles").last.get_by_label("Coordinator").check()
    page.get_by_role("button", name="Make the account").click()
    link = page.locator(".link code").inner_text()
    page.get_by_label("Change Nurse Joy").click()
    assert_accessible(page)
    page.get_by_role("link", name="Dr Imani Okafor").click()
    expect(page.get_by_text("You have 9 of ten left.")).to_be_visible()
    assert_accessible(page)
    page.goto(found[0])
    expect(page.get_by_text("This link was used already, or is too old.")).to_be_visible()
    assert_accessible(page)

    other = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark").new_page()
    other.goto(link)
    expect(other.get_by_text("You are Nurse Joy, coordinator of this study.")).to_be_visible()
    assert_accessible(other)
    other.get_by_label("Choose a password", exact=True).fill(PASSWORD)
    app = pyotp.TOTP(other.locator("code").inner_text().replace(" ", ""))
    other.get_by_label("Type the six digits").fill(app.now())
    other.get_by_role("button", name="Set up my account").click()
    other.get_by_role("link", name="I have kept them").click()
    other.get_by_label("Your name").fill("Nurse Joy")
    other.get_by_label("Your password", exact=True).fill(PASSWORD)
    other.get_by_label("The six digits").fill(app.at(datetime.now(UTC), counter_offset=1))
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url("**/console/")
    expect(other.get_by_role("link", name="Accounts")).to_have_count(0)
    other.context.close()
    context.close()


def test_who_was_signed_out_in_the_middle_of_a_form_can_send_what_they_typed(
    serve: Callable[..., Server], chromium: Browser, folder: Path
) -> None:
    server = serve("serve", str(folder), "--no-second-factor")
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    name = sign_in(page, server, folder, "administrator", "coordinator")
    page.goto(server.url + "/console/accounts/")
    page.get_by_label("Name", exact=True).fill("Nurse Joy")
    page.get_by_role("group", name="Roles").last.get_by_label("Coordinator").check()
    context.clear_cookies()
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_text("What you typed is kept")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Your password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Name")).to_have_value("Nurse Joy")
    assert_accessible(page)
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("heading", name="A link for Nurse Joy")).to_be_visible()
    study = Study.open(folder)
    assert accounts.find(study, "Nurse Joy").roles == {"coordinator"}
    study.close()
    context.close()

"""The server is killed (`kill -9`) in the middle of a turn or of a save: nothing lost, nothing twice."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.e2e.conftest import rate, until
from tests.e2e.faulty import ANSWER, WORDS, Site, begin, send, sentence

MINE = "li.participant[data-number]"
ANSWERED = "li.therapist[data-number] >> nth=1"


def killed_after_it(site: Site) -> Callable[[Route], None]:
    """Lets the server take what is sent and kills it before its answer comes out: the worst moment there is."""
    done: list[bool] = []

    def once(route: Any) -> None:
        if done:
            route.continue_()
            return
        done.append(True)
        route.fetch(max_redirects=0)
        site.server.kill()
        route.abort()

    return once


def test_between_a_message_and_its_answer(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    site.model.hold()
    send(page, WORDS)
    expect(page.locator(f"{MINE} .state")).to_have_text("Saved")
    until(lambda: site.model.asked == 1)
    site.server.kill()
    assert who.said() == [WORDS]  # what was said to be saved is on the disk
    expect(page.locator("#status")).to_have_text(sentence("chat.cut"))
    site.model.let()
    site.restart()
    page.locator(ANSWERED).wait_for()
    expect(page.locator("li.therapist .text").nth(1)).to_contain_text(ANSWER)
    page.reload()
    assert page.locator("#turns li").count() == 3
    assert [speaker for speaker, _ in who.turns()] == ["therapist", "participant", "therapist"]


def test_in_the_middle_of_an_answer(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    site.model.hold_after_a_sentence()
    send(page, WORDS)
    answer = page.locator("li.therapist .text").nth(1)
    expect(answer).to_have_text(ANSWER)
    site.server.kill()
    expect(page.locator("#status")).to_have_text(sentence("chat.cut"))
    site.model.let()
    site.restart()
    page.locator(ANSWERED).wait_for()
    assert [text for _, text in who.turns()][-1] == answer.inner_text()
    assert len(who.turns()) == 3


def test_while_a_message_is_saved(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    page.route("**/turns", killed_after_it(site))
    send(page, WORDS)
    expect(page.locator("#status")).to_have_text(sentence("chat.offline"))
    expect(page.locator("li.unsent")).to_have_count(1)
    site.restart()
    page.locator(ANSWERED).wait_for()
    assert page.locator("#turns li").count() == 3
    assert who.said() == [WORDS]


def test_before_and_while_a_draft_is_saved(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("worksheet"), phone.new_page()
    begin(page, who)
    first, second = (page.locator(f'form[data-step="{step}"]') for step in ("situation", "thought"))
    page.route("**/drafts/situation", killed_after_it(site))
    first.get_by_role("textbox").fill(WORDS)
    expect(first.locator(".status")).to_have_text(sentence("frame.unsaved"))
    second.get_by_role("textbox").fill("I thought that I am not made for this.")
    expect(second.locator(".status")).to_have_text(sentence("frame.unsaved"))
    site.restart()
    for field in (first, second):
        expect(field.locator(".status")).to_have_text("Saved")
    page.reload()
    expect(first.get_by_role("textbox")).to_have_value(WORDS)
    expect(second.get_by_role("textbox")).to_have_value("I thought that I am not made for this.")
    page.route("**/turns", killed_after_it(site))
    first.get_by_role("button", name="Confirm").click()
    expect(first.locator(".status")).to_have_text(sentence("frame.unsaved"))
    site.restart()
    expect(first.locator("p.answer").first).to_have_text(WORDS)
    assert who.said() == [WORDS]


def test_while_a_rating_is_saved(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    page.goto(who.link)
    page.locator("#next").click()
    page.route("**/rating", killed_after_it(site))
    rate(page, 30)
    expect(page.get_by_text(sentence("sending.offline"))).to_be_visible()
    assert who.ratings() == [30]
    site.restart()
    expect(page.get_by_label("Your message")).to_be_visible()
    assert who.ratings() == [30]


@pytest.mark.parametrize("saved", [True, False])
def test_while_questions_and_consent_are_saved(site: Site, phone: BrowserContext, saved: bool) -> None:
    who, page = site.newcomer(), phone.new_page()

    def kill_at(address: str) -> None:
        if saved:
            page.route(address, killed_after_it(site))
        else:
            site.server.kill()

    page.goto(who.link)
    page.get_by_label("How old are you?").fill("20")
    page.get_by_label("female", exact=True).check()
    page.get_by_label("No", exact=True).check()
    kill_at("**/form")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text(sentence("sending.offline"))).to_be_visible()
    site.restart()
    expect(page.get_by_role("group").first).to_contain_text("In the past 4 weeks")
    assert len(who.rows("SELECT id FROM form WHERE person = :code")) == 1
    answer_lowest(page)
    expect(page.get_by_role("heading", name=sentence("consent.title"))).to_be_visible()
    for box in page.get_by_role("checkbox").all():
        box.check()
    kill_at("**/consent")
    page.get_by_role("button", name=sentence("consent.agree")).click()
    expect(page.get_by_text(sentence("sending.offline"))).to_be_visible()
    site.restart()
    expect(page.get_by_role("heading", name=sentence("identity.title"))).to_be_visible()
    assert len(who.rows("SELECT id FROM consent WHERE person = :code")) == 1
    assert len(who.rows("SELECT id FROM form WHERE person = :code")) == 2


def answer_lowest(page: Page) -> None:
    for group in page.get_by_role("group").all():
        group.get_by_role("radio").first.check()
    page.get_by_role("button", name="Continue").click()

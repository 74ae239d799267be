"""Refresh, back, two tabs, double click, two devices, a shared link, cleared cookies: nothing lost, nothing twice."""

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.e2e.conftest import rate, until
from tests.e2e.faulty import ANSWER, WORDS, Site, begin, send, sentence

MINE = "li.participant[data-number]"
ANSWERED = "li.therapist[data-number] >> nth=1"


def test_a_refresh_in_the_middle_of_an_answer_shows_it_once(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    site.model.hold()
    send(page, WORDS)
    expect(page.locator(f"{MINE} .state")).to_have_text("Saved")
    page.reload()
    expect(page.locator("#status")).to_have_text(sentence("chat.writing"))
    expect(page.locator("#typing")).to_be_visible()
    site.model.let()
    page.locator(ANSWERED).wait_for()
    expect(page.locator("#typing")).to_be_hidden()
    assert page.locator("#turns li").count() == 3
    assert site.model.asked == 1
    assert who.said() == [WORDS]
    assert len(who.turns()) == 3


def test_back_shows_what_is_due_and_asks_nothing_twice(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    page.go_back()
    expect(page.get_by_text(sentence("today.going"))).to_be_visible()
    page.go_forward()
    expect(page.get_by_label("Your message")).to_be_visible()
    assert who.ratings() == [20]


def test_two_tabs_show_one_visit(site: Site, phone: BrowserContext) -> None:
    who = site.somebody("chat")
    one, two = phone.new_page(), phone.new_page()
    begin(one, who)
    two.goto(who.link + "now")
    site.model.hold()
    send(one, WORDS)
    one.locator(MINE).wait_for()
    send(two, "The same from the other tab, but too soon.")
    expect(two.locator("li.participant .text")).to_have_text(WORDS)
    expect(two.get_by_label("Your message")).to_have_value("The same from the other tab, but too soon.")
    site.model.let()
    for page in (one, two):
        page.locator(ANSWERED).wait_for()
        assert page.locator("#turns li").count() == 3
    assert who.said() == [WORDS]
    two.get_by_role("button", name="Send").click()
    two.locator(MINE).nth(1).wait_for()
    assert who.said() == [WORDS, "The same from the other tab, but too soon."]


@pytest.mark.parametrize("arm", ["chat", "worksheet"])
def test_a_double_click_is_one_click(site: Site, phone: BrowserContext, arm: str) -> None:
    who, page = site.somebody(arm), phone.new_page()
    page.goto(who.link)
    page.locator("#next").dblclick()
    page.locator("#value[type=range]").press("ArrowRight")
    page.get_by_role("button", name="Continue").dblclick()
    box = page.locator("textarea").first
    box.fill(WORDS)
    page.locator("form:has(textarea) button[type=submit]").first.dblclick()
    expect(page.locator("li.therapist .text, .reply").nth(1 if arm == "chat" else 0)).to_contain_text(ANSWER)
    assert len(who.ratings()) == 1
    assert who.said() == [WORDS]


def test_a_second_device_goes_on_where_the_first_one_is(site: Site, chromium: Browser, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    desk = chromium.new_context()
    other = desk.new_page()
    other.clock.install()
    other.goto(who.link + "now")
    expect(other.get_by_label("Your message")).to_be_visible()
    send(page, WORDS)
    page.locator(ANSWERED).wait_for()
    other.clock.fast_forward(10_000)  # it looks by itself
    expect(other.locator(MINE)).to_contain_text(WORDS)
    expect(other.locator("#status")).to_have_text(sentence("chat.moved"))
    send(other, "I thought that I can do nothing right.")
    other.locator(MINE).nth(1).wait_for()
    assert who.said() == [WORDS, "I thought that I can do nothing right."]
    desk.close()


def test_two_devices_that_send_at_once_lose_neither_message(
    site: Site, chromium: Browser, phone: BrowserContext
) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    desk = chromium.new_context()
    other = desk.new_page()
    other.goto(who.link + "now")
    site.model.hold()
    send(page, WORDS)
    send(other, "Written at the desk.")
    page.locator(f"{MINE}, li.unsent").wait_for()
    until(lambda: len(who.said()) == 1)
    [taken] = who.said()
    late = other if taken == WORDS else page
    # The one that came later has its words in the box, and says why.
    expect(late.get_by_label("Your message")).not_to_have_value("")
    expect(late.locator("li.participant .text")).to_have_text(taken)
    site.model.let()
    late.locator(ANSWERED).wait_for()
    late.get_by_role("button", name="Send").click()
    late.locator(MINE).nth(1).wait_for()
    assert sorted(who.said()) == sorted([WORDS, "Written at the desk."])
    desk.close()


def test_a_shared_link_shows_one_visit_and_travels_nowhere_by_itself(
    site: Site, chromium: Browser, phone: BrowserContext
) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    key = who.path.split("/")[3]
    asked: list[tuple[str, str]] = []
    page.on("request", lambda request: asked.append((request.url, request.headers.get("referer", ""))))
    page.goto(who.link)
    expect(page.get_by_text(sentence("today.link"))).to_be_visible()
    begin(page, who)
    # Whoever holds the link is the participant: that cannot be prevented. They make one visit between them.
    stranger = chromium.new_context()
    other = stranger.new_page()
    other.goto(who.link + "now")
    expect(other.get_by_label("Your message")).to_be_visible()
    send(other, WORDS)
    other.locator(ANSWERED).wait_for()
    send(page, "Mine.")
    expect(page.locator(MINE).first).to_contain_text(WORDS)
    until(lambda: len(who.said()) == 2)
    assert who.said() == [WORDS, "Mine."]
    # The key is in no title, in no request to another host or referrer for one, and in no storage of the browser.
    assert key not in page.title()
    assert who.code not in page.title()
    assert {url.split("/")[2] for url, _ in asked} == {site.line.url.removeprefix("http://")}
    assert all(not referrer or referrer.startswith(site.line.url + "/") for _, referrer in asked)
    assert key not in page.evaluate("JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie")
    stranger.close()


def test_cleared_cookies_and_storage_lose_nothing(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    send(page, WORDS)
    page.locator(ANSWERED).wait_for()
    assert phone.cookies() == []
    phone.clear_cookies()
    page.evaluate("localStorage.clear(); sessionStorage.clear()")
    page.reload()
    expect(page.locator(f"{MINE} .text")).to_have_text(WORDS)
    # Cleared while a message waits: the open page has it still, and sends it once.
    site.line.cut()
    send(page, "I thought that I can do nothing right.")
    expect(page.locator("#status")).to_have_text(sentence("chat.offline"))
    page.evaluate("localStorage.clear(); sessionStorage.clear()")
    site.line.mend()
    page.locator(MINE).nth(1).wait_for()
    assert who.said() == [WORDS, "I thought that I can do nothing right."]


def test_a_browser_that_keeps_nothing_says_so_and_loses_nothing(site: Site, chromium: Browser) -> None:
    who = site.somebody("chat")
    private = chromium.new_context()
    private.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        " Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });"
    )
    page = private.new_page()
    page.goto(who.link)
    page.locator("#next").click()
    rate(page, 20)
    expect(page.get_by_label("Your message")).to_be_visible()
    site.line.cut()
    send(page, WORDS)
    expect(page.locator("#status")).to_have_text(sentence("chat.only_here"))
    expect(page.locator("li.unsent .state")).to_have_text(sentence("chat.waiting"))
    site.line.mend()
    expect(page.locator(f"{MINE} .state")).to_have_text("Saved")
    page.locator(ANSWERED).wait_for()
    assert who.ratings() == [20]
    assert who.said() == [WORDS]
    private.close()

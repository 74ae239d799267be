"""The network is cut, in the middle of an answer and in the middle of a stream: nothing lost, nothing twice."""

from typing import Any

from playwright.sync_api import BrowserContext, expect

from tests.e2e.conftest import rate, until
from tests.e2e.faulty import ANSWER, WORDS, Site, begin, send, sentence

MINE = "li.participant[data-number]"
ANSWERED = "li.therapist[data-number] >> nth=1"
STATUS = "#status"


def test_a_line_cut_before_the_answer_begins(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    site.model.hold()
    send(page, WORDS)
    expect(page.locator("#typing")).to_be_visible()
    site.line.cut()
    expect(page.locator(STATUS)).to_have_text(sentence("chat.cut"))
    expect(page.locator("#typing")).to_be_hidden()  # nobody can know now whether something is being written
    site.model.let()
    until(lambda: len(who.turns()) == 3)  # it is written without anybody who reads along
    site.line.mend()
    page.locator(ANSWERED).wait_for()
    expect(page.locator("li.therapist .text").nth(1)).to_contain_text(ANSWER)
    assert page.locator("#turns li").count() == 3
    assert site.model.asked == 1
    assert len(who.turns()) == 3


def test_a_line_cut_in_the_middle_of_a_stream(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    site.model.hold_after_a_sentence()
    send(page, WORDS)
    answer = page.locator("li.therapist .text").nth(1)
    expect(answer).to_have_text(ANSWER)
    site.line.cut()
    expect(page.locator(STATUS)).to_have_text(sentence("chat.cut"))
    expect(answer).to_have_text(ANSWER)
    site.line.mend()
    expect(page.locator("#typing")).to_be_visible()
    expect(answer).to_have_text(ANSWER)  # the half that was there is not there twice
    site.model.let()
    page.locator(ANSWERED).wait_for()
    assert site.model.asked == 1
    assert [text for _, text in who.turns()][-1] == answer.inner_text()


def test_a_line_that_falls_silent_is_noticed(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    page.clock.install()
    begin(page, who)
    # On the way there: after a while without an answer the message is sent again, under the same token.
    page.get_by_label("Your message").fill(WORDS)
    site.line.fall_silent()
    page.keyboard.press("Enter")
    expect(page.locator("li.unsent .state")).to_have_text(sentence("chat.sending"))
    page.clock.fast_forward(15_000)
    expect(page.locator(STATUS)).to_have_text(sentence("chat.offline"))
    expect(page.locator("li.unsent .state")).to_have_text(sentence("chat.waiting"))
    site.model.hold()
    site.line.mend()
    page.locator(MINE).wait_for()
    # On the way back: the dots go, since nothing is known any more of what the server does.
    expect(page.locator("#typing")).to_be_visible()
    site.line.fall_silent()
    page.clock.fast_forward(25_000)
    expect(page.locator(STATUS)).to_have_text(sentence("chat.cut"))
    expect(page.locator("#typing")).to_be_hidden()
    site.model.let()
    site.line.mend()
    page.locator(ANSWERED).wait_for()
    assert who.said() == [WORDS]
    assert len(who.turns()) == 3


def test_a_message_without_a_connection_waits_through_a_closed_tab(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    phone.set_offline(True)
    send(page, WORDS)
    expect(page.locator(STATUS)).to_have_text(sentence("chat.offline"))
    expect(page.locator("li.unsent .text")).to_have_text(WORDS)
    page.get_by_label("Your message").fill("And then")
    assert who.said() == []
    page.close()
    phone.set_offline(False)
    again = phone.new_page()
    again.goto(who.link + "now")
    again.locator(ANSWERED).wait_for()
    expect(again.locator(f"{MINE} .text")).to_have_text(WORDS)
    expect(again.get_by_label("Your message")).to_have_value("And then")
    assert who.said() == [WORDS]


def test_an_answer_lost_on_the_way_back_is_not_taken_twice(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    lost: list[int] = []

    def lose_the_first_answer(route: Any) -> None:
        answer = route.fetch()  # the server has taken it
        if not lost:
            lost.append(answer.status)
            route.abort()
        else:
            route.fulfill(response=answer)

    page.route("**/turns", lose_the_first_answer)
    send(page, WORDS)
    page.locator(ANSWERED).wait_for()
    assert lost == [201]
    assert page.locator("#turns li").count() == 3
    assert who.said() == [WORDS]


def test_a_field_without_a_connection_waits_through_a_closed_tab(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("worksheet"), phone.new_page()
    begin(page, who)
    site.line.cut()
    field = page.locator('form[data-step="situation"]')
    field.get_by_role("textbox").fill(WORDS)
    expect(field.locator(".status")).to_have_text(sentence("frame.unsaved"))
    page.close()
    site.line.mend()
    again = phone.new_page()
    again.goto(who.link + "now")
    field = again.locator('form[data-step="situation"]')
    expect(field.get_by_role("textbox")).to_have_value(WORDS)
    expect(field.locator(".status")).to_have_text("Saved")
    assert [
        row["text"]
        for row in who.rows("SELECT text FROM draft WHERE visit IN (SELECT id FROM visit WHERE participant = :code)")
    ] == [WORDS]


def test_a_reply_on_the_worksheet_comes_through_a_cut_line(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("worksheet"), phone.new_page()
    begin(page, who)
    site.model.hold()
    field = page.locator('form[data-step="situation"]')
    field.get_by_role("textbox").fill(WORDS)
    field.get_by_role("button", name="Confirm").click()
    expect(field.locator(".reply")).to_have_text(sentence("worksheet.writing"))
    site.line.cut()
    expect(field.locator(".reply")).to_have_text(sentence("worksheet.cut"))
    site.model.let()
    site.line.mend()
    expect(field.locator(".reply")).to_have_text(ANSWER)
    assert who.said() == [WORDS]


def test_a_rating_without_a_connection_is_sent_when_it_is_back(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    page.goto(who.link)
    page.locator("#next").click()
    page.locator("#value").wait_for()
    site.line.cut()
    rate(page, 30)
    expect(page.get_by_text(sentence("sending.offline"))).to_be_visible()
    assert who.ratings() == []
    site.line.mend()
    expect(page.get_by_label("Your message")).to_be_visible()
    assert who.ratings() == [30]

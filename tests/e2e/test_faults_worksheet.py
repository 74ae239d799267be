"""One worksheet in two windows, and answers that are read once more before they are confirmed."""

from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests.e2e.conftest import until
from tests.e2e.faulty import WORDS, Site, Somebody, begin, sentence

OTHER = "I failed an exam, and my friend did not."


def field_of(page: Page, step: str = "situation") -> Locator:
    return page.locator(f'form[data-step="{step}"]')


def drafts(who: Somebody) -> list[str]:
    found = who.rows("SELECT text FROM draft WHERE visit IN (SELECT id FROM visit WHERE participant = :code)")
    return [row["text"] for row in found]


def written(page: Page, words: str) -> None:
    with page.expect_response("**/drafts/situation"):
        field_of(page).get_by_role("textbox").fill(words)
    expect(field_of(page).locator(".status")).to_have_text("Saved")


def test_a_field_changed_in_two_windows_shows_both(site: Site, phone: BrowserContext) -> None:
    who = site.somebody("worksheet")
    one, two = phone.new_page(), phone.new_page()
    begin(one, who)
    two.goto(who.link + "now")
    written(one, WORDS)
    field_of(two).get_by_role("textbox").fill(OTHER)
    expect(field_of(two).get_by_role("alert")).to_have_text(sentence("worksheet.differs"))
    expect(field_of(two).locator("blockquote")).to_have_text(WORDS)
    expect(field_of(two).get_by_role("textbox")).to_have_value(OTHER)
    assert drafts(who) == [WORDS]  # the later one does not win by being later
    # Neither is lost by closing the window.
    two.reload()
    expect(field_of(two).get_by_role("textbox")).to_have_value(OTHER)
    expect(field_of(two).locator("blockquote")).to_have_text(WORDS)
    field_of(two).get_by_role("button", name=sentence("worksheet.mine")).click()
    expect(field_of(two).locator(".status")).to_have_text("Saved")
    assert drafts(who) == [OTHER]
    # The first window learns of it when it saves, and may take what was written there.
    field_of(one).get_by_role("textbox").fill(WORDS + " Still.")
    expect(field_of(one).locator("blockquote")).to_have_text(OTHER)
    field_of(one).get_by_role("button", name=sentence("worksheet.theirs")).click()
    expect(field_of(one).get_by_role("textbox")).to_have_value(OTHER)
    assert drafts(who) == [OTHER]


def test_who_goes_on_from_what_stands_is_not_asked(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("worksheet"), phone.new_page()
    begin(page, who)
    written(page, WORDS)
    other = phone.new_page()
    other.goto(who.link + "now")
    field_of(other).get_by_role("textbox").fill(WORDS + " " + OTHER)
    until(lambda: drafts(who) == [WORDS + " " + OTHER])
    expect(field_of(other).locator(".status")).to_have_text("Saved")


def test_an_answer_is_not_confirmed_over_one_that_was_not_seen(site: Site, phone: BrowserContext) -> None:
    who = site.somebody("worksheet")
    one, two = phone.new_page(), phone.new_page()
    begin(one, who)
    two.goto(who.link + "now")
    written(two, OTHER)
    field_of(one).get_by_role("textbox").fill(WORDS)
    field_of(one).get_by_role("button", name=sentence("worksheet.confirm")).click()
    expect(field_of(one).get_by_role("alert")).to_have_text(sentence("worksheet.differs"))
    assert who.said() == []
    field_of(one).get_by_role("button", name=sentence("worksheet.mine")).click()
    field_of(one).get_by_role("button", name=sentence("worksheet.confirm")).click()
    expect(field_of(one).locator("p.answer").first).to_have_text(WORDS)
    # The other window shows what stands and, beside it, what it had.
    field_of(two).get_by_role("textbox").fill(OTHER + " More.")
    expect(field_of(two).locator(".status")).to_have_text(sentence("worksheet.confirmed_elsewhere"))
    expect(field_of(two).locator("p.answer")).to_have_text([WORDS, OTHER + " More."])
    assert who.said() == [WORDS]
    assert drafts(who) == []


def test_a_window_that_confirms_what_is_confirmed_shows_what_stands(site: Site, phone: BrowserContext) -> None:
    who = site.somebody("worksheet")
    one, two = phone.new_page(), phone.new_page()
    begin(one, who)
    two.goto(who.link + "now")
    for page, words in ((one, WORDS), (two, OTHER)):
        box = field_of(page).get_by_role("textbox")
        box.fill(words)
        field_of(page).get_by_role("button", name=sentence("worksheet.confirm")).click()
        expect(field_of(page).locator("p.answer").first).to_have_text(WORDS)
    expect(field_of(two).locator("p.answer").nth(1)).to_have_text(OTHER)
    assert who.said() == [WORDS]


def test_a_page_that_is_left_at_once_saves_what_was_typed(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("worksheet"), phone.new_page()
    begin(page, who)
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))  # the pause after a key never comes
    field_of(page).get_by_role("textbox").fill(WORDS)
    page.goto("about:blank")
    until(lambda: drafts(who) == [WORDS])


def test_answers_can_be_read_and_changed_before_they_are_confirmed(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("worksheet"), phone.new_page()
    begin(page, who)
    field_of(page).get_by_role("textbox").fill(WORDS)
    field_of(page, "thought").get_by_role("textbox").fill("I can do nothing right.")
    page.get_by_role("link", name=sentence("worksheet.check")).click()
    expect(page.get_by_role("heading", name=sentence("worksheet.check_title"))).to_be_visible()
    expect(page.locator("p.answer")).to_have_text([WORDS, "I can do nothing right."])
    # Changed in another window while it is read: it is shown once more, and not confirmed as it was not seen.
    other = phone.new_page()
    other.goto(who.link + "now")
    written(other, OTHER)
    page.get_by_role("button", name=sentence("worksheet.confirm_all")).click()
    expect(page.get_by_role("alert")).to_have_text(sentence("worksheet.changed_meanwhile"))
    expect(page.locator("p.answer")).to_have_text([OTHER, "I can do nothing right."])
    assert who.said() == []
    page.get_by_role("link", name=sentence("worksheet.change")).first.click()
    written(page, WORDS)
    page.get_by_role("link", name=sentence("worksheet.check")).click()
    page.get_by_role("button", name=sentence("worksheet.confirm_all")).dblclick()
    expect(field_of(page).locator("p.answer")).to_have_text(WORDS)
    expect(field_of(page, "thought").locator("p.answer")).to_have_text("I can do nothing right.")
    assert who.said() == [WORDS, "I can do nothing right."]
    assert drafts(who) == []


def test_words_written_before_the_script_came_are_kept(site: Site, phone: BrowserContext) -> None:
    """On a slow line the page can be written in before its script is there."""
    who, page = site.somebody("worksheet"), phone.new_page()
    begin(page, who)
    waiting: list[Route] = []
    page.route("**/worksheet.js", lambda route: waiting.append(route))
    with page.expect_request("**/worksheet.js"):
        page.reload(wait_until="commit")
    field_of(page).get_by_role("textbox").fill(WORDS)
    with page.expect_response("**/drafts/situation"):
        waiting[0].continue_()
    expect(field_of(page).locator(".status")).to_have_text("Saved")
    assert drafts(who) == [WORDS]

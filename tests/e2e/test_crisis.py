"""Words that may be a crisis: the page that follows has the people to call, and no model had a part in it."""

from playwright.sync_api import BrowserContext, expect

from tests.e2e.faulty import Site, begin, send


def test_it_shows_the_people_to_call(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    site.model.hold()
    send(page, "I don't want to live any more.")
    expect(page.get_by_role("heading", name="Let's stop here for today")).to_be_visible()
    expect(page.get_by_text("116 123")).to_be_visible()
    assert site.model.asked == 0
    assert len(who.rows("SELECT id FROM safety_event WHERE participant = :code")) == 1
    log = "".join(site.server.output)
    assert "safety event" in log
    assert "live any more" not in log

"""Clocks: wrong on the device, set back on the server, at midnight, at the change to summer time."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.e2e.conftest import MORNING, rate
from tests.e2e.faulty import WORDS, Site, begin, send, sentence

MINE = "li.participant[data-number]"
ANSWERED = "li.therapist[data-number] >> nth=1"


@pytest.mark.parametrize("off", [timedelta(days=1), timedelta(hours=-1), timedelta(days=-400)])
def test_a_device_with_a_wrong_clock_is_on_the_same_day(site: Site, phone: BrowserContext, off: timedelta) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    page.clock.install(time=MORNING + off)
    begin(page, who)
    expect(page.get_by_text("Day 1 of 15")).to_be_visible()
    send(page, WORDS)
    page.locator(ANSWERED).wait_for()
    [visit] = who.rows("SELECT day, opened_at FROM visit WHERE participant = :code")
    assert (visit["day"], visit["opened_at"]) == (1, MORNING.isoformat(timespec="milliseconds"))
    assert who.ratings() == [20]
    assert who.said() == [WORDS]


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=1)])
def test_a_server_whose_clock_is_set_back_goes_on_with_the_visit(
    site: Site, phone: BrowserContext, back: timedelta
) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    send(page, WORDS)
    page.locator(ANSWERED).wait_for()
    site.clock.set(MORNING - back)
    send(page, "I thought that I can do nothing right.")
    page.locator(MINE).nth(1).wait_for()
    page.locator("li.therapist[data-number] >> nth=2").wait_for()
    page.goto(who.link)
    expect(page.get_by_text(sentence("today.going"))).to_be_visible()
    page.locator("#next").click()
    expect(page.locator(f"{MINE} .text")).to_have_text([WORDS, "I thought that I can do nothing right."])
    assert [speaker for speaker, _ in who.turns()] == ["therapist", "participant"] * 2 + ["therapist"]
    assert len(who.rows("SELECT id FROM visit WHERE participant = :code")) == 1


def test_a_rating_after_the_day_is_over_is_not_taken_and_says_so(site: Site, phone: BrowserContext) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    site.clock.set(datetime(2026, 3, 3, 3, 59, tzinfo=UTC))  # the day ends at four
    page.goto(who.link)
    page.locator("#next").click()
    page.locator("#value[type=range]").wait_for()
    site.clock.set(datetime(2026, 3, 3, 4, 0, tzinfo=UTC))
    rate(page, 30)
    expect(page.get_by_text(sentence("error.over"))).to_be_visible()
    page.get_by_role("link", name=sentence("error.back")).click()
    expect(page.get_by_text("Day 2 of 15").first).to_be_visible()
    assert who.ratings() == []
    found = who.rows("SELECT day, state FROM visit WHERE participant = :code ORDER BY day")
    assert [(row["day"], row["state"]) for row in found] == [(1, "missed"), (2, "before")]


def test_midnight_in_the_middle_of_a_visit_ends_nothing(site: Site, phone: BrowserContext) -> None:
    site.clock.set(datetime(2026, 3, 2, 23, 59, tzinfo=UTC))
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    send(page, WORDS)
    page.locator(ANSWERED).wait_for()
    site.clock.set(datetime(2026, 3, 3, 0, 1, tzinfo=UTC))
    send(page, "I thought that I can do nothing right.")
    page.locator("li.therapist[data-number] >> nth=2").wait_for()
    page.reload()
    expect(page.get_by_text("Day 1 of 15")).to_be_visible()
    assert who.said() == [WORDS, "I thought that I can do nothing right."]


@pytest.mark.parametrize("arm", ["chat", "worksheet"])
def test_words_written_when_the_time_ran_out_are_shown(site: Site, phone: BrowserContext, arm: str) -> None:
    who, page = site.somebody(arm), phone.new_page()
    begin(page, who)
    site.clock.set(MORNING + timedelta(days=2))
    page.locator("textarea").first.fill(WORDS)
    if arm == "chat":
        page.get_by_role("button", name="Send").click()
    expect(page.get_by_text(sentence("kept.lead"))).to_be_visible()
    expect(page.locator("#kept li")).to_have_text(WORDS)
    assert who.said() == []
    assert who.state(day=1) == "unfinished"  # whether or not the server has come to the days after it
    page.get_by_role("button", name=sentence("kept.remove")).click()
    page.goto(who.link)
    expect(page.locator("#next")).to_be_visible()
    expect(page.locator("#kept")).to_be_hidden()


@pytest.mark.parametrize(
    ("zone", "evening", "ends"),
    [
        # In London the clock goes from one to two in this night, in New York a week before that; four is four.
        ("Europe/London", datetime(2026, 3, 28, 23, 0, tzinfo=UTC), datetime(2026, 3, 29, 3, 0, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 8, 4, 0, tzinfo=UTC), datetime(2026, 3, 8, 8, 0, tzinfo=UTC)),
        # And back again: the night is an hour longer.
        ("Europe/London", datetime(2026, 10, 24, 22, 0, tzinfo=UTC), datetime(2026, 10, 25, 4, 0, tzinfo=UTC)),
    ],
)
def test_a_night_in_which_the_clocks_change(
    site: Site, phone: BrowserContext, zone: str, evening: datetime, ends: datetime
) -> None:
    site.clock.set(evening)
    who, page = site.somebody("chat", timezone=zone), phone.new_page()
    begin(page, who)
    send(page, WORDS)
    page.locator(ANSWERED).wait_for()
    site.clock.set(ends - timedelta(minutes=1))
    send(page, "I thought that I can do nothing right.")
    page.locator("li.therapist[data-number] >> nth=2").wait_for()
    site.clock.set(ends)
    send(page, "And this came too late.")
    expect(page.locator("#kept li")).to_have_text("And this came too late.")
    expect(page.get_by_text("Day 2 of 15").first).to_be_visible()
    assert who.said() == [WORDS, "I thought that I can do nothing right."]
    found = who.rows("SELECT day, state FROM visit WHERE participant = :code ORDER BY day")
    assert [(row["day"], row["state"]) for row in found] == [(1, "unfinished"), (2, "before")]

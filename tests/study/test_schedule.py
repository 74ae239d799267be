"""Which study day it is, and when its visit can be made."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.schedule import local_day, moment, study_day, window

LONDON = ZoneInfo("Europe/London")
FOUR = time(4)

zones = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})).map(ZoneInfo)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)).map(lambda when: when.replace(tzinfo=UTC))  # noqa: DTZ001
boundaries = st.sampled_from([time(0), time(2, 30), time(4), time(12)])


def test_the_first_date_is_day_one() -> None:
    first = date(2026, 3, 2)
    assert study_day(first, datetime(2026, 3, 2, 9, tzinfo=UTC), LONDON, FOUR) == 1
    assert study_day(first, datetime(2026, 3, 3, 9, tzinfo=UTC), LONDON, FOUR) == 2


def test_one_in_the_morning_belongs_to_the_evening_before() -> None:
    first = date(2026, 3, 2)
    assert study_day(first, datetime(2026, 3, 3, 1, tzinfo=UTC), LONDON, FOUR) == 1
    assert study_day(first, datetime(2026, 3, 3, 4, tzinfo=UTC), LONDON, FOUR) == 2


def test_with_a_boundary_of_midnight_the_day_is_the_calendars() -> None:
    first = date(2026, 3, 2)
    assert study_day(first, datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC), LONDON, time(0)) == 1
    assert study_day(first, datetime(2026, 3, 3, 0, 0, tzinfo=UTC), LONDON, time(0)) == 2


@pytest.mark.parametrize(
    ("zone", "day", "before", "after"),
    [
        # London goes forward on 29 March 2026 at 01:00 UTC: 04:00 there is 03:00 UTC. It goes back on 25 October.
        ("Europe/London", date(2026, 3, 29), "2026-03-29T02:59", "2026-03-29T03:00"),
        ("Europe/London", date(2026, 10, 25), "2026-10-25T03:59", "2026-10-25T04:00"),
        # New York: 8 March and 1 November 2026.
        ("America/New_York", date(2026, 3, 8), "2026-03-08T07:59", "2026-03-08T08:00"),
        ("America/New_York", date(2026, 11, 1), "2026-11-01T08:59", "2026-11-01T09:00"),
        # Lord Howe changes by half an hour, on 5 April and 4 October 2026: +10:30 in winter, +11 in summer.
        ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T17:29", "2026-04-04T17:30"),
        ("Australia/Lord_Howe", date(2026, 10, 4), "2026-10-03T16:59", "2026-10-03T17:00"),
        # A leap day, in a zone of three quarters of an hour.
        ("Asia/Kathmandu", date(2028, 2, 29), "2028-02-28T22:14", "2028-02-28T22:15"),
        ("Asia/Kathmandu", date(2028, 3, 1), "2028-02-29T22:14", "2028-02-29T22:15"),
    ],
)
def test_a_day_begins_at_four_on_the_wall_clock(zone: str, day: date, before: str, after: str) -> None:
    """The moments are those of the published changes, not computed here."""
    there = ZoneInfo(zone)
    assert local_day(datetime.fromisoformat(before + "+00:00"), there, FOUR) == day - timedelta(days=1)
    assert local_day(datetime.fromisoformat(after + "+00:00"), there, FOUR) == day
    assert window(day, there, FOUR).opens == datetime.fromisoformat(after + "+00:00")


def test_a_time_that_the_clock_leaves_out_and_one_that_it_shows_twice() -> None:
    # 01:30 does not exist in London on 29 March 2026: as if the clocks had not gone forward yet, 01:30 UTC.
    assert moment(date(2026, 3, 29), time(1, 30), LONDON, time(0)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    # 01:30 comes twice on 25 October: the first is 00:30 UTC.
    assert moment(date(2026, 10, 25), time(1, 30), LONDON, time(0)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_time_before_the_boundary_comes_at_the_end_of_the_day() -> None:
    opened = window(date(2026, 1, 5), LONDON, FOUR, time(18), time(2))
    assert opened.opens == datetime(2026, 1, 5, 18, tzinfo=UTC)
    assert opened.closes == datetime(2026, 1, 6, 2, tzinfo=UTC)


def test_grace_comes_after_the_closing() -> None:
    opened = window(date(2026, 1, 5), LONDON, FOUR, grace=timedelta(minutes=45))
    assert opened.ends - opened.closes == timedelta(minutes=45)


def test_a_window_of_several_days_ends_with_the_last() -> None:
    opened = window(date(2028, 2, 27), LONDON, FOUR, days=3)
    assert (opened.opens, opened.closes) == (
        datetime(2028, 2, 27, 4, tzinfo=UTC),
        datetime(2028, 3, 1, 4, tzinfo=UTC),
    )


def test_samoa_left_out_a_day() -> None:
    """Pacific/Apia went from 29 to 31 December 2011: the 30th has no hour, and the day after it begins on time."""
    apia = ZoneInfo("Pacific/Apia")
    days = [local_day(datetime(2011, 12, 29, 12, tzinfo=UTC) + timedelta(hours=hour), apia, FOUR) for hour in range(60)]
    assert date(2011, 12, 29) in days
    assert date(2011, 12, 31) in days
    assert days == sorted(days)


@settings(max_examples=400, deadline=None)
@given(zones, instants, boundaries)
def test_every_moment_belongs_to_the_window_of_its_day_and_to_no_other(
    zone: ZoneInfo, now: datetime, boundary: time
) -> None:
    days = [local_day(now, zone, boundary) + timedelta(days=away) for away in (-2, -1, 0, 1, 2)]
    windows = [window(day, zone, boundary) for day in days]
    assert all(one.closes == next_one.opens for one, next_one in pairwise(windows))
    inside = [one.opens <= now < one.closes for one in windows]
    if boundary_is_regular(days, zone, boundary):
        assert inside == [False, False, True, False, False]


def boundary_is_regular(days: list[date], zone: ZoneInfo, boundary: time) -> bool:
    """Whether the boundary comes exactly once on each of these days. Where clocks change at that very time, they do not
    agree with a calendar: then a wall clock shows a time before the boundary after it, for that one hour."""
    for day in days:
        wall = datetime.combine(day, boundary, zone)
        around = [wall.astimezone(UTC) + timedelta(hours=hours) for hours in (-26, -3, 3, 26)]
        if len({one.astimezone(zone).utcoffset() for one in around}) > 1:
            return False
    return True


@settings(max_examples=300, deadline=None)
@given(zones, instants, st.integers(0, 3000), boundaries)
def test_study_days_never_go_back(zone: ZoneInfo, now: datetime, minutes: int, boundary: time) -> None:
    first = date(2020, 1, 1)
    later = now + timedelta(minutes=minutes) + timedelta(hours=3)  # beyond any hour that a clock shows twice
    assert study_day(first, now, zone, boundary) <= study_day(first, later, zone, boundary)

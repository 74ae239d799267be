"""Which study day it is."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from study.schedule import study_day

LONDON = ZoneInfo("Europe/London")
FOUR = time(4)


def test_the_first_date_is_day_one() -> None:
    first = date(2026, 3, 2)
    assert study_day(first, datetime(2026, 3, 2, 9, tzinfo=UTC), LONDON, FOUR) == 1
    assert study_day(first, datetime(2026, 3, 3, 9, tzinfo=UTC), LONDON, FOUR) == 2


def test_one_in_the_morning_belongs_to_the_evening_before() -> None:
    first = date(2026, 3, 2)
    assert study_day(first, datetime(2026, 3, 3, 1, tzinfo=UTC), LONDON, FOUR) == 1
    assert study_day(first, datetime(2026, 3, 3, 4, tzinfo=UTC), LONDON, FOUR) == 2


def test_the_boundary_is_on_the_wall_clock_through_both_changes_of_the_clock() -> None:
    # Clocks go forward on 29 March at 01:00 UTC: 04:00 in London is 03:00 UTC.
    first = date(2026, 3, 28)
    assert study_day(first, datetime(2026, 3, 29, 2, 59, tzinfo=UTC), LONDON, FOUR) == 1
    assert study_day(first, datetime(2026, 3, 29, 3, 0, tzinfo=UTC), LONDON, FOUR) == 2
    # They go back on 25 October: 04:00 in London is 04:00 UTC again.
    first = date(2026, 10, 24)
    assert study_day(first, datetime(2026, 10, 25, 3, 59, tzinfo=UTC), LONDON, FOUR) == 1
    assert study_day(first, datetime(2026, 10, 25, 4, 0, tzinfo=UTC), LONDON, FOUR) == 2

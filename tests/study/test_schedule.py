"""Which study day it is."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from study.schedule import study_day

LONDON = ZoneInfo("Europe/London")
FOUR = time(4)


def test_the_day_of_enrolment_is_day_one() -> None:
    enrolled = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert study_day(enrolled, enrolled, LONDON, FOUR) == 1
    assert study_day(enrolled, datetime(2026, 3, 3, 9, tzinfo=UTC), LONDON, FOUR) == 2


def test_one_in_the_morning_belongs_to_the_evening_before() -> None:
    enrolled = datetime(2026, 3, 2, 20, tzinfo=UTC)
    assert study_day(enrolled, datetime(2026, 3, 3, 1, tzinfo=UTC), LONDON, FOUR) == 1
    assert study_day(enrolled, datetime(2026, 3, 3, 4, tzinfo=UTC), LONDON, FOUR) == 2


def test_the_boundary_is_on_the_wall_clock_through_both_changes_of_the_clock() -> None:
    enrolled = datetime(2026, 3, 28, 12, tzinfo=UTC)
    # Clocks go forward on 29 March at 01:00 UTC: 04:00 in London is 03:00 UTC.
    assert study_day(enrolled, datetime(2026, 3, 29, 2, 59, tzinfo=UTC), LONDON, FOUR) == 1
    assert study_day(enrolled, datetime(2026, 3, 29, 3, 0, tzinfo=UTC), LONDON, FOUR) == 2
    enrolled = datetime(2026, 10, 24, 12, tzinfo=UTC)
    # They go back on 25 October: 04:00 in London is 04:00 UTC again.
    assert study_day(enrolled, datetime(2026, 10, 25, 3, 59, tzinfo=UTC), LONDON, FOUR) == 1
    assert study_day(enrolled, datetime(2026, 10, 25, 4, 0, tzinfo=UTC), LONDON, FOUR) == 2

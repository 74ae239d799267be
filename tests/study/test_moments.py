"""Dates, times and numbers as participants read them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from study.moments import clock_time, date, direction, number, when

MOMENT = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def test_a_moment_reads_as_english_on_the_participants_own_clock() -> None:
    assert when(MOMENT, "en", BERLIN) == "Wednesday 25 November, 18:00"
    assert when(MOMENT, "en", ZoneInfo("Asia/Tokyo")) == "Thursday 26 November, 02:00"
    assert clock_time(MOMENT, "en", BERLIN) == "18:00"
    assert date(MOMENT, "en", BERLIN) == "25 November 2026"
    assert number(1234.5, "en") == "1,234.5"


@pytest.mark.parametrize(
    ("language", "way"), [("en", "ltr"), ("de", "ltr"), ("he", "rtl"), ("ar", "rtl"), ("fa", "rtl")]
)
def test_a_language_runs_the_way_of_its_script(language: str, way: str) -> None:
    assert direction(language) == way

"""Dates, times and numbers as participants read them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from study.moments import day_and_time, day_and_year, direction, number, time_of_day, until

MOMENT = datetime(2026, 11, 25, 18, 0, tzinfo=ZoneInfo("Europe/Berlin"))


def test_a_moment_reads_as_english() -> None:
    assert day_and_time(MOMENT, "en") == "Wednesday 25 November, 18:00"
    assert time_of_day(MOMENT, "en") == "18:00"
    assert day_and_year(MOMENT, "en") == "25 November 2026"
    assert number(1234.5, "en") == "1,234.5"


def test_a_moment_reads_as_german() -> None:
    assert day_and_time(MOMENT, "de") == "Mittwoch, 25. November, 18:00 Uhr"
    assert time_of_day(MOMENT, "de") == "18:00 Uhr"
    assert day_and_year(MOMENT, "de") == "25. November 2026"
    assert number(1234.5, "de") == "1.234,5"


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (-2, "Offen bis 18:00 Uhr heute, nach der Uhr deiner Zeitzone Europe/Berlin."),
        (-20, "Offen bis 18:00 Uhr morgen, nach der Uhr deiner Zeitzone Europe/Berlin."),
        (-60, "Offen bis Mittwoch, 25. November, 18:00 Uhr, nach der Uhr deiner Zeitzone Europe/Berlin."),
    ],
)
def test_a_window_ends_today_tomorrow_or_on_a_day(hours: int, said: str) -> None:
    assert until(MOMENT, MOMENT + timedelta(hours=hours), "de") == said


@pytest.mark.parametrize(
    ("language", "way"), [("en", "ltr"), ("de", "ltr"), ("he", "rtl"), ("ar", "rtl"), ("fa", "rtl")]
)
def test_a_language_runs_the_way_of_its_script(language: str, way: str) -> None:
    assert direction(language) == way

"""Moments, dates and numbers as a participant reads them: by the study's language, on the participant's own clock.

Names of days and months and their order are CLDR's, through Babel. A language stands for the region whose conventions
its texts are written in: our English is British. Moments are given in the participant's own zone.
"""

import re
from datetime import datetime, timedelta
from functools import cache

from babel import Locale
from babel.dates import format_date, format_time, match_skeleton
from babel.numbers import format_decimal

from study.texts import texts

__all__ = ["day_and_time", "day_and_year", "direction", "locale_of", "number", "time_of_day", "until"]

_REGION = {"en": "en-GB"}


@cache
def locale_of(language: str) -> Locale:
    """The conventions of a language. Raises `ValueError` or babel's `UnknownLocaleError` for what is none."""
    return Locale.parse(_REGION.get(language, language), sep="-")


def direction(language: str) -> str:
    """`ltr` or `rtl`: which way its script runs."""
    return locale_of(language).text_direction


def day_and_time(moment: datetime, language: str) -> str:
    """A moment with its day: `Wednesday 25 November, 18:00`, `Mittwoch, 25. November, 18:00 Uhr`."""
    day = format_date(moment, _day_pattern(language), locale=locale_of(language))
    said = str(texts(language, "screens")["moment"]["day_and_time"])
    return said.format(day=day, time=time_of_day(moment, language))


def time_of_day(moment: datetime, language: str) -> str:
    """The time alone: `18:00`, `18:00 Uhr`."""
    time = format_time(moment.replace(tzinfo=None), "short", locale=locale_of(language))
    return str(texts(language, "screens")["moment"]["time"]).format(time=time)


def day_and_year(moment: datetime, language: str) -> str:
    """A date to keep: `25 November 2026`, `25. November 2026`."""
    return format_date(moment, "long", locale=locale_of(language))


def until(moment: datetime, now: datetime, language: str) -> str:
    """Until when something can be done, and by whose clock: `until 22:00 today, in your time zone Europe/Berlin`."""
    said = texts(language, "screens")["today"]
    zone = str(moment.tzinfo).replace("_", " ")
    for days, name in ((0, "until_today"), (1, "until_tomorrow")):
        if moment.date() == now.date() + timedelta(days=days):
            return str(said[name].format(time=time_of_day(moment, language), zone=zone))
    return str(said["until_day"].format(when=day_and_time(moment, language), zone=zone))


def number(value: float, language: str) -> str:
    """A number with the language's own signs: `1,234.5`, `1.234,5`."""
    return format_decimal(value, locale=locale_of(language))


@cache
def _day_pattern(language: str) -> str:
    """The pattern of weekday, day and month, both names in full, which CLDR gives for the short ones."""
    skeletons = locale_of(language).datetime_skeletons
    name = match_skeleton("MMMEd", skeletons)
    return re.sub("MMM+", "MMMM", re.sub("E+", "EEEE", skeletons[name].pattern))

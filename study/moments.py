"""Moments, dates and numbers as a participant reads them: by the study's language, on the participant's own clock.

Names of days and months and their order are CLDR's, through Babel. A language stands for the region whose conventions
its texts are written in: our English is British.
"""

import re
from datetime import datetime, tzinfo
from functools import cache

from babel import Locale
from babel.dates import format_date, format_time, match_skeleton
from babel.numbers import format_decimal

from study.texts import texts

__all__ = ["clock_time", "date", "direction", "locale_of", "number", "when"]

_REGION = {"en": "en-GB"}


@cache
def locale_of(language: str) -> Locale:
    """The conventions of a language. Raises `ValueError` or babel's `UnknownLocaleError` for what is none."""
    return Locale.parse(_REGION.get(language, language), sep="-")


def direction(language: str) -> str:
    """`ltr` or `rtl`: which way its script runs."""
    return locale_of(language).text_direction


def when(moment: datetime, language: str, zone: tzinfo) -> str:
    """The day and the time of an aware moment: `Wednesday 25 November, 18:00`, `Mittwoch, 25. November, 18:00 Uhr`."""
    day = format_date(moment.astimezone(zone), _day_pattern(language), locale=locale_of(language))
    return str(texts(language, "screens")["moment"]["day_and_time"]).format(
        day=day, time=clock_time(moment, language, zone)
    )


def clock_time(moment: datetime, language: str, zone: tzinfo) -> str:
    """The time of day of an aware moment: `18:00`, `18:00 Uhr`."""
    time = format_time(moment.astimezone(zone), "short", locale=locale_of(language))
    return str(texts(language, "screens")["moment"]["time"]).format(time=time)


def date(moment: datetime, language: str, zone: tzinfo) -> str:
    """The date of an aware moment: `25 November 2026`, `25. November 2026`."""
    return format_date(moment.astimezone(zone), "long", locale=locale_of(language))


def number(value: float, language: str) -> str:
    """A number with the language's own signs: `1,234.5`, `1.234,5`."""
    return format_decimal(value, locale=locale_of(language))


@cache
def _day_pattern(language: str) -> str:
    """The pattern of weekday, day and month, both names in full, which CLDR gives for the short ones."""
    skeletons = locale_of(language).datetime_skeletons
    name = match_skeleton("MMMEd", skeletons)
    return re.sub("MMM+", "MMMM", re.sub("E+", "EEEE", skeletons[name].pattern))

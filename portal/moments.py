"""How a moment is said to a participant: by their own clock, in the study's language. The one place that does it."""

from datetime import datetime, timedelta

from study.texts import texts

__all__ = ["day_and_time", "day_and_year", "time_of_day", "until"]


def day_and_time(moment: datetime, language: str) -> str:
    """A moment with its day, for example `Tuesday, 3 March, 09:00`."""
    return f"{moment:%A, %-d %B, %H:%M}"


def day_and_year(moment: datetime, language: str) -> str:
    """A date to keep, for example `3 March 2026`."""
    return f"{moment:%-d %B %Y}"


def time_of_day(moment: datetime, language: str) -> str:
    """The time alone, for example `22:00`."""
    return f"{moment:%H:%M}"


def until(moment: datetime, now: datetime, language: str) -> str:
    """Until when something can be done, and by whose clock: `until 22:00 today, in your time zone Europe/Berlin`.

    Both moments are in the participant's own zone.
    """
    said = texts(language, "screens")["today"]
    zone = str(moment.tzinfo).replace("_", " ")
    for days, name in ((0, "until_today"), (1, "until_tomorrow")):
        if moment.date() == now.date() + timedelta(days=days):
            return str(said[name].format(time=time_of_day(moment, language), zone=zone))
    return str(said["until_day"].format(when=day_and_time(moment, language), zone=zone))

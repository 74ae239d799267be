"""Which study day it is for a participant. Pure functions of time."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = ["local_day", "study_day"]


def local_day(moment: datetime, zone: ZoneInfo, boundary: time) -> date:
    """The calendar day that `moment` counts towards.

    A day begins at `boundary` on the wall clock of `zone`, so what is done at one in the morning still
    belongs to the evening before.
    """
    wall = moment.astimezone(zone)
    return wall.date() if wall.time() >= boundary else wall.date() - timedelta(days=1)


def study_day(enrolled: datetime, now: datetime, zone: ZoneInfo, boundary: time) -> int:
    """The study day at `now`, counted from 1 on the day of enrolment. Less than 1 before it."""
    return (local_day(now, zone, boundary) - local_day(enrolled, zone, boundary)).days + 1

"""Which study day it is, and when its visit can be made. Pure functions of time.

A participant's day is that of their own wall clock: it begins at the day boundary, in their IANA time zone. Study days
are counted on the calendar from a date that is fixed at enrolment, so neither a change of the clocks nor a move to
another zone shifts the days that are past.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = ["Window", "local_day", "moment", "study_day", "window"]


@dataclass(frozen=True, slots=True)
class Window:
    """When a visit can be made, in UTC."""

    opens: datetime
    closes: datetime
    """Until when it can be begun."""
    ends: datetime
    """Until when one that was begun can be finished."""


def local_day(moment: datetime, zone: ZoneInfo, boundary: time) -> date:
    """The calendar day that `moment` counts towards.

    A day begins at `boundary` on the wall clock of `zone`, so what is done at one in the morning still
    belongs to the evening before.
    """
    wall = moment.astimezone(zone)
    return wall.date() if wall.time() >= boundary else wall.date() - timedelta(days=1)


def study_day(starts_on: date, now: datetime, zone: ZoneInfo, boundary: time) -> int:
    """The study day at `now`, counted from 1 on the date `starts_on`. Less than 1 before it."""
    return (local_day(now, zone, boundary) - starts_on).days + 1


def moment(day: date, wall: time, zone: ZoneInfo, boundary: time) -> datetime:
    """When it is `wall` on the study day of date `day`, in UTC.

    A time before the boundary comes at the end of the day, after midnight. A time that the clocks leave out, when they
    go forward, is taken as if they had not yet; one that they show twice, when they go back, is the first of the two.
    """
    on = day if wall >= boundary else day + timedelta(days=1)
    return datetime.combine(on, wall, zone).astimezone(UTC)


def window(
    day: date,
    zone: ZoneInfo,
    boundary: time,
    opens: time | None = None,
    closes: time | None = None,
    grace: timedelta = timedelta(),
    days: int = 1,
) -> Window:
    """The window of the visit that begins on date `day` and stays open for `days` days.

    Without `opens` it opens at the boundary, without `closes` it closes at the boundary that ends its last day.
    """
    last = day + timedelta(days=days - 1)
    opening = moment(day, opens or boundary, zone, boundary)
    closing = (
        moment(last, closes, zone, boundary) if closes else moment(last + timedelta(days=1), boundary, zone, boundary)
    )
    return Window(opening, closing, closing + grace)

"""Times as the console's pages say them."""

from datetime import datetime, timedelta

from portal.looking import sessions

__all__ = ["at", "since", "span"]


def span(time: timedelta) -> str:
    """How long, in the two largest units that matter: 3 min, 2 h 10 min, 4 days. What is shorter is a moment."""
    minutes = int(abs(time).total_seconds() // 60)
    hours, days = minutes // 60, minutes // 1440
    if minutes < 1:
        return "a moment"
    if hours < 1:
        return f"{minutes} min"
    if days < 2:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} days"


def at(moment: datetime | str) -> str:
    """A moment, or what the record has of one, on the study's own clock: 2 Mar 2026, 09:14."""
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    local = moment.astimezone(sessions().study.protocol.zone)
    return f"{local.day} {local:%b %Y, %H:%M}"


def since(moment: datetime | str) -> timedelta:
    """How long ago, or until when, by the study's clock."""
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return sessions().study.clock.now() - moment

"""What the page of today says: what is to be done next, until when, where one is in the study, and what comes after.

Drawn from the record and the clock alone. No exercise is opened and no engine is asked by looking at it.
"""

from dataclasses import dataclass
from typing import Any, Literal

from study import visits
from study.moments import day_and_time, until
from study.study import Participant, Study
from study.visits import Visit

__all__ = ["Day", "begun", "course", "outlook", "window_text"]

Mark = Literal["done", "today", "not_made", "ahead"]


@dataclass(frozen=True, slots=True)
class Day:
    """One study day as the row of days shows it."""

    number: int
    mark: Mark
    today: bool


def course(study: Study, participant: Participant) -> list[Day]:
    """Every study day, and how it stands."""
    now = study.day_of(participant)
    rows = study.records.rows("SELECT day, state FROM visit WHERE participant = ?", participant.code)
    states = {row["day"]: row["state"] for row in rows}
    days = []
    for number in range(1, participant.protocol.days + 1):
        mark: Mark
        if states.get(number) == "done":
            mark = "done"
        elif number < now or states.get(number) in ("stopped", "missed", "unfinished"):
            mark = "not_made"
        else:
            mark = "today" if number == now else "ahead"
        days.append(Day(number, mark, number == now))
    return days


def begun(study: Study, visit: Visit) -> bool:
    """Whether something of this visit has been given."""
    given = study.records.row("SELECT 1 FROM form WHERE visit = ?", visit.id)
    return visit.state != "before" or given is not None


def outlook(study: Study, participant: Participant, visit: Visit | None) -> dict[str, Any]:
    """What pages say about the days: `course`, how many are `done`, and `when` the next visit opens, if one does."""
    opens = visits.why_closed(study, participant).opens
    days = course(study, participant)
    return {
        "course": days,
        "done": sum(day.mark == "done" for day in days),
        "days": participant.protocol.days,
        "visit": visit,
        "when": day_and_time(opens, participant.protocol.language) if opens else None,
    }


def window_text(study: Study, participant: Participant, visit: Visit) -> str:
    """Until when this visit can be begun, or finished if it was."""
    ends = visit.window.closes if visit.state == "before" else visit.window.ends
    now = study.clock.now().astimezone(participant.zone)
    return until(ends.astimezone(participant.zone), now, participant.protocol.language)

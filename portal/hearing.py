"""No words go unheard: what a participant's page or robot sends and is refused is screened all the same.

It may have come too late, twice, to a closed visit, or be too long. When the screen finds something in it, the event is
raised as for any other words, and whoever wrote them is shown the people to call in place of the refusal.
"""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from flask import g, jsonify, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from portal import words
from portal.errors import Alarmed
from portal.looking import own_visit, sessions
from study import unrecorded
from study.errors import StudyError
from study.safety import Source
from study.schedule import local_day
from study.study import Person, Study
from therapist.errors import TherapistError

__all__ = ["alarmed", "hears", "in_crisis", "to_the_people"]

View = TypeVar("View", bound=Callable[..., Any])


def hears(view: View) -> View:
    """A view of a participant's to which words are sent: those that it refuses are screened."""

    @wraps(view)
    def hearing(*arguments: Any, **names: Any) -> Any:
        try:
            return view(*arguments, **names)
        except Alarmed:
            return to_the_people()
        except (StudyError, TherapistError, HTTPException):
            if alarmed(words.sent(), "draft" if request.method == "PUT" else "participant"):
                return to_the_people()
            raise

    return hearing  # type: ignore[return-value]


def alarmed(fields: dict[str, Any], source: Source = "participant") -> bool:
    """Screen what stands in a form that is refused, for the visit that it names if that is the participant's own."""
    running, visit = sessions(), own_visit(fields.get("visit"))
    if visit is None:
        return any(running.alarmed_outside(g.person, text) for text in words.said(fields))
    return any(running.alarmed(visit, text, source) for text in words.said(fields))


def to_the_people() -> Response:
    """The way to the page that has the people to call."""
    if not request.is_json:
        return redirect(g.home, 303)
    response = jsonify(state="stopped")
    response.status_code = 409
    return response


def in_crisis(study: Study, person: Person) -> bool:
    """Whether words or an answer of this study day raised an event that nobody has acknowledged yet, or one that a
    full disk keeps from being recorded."""
    if unrecorded.is_waiting(study, person.code):
        return True
    row = study.records.row(
        "SELECT max(raised_at) AS at FROM safety_event WHERE participant = ? AND acknowledged_at IS NULL"
        " AND source IN ('participant', 'therapist', 'draft', 'item')",
        person.code,
    )
    if row is None or row["at"] is None:
        return False
    days = [
        local_day(moment, person.zone, person.protocol.boundary)
        for moment in (datetime.fromisoformat(row["at"]), study.clock.now())
    ]
    return days[0] == days[1]

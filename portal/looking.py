"""Who is asking: the person behind a link, and the parts of the application that every page needs."""

from typing import Any

from flask import current_app, g

from portal.doors import count_wrong, limited, limits
from portal.sessions import Sessions
from study import visits
from study.enrolment import consent_due
from study.errors import UnknownCode, WrongToken
from study.study import Person
from study.visits import Visit

__all__ = ["has_to_agree", "own_visit", "person_of_link", "sessions"]


def sessions() -> Sessions:
    found: Sessions = current_app.extensions["bedside"]
    return found


def person_of_link(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Look a participant's link up before anything else. Raises `WrongToken`."""
    values = values or {}
    code, token = values.pop("code"), values.pop("token")
    study = sessions().study
    try:
        g.person = study.by_link(code, token)
    except (WrongToken, UnknownCode):
        count_wrong()
        raise
    limited(limits().link, code)
    g.participant = study.participant(code) if g.person.state == "enrolled" else None
    g.home = f"/p/{code}/{token}/"


def own_visit(number: object) -> Visit | None:
    """The visit with this number, as a form names it, if it is of the person behind the link."""
    study = sessions().study
    row = study.records.row("SELECT id FROM visit WHERE participant = ? AND id = ?", g.person.code, str(number))
    return visits.find(study, row["id"]) if row is not None else None


def has_to_agree(person: Person, visit: Visit) -> bool:
    """Whether a new version of the consent has to be agreed to before `visit` is begun."""
    return visit.state == "before" and consent_due(sessions().study, person) is not None

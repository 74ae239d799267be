"""The two ways out that every page of a participant's has: to stop for today, and to talk to a person.

Nothing here opens an exercise or asks an engine: what is said is fixed, and people answer.
"""

from datetime import datetime

from flask import Blueprint, abort, g, redirect, render_template
from werkzeug.wrappers import Response

from portal import words
from portal.looking import person_of_link, sessions
from portal.today import outlook, window_text
from study import identity, safety, visits
from study.errors import IdentityError, NotDue
from study.moments import day_and_time
from study.visit import FINAL
from study.visits import Visit

__all__ = ["blueprint"]

blueprint = Blueprint("ways_out", __name__)
blueprint.url_value_preprocessor(person_of_link)


def _visit() -> Visit | None:
    """Today's visit while it can be made."""
    visit = visits.today(sessions().study, g.participant) if g.participant else None
    return visit if visit is not None and visit.state not in FINAL else None


@blueprint.get("/stop")
def stop_page() -> str:
    study = sessions().study
    visit = _visit()
    if visit is None:
        return render_template("stop.html", visit=None)
    said = outlook(study, g.participant, visit)
    return render_template("stop.html", **said, until=window_text(study, g.participant, visit))


@blueprint.post("/stop")
def stop() -> Response:
    """End today's visit by the participant's own decision. Sent twice, it is ended once."""
    study = sessions().study
    fields = words.body()
    visit = _visit()
    if visit is not None:
        if str(fields.get("visit")) != str(visit.id):
            raise NotDue("This page belongs to another visit.")
        visits.end(study, visit, by=g.person.code)
    return redirect(g.home, 303)


@blueprint.get("/talk")
def talk_page() -> str:
    study = sessions().study
    asked = safety.asked(study, g.person.code)
    rules = study.protocol.safety
    return render_template(
        "talk.html",
        people=g.person.protocol.contacts,
        told=bool(rules.notify),
        minutes=rules.acknowledge_minutes,
        reachable=_reachable(),
        asked=day_and_time(
            datetime.fromisoformat(asked["raised_at"]).astimezone(g.person.zone), g.person.protocol.language
        )
        if asked
        else None,
    )


@blueprint.post("/talk")
def ask() -> Response:
    """Ask that somebody of the study contacts the person. Sent twice, it is asked once."""
    visit = _visit()
    safety.ask(sessions().study, g.person.code, visit.id if visit else None)
    return redirect(g.home + "talk", 303)


@blueprint.get("/<path:_>")
def nowhere(_: str) -> str:
    """No page of theirs has this address; said on a page that knows who asks, so that the ways out are on it."""
    abort(404)


def _reachable() -> bool:
    """Whether the study knows an address of theirs. A page that people need in distress never fails for that."""
    try:
        known = identity.contact(sessions().study, g.person.code)
    except IdentityError:
        return False
    return "email" in known or "phone" in known

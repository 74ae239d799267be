"""Safety events and harms: hearing of them, taking charge, assessing, closing; reporting harm; halting and going on."""

from collections.abc import Callable
from typing import Any

from flask import abort, g, redirect, render_template
from werkzeug.wrappers import Response

from portal import words
from portal.console.guard import needs, part
from portal.looking import sessions
from study import halting, safety
from study.errors import StudyError, UnknownCode

__all__ = ["blueprint"]

blueprint = part("safety", "/safety")

Page = tuple[str, int] | str | Response

CLOSED = 20
"""So many of the events that are closed are shown; all of them are in the exports."""


@blueprint.get("/")
@needs("report harm")
def page(mistake: str = "", at: str = "", sent: dict[str, Any] | None = None) -> str:
    """The queue. After a mistake the form called `at` is shown again with what was `sent`."""
    study = sessions().study
    events = safety.events(study)
    arms = {arm.name for one in study.protocols() for arm in one.arms}
    return render_template(
        "console/safety.html",
        alarms=[event for event in events if not event["acknowledged_at"]],
        unfinished=[event for event in events if event["acknowledged_at"] and not event["closed_at"]],
        closed=[event for event in events if event["closed_at"]][:CLOSED],
        assessment=safety.ASSESSMENT,
        halts=halting.halts(study),
        arms=sorted(arms),
        people=[person.code for person in study.participants()],
        notify=bool(study.protocol.safety.notify),
        minutes=study.protocol.safety.acknowledge_minutes,
        mistake=mistake,
        at=at,
        sent=sent or {},
    )


@blueprint.post("/events")
@needs("report harm")
def report() -> Page:
    """An adverse event that somebody noticed."""
    fields = words.body()
    if not fields.get("participant"):
        return page("Choose whom it happened to.", "report", fields), 422
    code = words.text_of(fields, "participant")
    description = words.words(fields, "description")
    return _done_or_said(
        "report",
        fields,
        lambda: safety.report(sessions().study, code, by=g.account.name, description=description),
    )


@blueprint.post("/events/<int:number>/acknowledgement")
@needs("safety")
def acknowledge(number: int) -> Response:
    safety.acknowledge(sessions().study, number, g.account.name)
    return redirect(f"/console/safety/#event-{number}", 303)


@blueprint.post("/events/<int:number>/assessment")
@needs("safety")
def assess(number: int) -> Page:
    fields = words.body()
    judged = {name: str(fields[name]) for name in safety.ASSESSMENT if fields.get(name)}
    why, close = str(fields.get("why", ""))[:500], fields.get("close") == "yes"
    return _done_or_said(
        f"event-{number}",
        fields,
        lambda: safety.assess(sessions().study, number, by=g.account.name, why=why, close=close, **judged),
    )


@blueprint.post("/halts")
@needs("safety")
def halt() -> Page:
    fields = words.body()
    scope, _, target = words.text_of(fields, "what").partition(" ")
    if scope not in ("participant", "arm", "study"):
        abort(422)
    why = words.text_of(fields, "why", 500)
    return _done_or_said(
        "halt",
        fields,
        lambda: halting.halt(sessions().study, scope, target, by=g.account.name, why=why),  # type: ignore[arg-type]
    )


@blueprint.post("/halts/<int:number>/lifting")
@needs("safety")
def lift(number: int) -> Page:
    fields = words.body()
    why = words.text_of(fields, "why", 500)
    return _done_or_said(
        f"halt-{number}", fields, lambda: halting.lift(sessions().study, number, by=g.account.name, why=why)
    )


def _done_or_said(form: str, fields: dict[str, Any], act: Callable[[], object]) -> Page:
    """The queue again; or what was wrong with what was asked, in the study's own words, with what was filled in."""
    try:
        act()
    except UnknownCode:
        raise
    except StudyError as error:
        return page(str(error), form, fields), 422
    return redirect("/console/safety/", 303)

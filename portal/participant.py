"""A participant's own link: today's visit, whatever it needs next.

The address holds the key, so there is no log-in and no cookie, and two participants in two tabs never mix. A page is
always drawn from the record; a form says which visit it was drawn for, and is refused when that is no longer today's.
"""

import secrets
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, g, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

import chat_web
import worksheet
from portal import words
from portal.joining import before_enrolment, form_page
from portal.looking import person_of_link, sessions
from portal.stream import reply_stream
from study import forms, visits
from study.errors import NotDue, OutOfRange
from study.moments import when
from study.study import Participant
from study.texts import texts
from study.visits import Visit
from therapist.errors import ExerciseOver, ReplyPending

__all__ = ["blueprint"]

blueprint = Blueprint("participant", __name__)
blueprint.url_value_preprocessor(person_of_link)

Page = tuple[str, int] | str | BaseResponse


def _visit_of(fields: dict[str, Any]) -> Visit:
    """Today's visit, which the form must have been drawn for. Raises `NotDue`."""
    visit = visits.today(sessions().study, g.participant)
    if visit is None or str(fields.get("visit")) != str(visit.id):
        raise NotDue("This page belongs to another visit.")
    return visit


@blueprint.before_request
def _enrolled_or_at_the_start() -> None:
    """Everything here but the first page is for those who are enrolled."""
    if g.participant is None and request.endpoint != "participant.page":
        raise NotDue("This is not due before the enrolment.")


@blueprint.get("/")
def page() -> Page:
    """The one thing to do next."""
    if g.participant is None:
        return before_enrolment(g.person)
    study = sessions().study
    participant: Participant = g.participant
    visit = visits.today(study, participant)
    if visit is None:
        return _closed_page(participant)
    if visit.state == "stopped":
        return render_template("stopped.html", visit=visit)
    due = forms.due_in_visit(study, visit)
    if due is not None:
        return form_page(g.person, due)
    if visit.follow_up and visit.state == "before":
        visit = visits.finish_follow_up(study, visit)
    if visit.state == "done":
        coming = visits.why_closed(study, participant).opens
        return render_template("done.html", visit=visit, when=_moment(coming), days=_days())
    if participant.arm.medium == "robot":
        return render_template("robot.html", visit=visit, days=_days())  # the robot asks for the ratings, too
    if visit.state == "exercise" or request.args.get("look"):
        return _exercise_page(visit, participant)
    return _rating_page(visit)


def _closed_page(participant: Participant) -> str:
    closed = visits.why_closed(sessions().study, participant)
    return render_template("closed.html", reason=closed.reason, when=_moment(closed.opens))


def _moment(moment: datetime | None) -> str | None:
    """A moment of the participant's own clock, as a person reads it."""
    participant: Participant = g.participant
    return when(moment, participant.protocol.language, participant.zone) if moment else None


def _rating_page(visit: Visit, mistake: str | None = None) -> str:
    return render_template("rating.html", visit=visit, occasion=visit.state, mistake=mistake, days=_days())


def _exercise_page(visit: Visit, participant: Participant) -> Page:
    visit, conversation = sessions().enter(visit)
    if participant.arm.medium == "chat":
        view = chat_web.view(conversation)
        return render_template(
            "chat.html", visit=visit, days=_days(), limit=words.LIMIT, token=secrets.token_hex(16), **view
        )
    view = worksheet.view(conversation, visits.drafts(sessions().study, visit))
    return render_template(
        "worksheet.html", visit=visit, days=_days(), limit=words.LIMIT, assist=participant.arm.assist, **view
    )


def _days() -> int:
    days: int = g.participant.protocol.days
    return days


@blueprint.post("/rating")
def rate() -> Page:
    fields = words.body()
    visit = _visit_of(fields)
    if visit.state == "before" and forms.due_in_visit(sessions().study, visit) is not None:
        raise NotDue("Some questions come before the rating.")
    try:
        visits.rate(sessions().study, visit, words.occasion(fields), words.rating(fields))
    except OutOfRange:
        said = texts(sessions().study.protocol.language, "screens")["rating"]
        return _rating_page(visit, said["wrong"] if fields.get("value") else said["missing"]), 422
    return redirect(g.home, 303)


@blueprint.post("/turns")
def say() -> Page:
    """Take a message or a worksheet's answer. Answered only when it is on the disk.

    A page's script sends JSON and reads the answer from the stream; a plain form waits here until it is written.
    """
    running = sessions()
    fields = words.body()
    visit = _visit_of(fields)
    if not request.is_json and not str(fields.get("words", "")).strip():
        return redirect(g.home, 303)  # an empty box sent without a script: the same page again
    said, token = words.words(fields), words.text_of(fields, "token")
    step = words.text_of(fields, "step") if "step" in fields else None
    try:
        turn = running.hear(visit, said, token, step)
    except (ReplyPending, ExerciseOver):
        if request.is_json:
            raise
        return redirect(g.home, 303)
    if request.is_json:
        return _json({"number": turn.number, "state": visits.find(running.study, visit.id).state}, 201)
    for _ in running.follow(visit, turn.number):
        pass
    return redirect(g.home, 303)


@blueprint.get("/reply")
def reply() -> Response:
    visit = _visit_of(request.args)
    return reply_stream(sessions(), visit)


@blueprint.get("/visit")
def state() -> BaseResponse:
    """Where the visit stands, for the page's script: another window or a robot may have moved it."""
    visit = visits.today(sessions().study, g.participant)
    return _json(sessions().describe(visit) if visit else {"visit": None}, 200)


@blueprint.put("/drafts/<step>")
def save_draft(step: str) -> BaseResponse:
    """Keep a worksheet field that is not confirmed yet; its words are screened like any others."""
    fields = words.body()
    visit = _visit_of(fields)
    running = sessions()
    if g.participant.arm.medium != "worksheet" or step not in worksheet.steps(running.conversation(visit)):
        abort(404)
    text = fields.get("words")
    if not isinstance(text, str) or "\0" in text:
        abort(422)
    if len(text) > words.LIMIT:
        abort(413)
    visits.save_draft(running.study, visit, step, text)
    return _json({"state": running.screen_words(visit, text, "draft").state}, 200)


def _json(data: dict[str, Any], status: int) -> BaseResponse:
    response = jsonify(data)
    response.status_code = status
    return response

"""A participant's own link: the page of today, and from it the steps of the visit.

The address holds the key, so there is no log-in and no cookie, and two participants in two tabs never mix. A page is
always drawn from the record; a form says which visit it was drawn for, and is refused when that is no longer today's.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, g, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

import chat_web
import worksheet
from portal import words
from portal.hearing import hears, in_crisis
from portal.joining import before_enrolment, form_page
from portal.looking import has_to_agree, own_visit, person_of_link, sessions
from portal.stream import read_to_its_end, reply_stream
from portal.today import begun, outlook, window_text
from study import forms, visits
from study.access import devices
from study.errors import DraftChanged, NotDue, OutOfRange, TimeOver
from study.study import Participant
from study.texts import texts
from study.visits import Visit
from therapist.conversation import Conversation
from therapist.errors import ExerciseOver, ReplyPending

__all__ = ["blueprint", "visit_of"]

blueprint = Blueprint("participant", __name__)
blueprint.url_value_preprocessor(person_of_link)

Page = tuple[str, int] | str | BaseResponse


def visit_of(fields: Mapping[str, Any]) -> Visit:
    """Today's visit, which the form must have been drawn for, and which has an exercise and its ratings.

    Raises `NotDue`, and `TimeOver` when it has ended.
    """
    study = sessions().study
    visit = visits.today(study, g.participant)
    named = str(fields.get("visit"))
    if visit is None or named != str(visit.id):
        other = own_visit(named)
        if other is not None and other.state in ("missed", "unfinished"):
            raise TimeOver("The time for this visit is over.")
        raise NotDue("This page belongs to another visit.")
    if visit.follow_up:
        raise NotDue("There is no exercise today.")
    return visit


@blueprint.before_request
def _enrolled_or_at_the_start() -> None:
    """Everything here but the page that says what is due is for those who are enrolled."""
    if g.participant is None and request.endpoint not in ("participant.page", "participant.now"):
        raise NotDue("This is not due before the enrolment.")


@blueprint.get("/")
def page() -> Page:
    """Today: the one thing to do next, where one is in the study, and what comes after."""
    if g.participant is None:
        return before_enrolment(g.person)
    study = sessions().study
    participant: Participant = g.participant
    if in_crisis(study, g.person):  # before anything is opened, for which there may be no room
        return render_template("stopped.html")
    visit = _todays_visit()
    if visit is not None and visit.state == "stopped":
        return render_template("stopped.html")
    if visit is None or participant.status == "held":
        closed = visits.why_closed(study, participant)
        return render_template("closed.html", reason=closed.reason, **outlook(study, participant, None))
    said = outlook(study, participant, visit)
    if visit.state == "done" and forms.due_in_visit(study, visit) is None:
        return render_template("done.html", **said)
    return render_template(
        "today.html",
        **said,
        medium=participant.arm.medium,
        begun=begun(study, visit),
        until=window_text(study, participant, visit),
        agree=has_to_agree(g.person, visit),
    )


@blueprint.get("/now")
def now() -> Page:
    """The step of today's visit that is due: questions, the rating, the exercise; or the page of today without one."""
    if g.participant is None:
        return before_enrolment(g.person)
    study = sessions().study
    if in_crisis(study, g.person):
        return redirect(g.home)
    visit = _todays_visit()
    if visit is None or visit.state == "stopped" or g.participant.status == "held":
        return redirect(g.home)
    if has_to_agree(g.person, visit):
        return redirect(g.home + "consent")
    due = forms.due_in_visit(study, visit)
    if due is not None:
        return form_page(g.person, due, visit)
    if visit.state == "done":
        return redirect(g.home)
    if g.participant.arm.medium == "robot":
        return _robot_page(visit)  # the robot asks for the ratings, too
    if visit.state == "exercise":
        return _exercise_page(visit, g.participant)
    return _rating_page(visit)


def _todays_visit() -> Visit | None:
    """Today's visit; a follow-up at which nothing is asked is done by being looked at."""
    study = sessions().study
    visit = visits.today(study, g.participant)
    if visit and visit.follow_up and visit.state == "before" and not g.participant.protocol.due(visit.follow_up):
        return visits.finish_follow_up(study, visit)
    return visit


def _rating_page(visit: Visit, mistake: str | None = None) -> str:
    return render_template("rating.html", visit=visit, occasion=visit.state, mistake=mistake, days=_days())


def _robot_page(visit: Visit) -> str:
    step, steps = _place(visit, sessions().conversation(visit))
    return render_template("robot.html", visit=visit, days=_days(), step=step, steps=steps, said=_of_the_robot(visit))


def _of_the_robot(visit: Visit) -> str:
    """Whether a robot is there for this visit, in a sentence: the one that has it, or any while none has."""
    there = devices.online(sessions().study)
    said = texts(g.participant.protocol.language, "screens")["robot"]
    if visit.device is not None:
        return str(said["ready" if visit.device in there else "lost"])
    return str(said["online" if there else "offline"])


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


def _place(visit: Visit, conversation: Conversation) -> tuple[int, int]:
    """At which step of the exercise the visit is, from 1, and how many there are; 0 when it is not at the exercise."""
    names = [step.id for step in conversation.exercise.steps]
    at = conversation.step if visit.state == "exercise" else None
    return (names.index(at) + 1 if at in names else 0), len(names)


def _days() -> int:
    days: int = g.participant.protocol.days
    return days


@blueprint.post("/rating")
def rate() -> Page:
    fields = words.body()
    visit = visit_of(fields)
    if has_to_agree(g.person, visit):
        return redirect(g.home + "consent", 303)
    if visit.state == "before" and forms.due_in_visit(sessions().study, visit) is not None:
        raise NotDue("Some questions come before the rating.")
    try:
        visits.rate(sessions().study, visit, words.occasion(fields), words.rating(fields))
    except OutOfRange:
        said = texts(sessions().study.protocol.language, "screens")["rating"]
        return _rating_page(visit, said["wrong"] if fields.get("value") else said["missing"]), 422
    return redirect(g.home + "now", 303)


@blueprint.post("/turns")
@hears
def say() -> Page:
    """Take a message or a worksheet's answer. Answered only when it is on the disk.

    A page's script sends JSON and reads the answer from the stream; a plain form waits here until it is written.
    """
    running = sessions()
    fields = words.body()
    visit = visit_of(fields)
    if not request.is_json and not str(fields.get("words", "")).strip():
        return redirect(g.home + "now", 303)  # an empty box sent without a script: the same page again
    said, token = words.words(fields), words.text_of(fields, "token")
    step = words.text_of(fields, "step") if "step" in fields else None
    base = fields.get("base")
    try:
        turn = running.hear(visit, said, token, step, base=base if isinstance(base, str) else None)
    except DraftChanged as changed:
        return _json({"standing": changed.standing, "confirmed": changed.confirmed}, 409)
    except (ReplyPending, ExerciseOver):
        if request.is_json:
            raise
        return redirect(g.home + "now", 303)
    if request.is_json:
        state = visits.find(running.study, visit.id).state
        return _json({"number": turn.number, "words": turn.text, "state": state}, 201)
    read_to_its_end(running, visit, turn.number)
    return redirect(g.home + "now", 303)


@blueprint.get("/reply")
def reply() -> Response:
    visit = visit_of(request.args)
    return reply_stream(sessions(), visit)


@blueprint.get("/visit")
def state() -> BaseResponse:
    """Where the visit stands, for the page's script: another window or a robot may have moved it."""
    visit = visits.today(sessions().study, g.participant)
    if visit is None or visit.follow_up:
        return _json({"visit": None}, 200)
    conversation = sessions().conversation(visit)
    described = sessions().describe(visit, conversation)
    described["step"], described["steps"] = _place(visit, conversation)
    if g.participant.arm.medium == "robot":
        described["said"] = _of_the_robot(visit)
    return _json(described, 200)


def _json(data: dict[str, Any], status: int) -> BaseResponse:
    response = jsonify(data)
    response.status_code = status
    return response

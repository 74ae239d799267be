"""The calls of the API, and its document."""

import re
import threading
import time
from collections import deque
from functools import cache
from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, request
from flask.sansio.blueprints import BlueprintSetupState

from portal.api import models
from portal.api.calling import CALLS, call
from portal.api.document import document
from portal.errors import Alarmed
from portal.looking import has_to_agree, sessions
from portal.stream import LAST_EVENT_ID, Numbered, follow, stream
from study import forms, sounding, visits
from study.access import devices
from study.access.devices import Caller
from study.errors import NotDue, UnknownCode
from study.study import Study
from study.visits import Visit

__all__ = ["blueprint"]

blueprint = Blueprint("api", __name__)

WRONG_CODES = 10
"""So many wrong codes within `WRONG_CODES_S` and a device has to wait: six digits must not be found by trying."""
WRONG_CODES_S = 60.0

LOOK_S = 1.0
"""A stream looks so often whether its device was revoked."""

VISIT = "/visits/<int(max=9007199254740991):visit_id>"
HELD = {
    404: "this device holds no such visit",
    409: "the participant has left, or their visits or the study are paused",
}


class _WrongCodes:
    """When each device gave a wrong code, lately."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def too_many(self, device: str) -> bool:
        with self._lock:
            times = self._times.setdefault(device, deque())
            while times and times[0] < time.monotonic() - WRONG_CODES_S:
                times.popleft()
            return len(times) >= WRONG_CODES

    def add(self, device: str) -> None:
        with self._lock:
            self._times.setdefault(device, deque()).append(time.monotonic())


@blueprint.record
def _each_portal_counts_for_itself(state: BlueprintSetupState) -> None:
    state.app.extensions["bedside wrong codes"] = _WrongCodes()


@blueprint.after_request
def _say_how_to_come_in(response: Response) -> Response:
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


@blueprint.get("/openapi.json")
def openapi() -> Response:
    return jsonify(_document())


@cache
def _document() -> dict[str, Any]:
    return document(CALLS)


def _described(visit: Visit) -> models.Visit:
    return models.Visit.model_validate(sessions().describe(*sessions().enter(visit)))


@call(
    blueprint,
    "POST",
    "/claims",
    scope="visits",
    body=models.Claim,
    answer=models.Visit,
    refusals={
        404: "no visit with a robot has this code today",
        409: "another device holds the visit, questions or a new consent on the participant's page come first, or the "
        "participant's visits or the study are paused",
        429: f"{WRONG_CODES} wrong codes within a minute, too many calls or too many wrong tokens: wait as long as "
        "`Retry-After` says",
    },
)
def claim(caller: Caller, body: models.Claim) -> models.Visit:
    """Take the visit whose code a participant gave.

    The device holds the visit from then on, and no other can take it. A device that holds it already is given it again,
    which is how a robot that was restarted goes on.
    """
    wrong_codes: _WrongCodes = current_app.extensions["bedside wrong codes"]
    if wrong_codes.too_many(caller.device):
        abort(429, "Too many wrong codes; wait a minute.")
    study = sessions().study
    try:
        return _described(visits.claim(study, body.code, caller.device, _refuse_before_the_page))
    except UnknownCode:
        wrong_codes.add(caller.device)
        raise


def _refuse_before_the_page(visit: Visit) -> None:
    """Raises `NotDue` while something on the participant's own page comes before this visit with a robot."""
    _refuse_before_consent(visit)
    if forms.due_in_visit(sessions().study, visit) is not None:
        raise NotDue("Some questions on the participant's page come first.")


def _refuse_before_consent(visit: Visit) -> None:
    """Raises `NotDue` while the participant has to agree to a new consent before this visit."""
    if has_to_agree(sessions().study.person(visit.participant), visit):
        raise NotDue("The participant has to read the new consent on their own page first.")


@call(blueprint, "GET", VISIT, scope="read", answer=models.Visit, refusals=HELD)
def visit(caller: Caller, visit: Visit) -> models.Visit:
    """The visit as it stands."""
    return _described(visit)


@call(
    blueprint,
    "POST",
    f"{VISIT}/ratings",
    scope="visits",
    body=models.Rating,
    answer=models.Visit,
    refusals={
        **HELD,
        409: "the rating is not due, a new consent on the participant's page comes first, the participant has left, or "
        "their visits or the study are paused",
    },
)
def rate(caller: Caller, visit: Visit, body: models.Rating) -> models.Visit:
    """Record a rating of distress.

    The first rating of an occasion stands; another changes nothing, and is answered with the visit.
    """
    _refuse_before_consent(visit)
    return _described(visits.rate(sessions().study, visit, body.occasion, body.value))


@call(
    blueprint,
    "POST",
    f"{VISIT}/turns",
    scope="visits",
    body=models.Turn,
    answer=models.Said,
    status=201,
    refusals={
        **HELD,
        409: "an answer is still owed, the exercise is not under way, the participant has left, or their visits or the "
        "study are paused; the words are screened all the same",
    },
)
def say(caller: Caller, visit: Visit, body: models.Turn) -> models.Said:
    """Record what the participant said.

    When this is answered the words are on the disk and screened, and the reply is being written: read it. The same
    `token` again is the same turn, whatever the words.
    """
    turn = sessions().hear(visit, body.words.strip(), body.token)
    stopped = visits.find(sessions().study, visit.id).state == "stopped"
    return models.Said(number=turn.number, stopped=stopped)


@call(blueprint, "GET", f"{VISIT}/reply", scope="read", query=models.Reply, answer=None, refusals=HELD)
def reply(caller: Caller, visit: Visit, query: models.Reply) -> Response:
    """What the therapist says, sentence by sentence.

    A stream of server-sent events: every answer after turn `after`, first those that are whole, then what is being
    written, at last `end`. A stream that broke off is taken up where it was: send the id of the last event as
    `Last-Event-ID`, and nothing comes twice or is left out. A comment comes every second in which there is nothing to
    say; three missing ones mean that the connection is lost. When the token is revoked the stream ends, without `end`.
    """
    last = request.headers.get("Last-Event-ID")
    if last is not None and not re.fullmatch(LAST_EVENT_ID, last):
        abort(422, "Last-Event-ID must be the id of an event of this stream.")
    return stream(_while_good(sessions().study, caller, follow(sessions(), visit, query.after, every=LOOK_S)))


@call(
    blueprint,
    "POST",
    f"{VISIT}/sounds",
    scope="visits",
    body=models.FirstSound,
    answer=models.Sounded,
    refusals={**HELD, 409: "the participant said no such turn, has left, or their visits or the study are paused"},
)
def sound(caller: Caller, visit: Visit, body: models.FirstSound) -> models.Sounded:
    """Say when the answer began to sound.

    Once for each answer that the device spoke, when it has: how late a robot answers is data of the study, and nobody
    but the robot knows. The first report of an answer stands.
    """
    stands = sounding.report(sessions().study, visit, body.reply_to, body.after_ms, by=caller.device)
    return models.Sounded(reply_to=body.reply_to, after_ms=stands)


@call(
    blueprint,
    "POST",
    f"{VISIT}/screen",
    scope="visits",
    body=models.Words,
    answer=models.Visit,
    refusals={**HELD, 409: f"{HELD[409]}, or something was found and the visit cannot be stopped"},
)
def screen(caller: Caller, visit: Visit, body: models.Words) -> models.Visit:
    """Have words screened that are no part of the exercise.

    Such as an answer to the rating's question that is no number. They are not kept; if the safety screen finds
    something, the visit is stopped and the safety officer is told. Where it cannot be stopped, since it has ended or
    the disk is full, the answer is 409, and its `message` is what to say.
    """
    found = sessions().alarmed(visit, body.words, "participant")
    visit = visits.find(sessions().study, visit.id)
    if found and visit.state != "stopped":
        raise Alarmed
    return _described(visit)


@call(blueprint, "POST", "/telemetry", scope="telemetry", body=models.Telemetry, answer=models.Device)
def telemetry(caller: Caller, body: models.Telemetry) -> models.Device:
    """Say how the device is.

    Every ten seconds, so that researchers see that it is connected; half a minute without a call and it counts as not
    connected. What is left out or null is not known.
    """
    study = sessions().study
    said = body.model_dump()
    devices.report(study, caller.device, **said)
    ends = caller.expires_at
    return models.Device(device=caller.device, expires_at=ends.isoformat(timespec="seconds") if ends else None)


def _while_good(study: Study, caller: Caller, events: Numbered) -> Numbered:
    """The events until the token ends: at once when it is revoked, whoever does that."""
    for one in events:
        if not devices.is_good(study, caller):
            return
        yield one

"""The device API: how a robot takes part, described in docs/design.md."""

import threading
import time
from collections import deque
from typing import Any

from flask import Blueprint, Response, abort, current_app, g, request
from flask.sansio.blueprints import BlueprintSetupState

from portal import words
from portal.looking import sessions
from portal.stream import reply_stream
from study import forms, halting, visits
from study.access import devices
from study.errors import NotDue, UnknownCode, WrongToken
from study.visits import Visit

__all__ = ["blueprint"]

blueprint = Blueprint("device", __name__)

WRONG_CODES = 10
"""So many wrong codes within `WRONG_CODES_S` and a device has to wait: six digits must not be found by trying."""
WRONG_CODES_S = 60.0


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


@blueprint.before_request
def _which_device() -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise WrongToken("Send the device token as `Authorization: Bearer <token>`; `bedside device` issues one.")
    g.device = devices.by_token(sessions().study, token.strip()).device


def _held(visit_id: int) -> Visit:
    """A visit that this device has claimed. Raises `UnknownCode` for any other."""
    visit = visits.find(sessions().study, visit_id)
    study = sessions().study
    if visit.device != g.device:
        raise UnknownCode("This device holds no such visit.")
    participant = study.participant(visit.participant)
    if participant.status == "withdrawn":
        raise NotDue("The participant has left the study.")
    if halting.is_halted(study, participant):
        raise NotDue("The study is paused; somebody will be in touch.")
    return visit


def _described(visit: Visit) -> dict[str, Any]:
    visit, _ = sessions().enter(visit)
    return sessions().describe(visit)


@blueprint.post("/claims")
def claim() -> dict[str, Any]:
    code = words.text_of(words.body(), "code")
    wrong_codes: _WrongCodes = current_app.extensions["bedside wrong codes"]
    if wrong_codes.too_many(g.device):
        abort(429, "Too many wrong codes; wait a minute.")
    try:
        visit = visits.claim(sessions().study, code, g.device)
    except UnknownCode:
        wrong_codes.add(g.device)
        raise
    if forms.due_in_visit(sessions().study, visit) is not None:
        raise NotDue("Some questions on the participant's page come first.")
    return _described(visit)


@blueprint.get("/visits/<int:visit_id>")
def visit(visit_id: int) -> dict[str, Any]:
    return _described(_held(visit_id))


@blueprint.post("/visits/<int:visit_id>/ratings")
def rate(visit_id: int) -> dict[str, Any]:
    held = _held(visit_id)
    fields = words.body()
    return _described(visits.rate(sessions().study, held, words.occasion(fields), words.rating(fields)))


@blueprint.post("/visits/<int:visit_id>/turns")
def say(visit_id: int) -> tuple[dict[str, Any], int]:
    held = _held(visit_id)
    fields = words.body()
    turn = sessions().hear(held, words.words(fields), words.text_of(fields, "token"))
    return {"number": turn.number, "stopped": turn.hit is not None}, 201


@blueprint.get("/visits/<int:visit_id>/reply")
def reply(visit_id: int) -> Response:
    return reply_stream(sessions(), _held(visit_id))


@blueprint.post("/visits/<int:visit_id>/screen")
def screen(visit_id: int) -> dict[str, Any]:
    """Words that are no part of the exercise, such as an answer to the rating's question that is no number."""
    held = _held(visit_id)
    return _described(sessions().screen_words(held, words.words(words.body()), "participant"))

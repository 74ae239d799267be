"""A call of the API: who may make it, what it takes and answers; declared once, checked and described from that."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, TypeVar

from flask import Blueprint, Response, abort, jsonify, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

from portal import words
from portal.api.models import Body
from portal.api.repeating import once
from portal.conversations import crisis_of
from portal.doors import count_wrong, limited, limits
from portal.errors import Alarmed
from portal.looking import sessions
from study import halting, visits
from study.access import devices
from study.access.devices import Caller
from study.access.scopes import Scope
from study.errors import NotDue, StudyError, UnknownCode, WrongToken
from study.visits import Visit
from therapist.errors import TherapistError

__all__ = ["CALLS", "Call", "call"]

Given = TypeVar("Given", bound=Body)
View = Callable[..., BaseModel | Response]


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it was declared."""

    name: str
    method: Literal["GET", "POST"]
    rule: str
    """As werkzeug reads it, under the API's prefix."""
    summary: str
    text: str
    scope: Scope
    body: type[Body] | None
    query: type[Body] | None
    answer: type[BaseModel] | None
    """None: a stream of events."""
    status: int
    refusals: Mapping[int, str]
    """Status to when it comes, for those that not every call has."""

    @property
    def path(self) -> str:
        """As OpenAPI writes it."""
        return re.sub(r"<[^>]*:(\w+)>", r"{\1}", self.rule)


CALLS: list[Call] = []
"""Every call, in the order of docs/api.md."""


def call(
    blueprint: Blueprint,
    method: Literal["GET", "POST"],
    rule: str,
    *,
    scope: Scope,
    answer: type[BaseModel] | None,
    body: type[Body] | None = None,
    query: type[Body] | None = None,
    status: int = 200,
    refusals: Mapping[int, str] | None = None,
) -> Callable[[View], View]:
    """Put a function into `blueprint` as a call. Its docstring describes it: the first line, then the rest.

    It is given the caller and, as far as the call has them, the visit that the device holds, the body and the query.
    """

    def declare(function: View) -> View:
        summary, _, text = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
        name = function.__name__
        CALLS.append(Call(name, method, rule, summary, text, scope, body, query, answer, status, refusals or {}))

        def view(visit_id: int | None = None) -> Response:
            caller = _caller(scope)
            try:
                return answered(caller, visit_id)
            except Alarmed as alarm:
                raise Alarmed(_fixed_message(visit_id)) from alarm
            except (StudyError, TherapistError, HTTPException) as refusal:
                if visit_id is not None and body is not None and _alarmed(caller, visit_id):
                    raise Alarmed(_fixed_message(visit_id)) from refusal
                raise

        def answered(caller: Caller, visit_id: int | None) -> Response:
            given: dict[str, Any] = {"caller": caller}
            if visit_id is not None:
                given["visit"] = _held(caller, visit_id)
            if body is not None:
                given["body"] = _body(body)
            if query is not None:
                given["query"] = _read(query, request.args.to_dict())

            def make() -> tuple[int, dict[str, Any]]:
                made = function(**given)
                assert isinstance(made, BaseModel)  # noqa: S101 - as declared
                return status, made.model_dump(mode="json")

            if answer is None:
                stream = function(**given)
                assert isinstance(stream, Response)  # noqa: S101 - as declared
                return stream
            code, data = once(sessions().study, caller, given.get("body"), make) if body is not None else make()
            response = jsonify(data)
            response.status_code = code
            return response

        blueprint.add_url_rule(rule, name, view, methods=[method])
        return function

    return declare


def _caller(scope: Scope) -> Caller:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise WrongToken("Send the device token as `Authorization: Bearer <token>`; `bedside device` issues one.")
    try:
        caller = devices.by_token(sessions().study, token.strip())
    except WrongToken:
        count_wrong()
        raise
    limited(limits().device, caller.device)
    if scope not in caller.scopes:
        abort(403, f"This call needs a token with the scope {scope}; this one has {', '.join(sorted(caller.scopes))}.")
    return caller


def _held(caller: Caller, visit_id: int) -> Visit:
    """A visit that this device has claimed. Raises `UnknownCode` for any other."""
    study = sessions().study
    visit = visits.find(study, visit_id)
    if visit.device != caller.device:
        raise UnknownCode("This device holds no such visit.")
    participant = study.participant(visit.participant)
    if participant.status == "withdrawn":
        raise NotDue("The participant has left the study.")
    # The words that stopped it paused the participant's visits, and may have halted the arm. Nothing can move it any
    # more, but the robot has to say the fixed message to its end, and a call made again gets the answer it had.
    if visit.state == "stopped":
        return visit
    if halting.is_halted(study, participant):
        raise NotDue("The study is paused; somebody will be in touch.")
    if participant.status == "held":
        raise NotDue("The participant's visits are paused until somebody has been in touch with them.")
    return visit


def _fixed_message(visit_id: int | None) -> str | None:
    """What is to be said to the participant of this visit in a crisis."""
    if visit_id is None:
        return None
    study = sessions().study
    return crisis_of(study, study.participant(visits.find(study, visit_id).participant).protocol)


def _alarmed(caller: Caller, visit_id: int) -> bool:
    """Screen the words of a call that is refused, for the visit that this device holds."""
    visit = visits.find(sessions().study, visit_id)
    if visit.device != caller.device:
        return False
    return any(sessions().alarmed(visit, text, "participant") for text in words.said(words.sent()))


def _body(model: type[Given]) -> Given:
    data = request.get_data()  # also when it is refused: what is left unread would be taken for the next request
    if request.mimetype != "application/json":
        abort(415, "Send a JSON object, with Content-Type: application/json.")
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        _refuse(model, error)


def _read(model: type[Given], fields: dict[str, str]) -> Given:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        _refuse(model, error)


def _refuse(model: type[Body], error: ValidationError) -> NoReturn:
    """End the request with what is wrong, in our words: pydantic's may quote what was sent."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "json_invalid" or not name:
        abort(400, "The body must be a JSON object.")
    if name not in model.model_fields:
        abort(422, f"The fields are {', '.join(model.model_fields)}, and no other.")
    what = "is missing" if first["type"] == "missing" else "is not right"
    abort(422, f"{name} {what}: {model.model_fields[name].description}.")

"""The OpenAPI document, made from the declared calls.

A generator of our own, because the calls have to be declared in one place with what checks them: the scope, the body,
the statuses. The libraries that do this for Flask bring an error format of their own, describe no event stream, and
add pages that load scripts from other hosts; what is left of the work is this module.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from portal.api import models
from portal.api.repeating import KEY
from portal.stream import LAST_EVENT_ID
from study.access.scopes import ABOUT

if TYPE_CHECKING:
    from portal.api.calling import Call

__all__ = ["REFUSALS", "document"]

VERSION = "1.1.0"
"""The API's own: its second number grows with what is added, its first (and the path) with what is taken away."""

REFUSALS = {
    400: "the body is no JSON object",
    401: "the token is not right, has expired or was revoked",
    403: "the token has not the scope that the call needs",
    413: "the body is larger than 64 KiB",
    415: "the body is not sent as `application/json`",
    422: "a field is missing, wrong or too many; or the idempotency key was used for another call",
    429: "too many calls in a short time, or too many wrong tokens: wait as long as `Retry-After` says",
    500: "the portal failed: the call may be made again, with the same idempotency key",
    507: "the disk is full or may not be written to: nothing was kept",
}
"""What a call may be refused for that others may be refused for, too."""

_EVENTS: dict[str, type[BaseModel]] = {
    "place": models.Place,
    "sentence": models.Sentence,
    "turn": models.WholeTurn,
    "end": models.Visit,
}

_WHOLE = {"type": "integer", "minimum": 1, "maximum": models.LARGEST}


def document(calls: Sequence["Call"]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these calls."""
    answers = {call.answer for call in calls if call.answer} | {models.Error, *_EVENTS.values()}
    bodies = {call.body for call in calls if call.body}
    named = [(model, "validation") for model in bodies] + [(model, "serialization") for model in answers]
    _, schemas = models_json_schema(
        sorted(named, key=lambda one: one[0].__name__),  # type: ignore[arg-type] # the two modes are literals
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bedside",
            "version": VERSION,
            "summary": "How robots and other programs take part in a study.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": _without_titles(schemas["$defs"]),
            "securitySchemes": {
                "device": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A device's token, which `bedside device` issues. Scopes: "
                    + "; ".join(f"`{name}`, {what}" for name, what in ABOUT.items())
                    + ".",
                }
            },
        },
    }


def _operation(call: "Call") -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.summary.rstrip("."),
        "description": " ".join(call.text.split()),
        "security": [{"device": [call.scope]}],
        "parameters": list(_parameters(call)),
        "responses": {str(call.status): _answer(call)},
    }
    if call.body:
        operation["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _ref(call.body),
                    "example": {
                        name: field.examples[0] for name, field in call.body.model_fields.items() if field.examples
                    },
                }
            },
        }
    general = {401, 403, 429, 500, 507}
    if call.body:
        general |= {400, 413, 415, 422}
    if call.query:
        general.add(422)
    refusals = {number: said for number, said in REFUSALS.items() if number in general} | dict(call.refusals)
    for number, said in sorted(refusals.items()):
        operation["responses"][str(number)] = {
            "description": said,
            "content": {"application/json": {"schema": _ref(models.Error)}},
        }
    operation["responses"]["401"]["headers"] = {
        "WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}, "required": True}
    }
    operation["responses"]["429"]["headers"] = {
        "Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "required": True, "description": "seconds"}
    }
    return operation


def _parameters(call: "Call") -> Any:
    for name in re.findall(r"{(\w+)}", call.path):
        yield {"name": name, "in": "path", "required": True, "schema": _WHOLE, "description": "the visit's number"}
    if call.query:
        for name, field in call.query.model_json_schema()["properties"].items():
            said = field.pop("description")
            field.pop("title")
            yield {"name": name, "in": "query", "required": False, "schema": field, "description": said}
    if call.body:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "pattern": KEY},
            "description": "made up for this call, 1 to 255 visible ASCII characters; the same again within 24 hours "
            "gets the same answer",
        }
    if call.answer is None:
        yield {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "pattern": LAST_EVENT_ID},
            "description": "the id of the last event that the client has, in place of `after`",
        }


def _answer(call: "Call") -> dict[str, Any]:
    if call.answer is None:
        said = ", ".join(f"`{name}` with a {model.__name__}" for name, model in _EVENTS.items())
        return {
            "description": f"server-sent events, each with JSON as its data: {said}; the schema is that of one event",
            "content": {"text/event-stream": {"schema": {"anyOf": [_event(name) for name in _EVENTS]}}},
        }
    name = call.answer.__name__
    return {"description": f"a {name}", "content": {"application/json": {"schema": _ref(call.answer)}}}


def _event(name: str) -> dict[str, Any]:
    """One event of the stream, as its three lines."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": _ref(_EVENTS[name])}
    lines = {"id": {"type": "string", "pattern": LAST_EVENT_ID}, "event": {"const": name}, "data": data}
    return {"type": "object", "properties": lines, "required": list(lines), "additionalProperties": False}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _without_titles(schema: Any) -> Any:
    """pydantic gives every field its own name as a title, which says nothing."""
    if isinstance(schema, dict):
        kept = {key: value for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
        return {key: _without_titles(value) for key, value in kept.items()}
    return [_without_titles(one) for one in schema] if isinstance(schema, list) else schema

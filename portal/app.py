"""The application: its blueprints, its limits, its headers, and what an error looks like."""

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import IntegerConverter, Map

import chat_web
import worksheet
from portal import api, console, doors, joining, paper, participant, ways_out, worksheets
from portal.console.guard import csrf_field
from portal.errors import Alarmed
from portal.sessions import Sessions
from study.errors import (
    IdentityError,
    MeasureError,
    NotDue,
    OutOfRange,
    RecordError,
    RecordFull,
    StudyError,
    TimeOver,
    UnknownCode,
    WrongToken,
)
from study.moments import direction
from study.protocol import EngineChoice
from study.study import Study
from study.texts import texts
from therapist.engine import Engine
from therapist.errors import ExerciseOver, ReplyPending, UnknownStep

__all__ = ["create_app"]

log = structlog.get_logger()

MAX_BODY = 64 * 1024
"""The largest request, in bytes. A message may have `portal.words.LIMIT` characters, at most four bytes each."""

_STATUS: dict[type[Exception], int] = {
    Alarmed: 409,
    WrongToken: 404,  # a page that a link does not open looks like no page at all
    UnknownCode: 404,
    NotDue: 409,
    ReplyPending: 409,
    ExerciseOver: 409,
    OutOfRange: 422,
    UnknownStep: 422,
    RecordFull: 507,
    RecordError: 507,
    MeasureError: 500,
    IdentityError: 500,
    StudyError: 422,  # the rest of its tree
}

_SENTENCE = {
    403: "elsewhere",
    404: "link",
    409: "late",
    413: "large",
    422: "late",
    429: "often",
    500: "broken",
    507: "full",
}

_IN_CONSOLE = {
    "elsewhere": "This was sent from a page of another site, or from one that was too old, so nothing was done. Please "
    "open the page again.",
    "link": "There is no such page.",
    "late": "That could not be taken. Please open the page again: it shows how things stand now.",
    "large": "That was too much to send at once, so nothing of it was taken. Please shorten it and send it again.",
    "often": "That was too often in a short time. Please wait a minute, then try again.",
    "broken": "Something went wrong in Bedside. The log of the server says what. Nothing that was confirmed is lost.",
    "full": "The disk of the study's computer is full or may not be written to, so this could not be saved.",
    "missing": "There is no such page.",
}
"""The same in the console, whose text is English."""


class _Number(IntegerConverter):
    """A number in an address: there is no page for one that the record could not hold."""

    def __init__(self, map: Map, **bounds: Any) -> None:
        super().__init__(map, **{"max": 2**63 - 1, **bounds})


def create_app(
    study: Study, engines: Mapping[EngineChoice, Engine], *, second_factor: bool = True, behind_proxy: bool = False
) -> Flask:
    """The portal of `study`; `engines` has one engine for each choice that an arm of the protocol makes.

    Whoever signs in to the console needs a `second_factor`. `behind_proxy`: one reverse proxy says who asks, and how.
    """
    app = Flask("portal")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY
    app.url_map.converters["int"] = _Number
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.config["SECOND_FACTOR"] = second_factor
    app.extensions["bedside"] = Sessions(study, engines)
    doors.put_up(app, behind_proxy=behind_proxy)

    for room in (chat_web.blueprint, worksheet.blueprint):
        app.register_blueprint(room)
    app.register_blueprint(joining.door, url_prefix="/join/<token>")
    app.register_blueprint(joining.blueprint, url_prefix="/p/<code>/<token>")
    app.register_blueprint(participant.blueprint, url_prefix="/p/<code>/<token>")
    app.register_blueprint(worksheets.blueprint, url_prefix="/p/<code>/<token>")
    app.register_blueprint(ways_out.blueprint, url_prefix="/p/<code>/<token>")
    app.register_blueprint(paper.blueprint, url_prefix="/p/<code>/<token>")
    app.register_blueprint(api.blueprint, url_prefix=api.PREFIX)
    console.register(app)
    app.jinja_env.globals["csrf_field"] = csrf_field

    @app.context_processor
    def _frame() -> dict[str, Any]:
        language = study.protocol.language
        return {
            "t": texts(language, "screens"),
            "crisis": texts(language, "crisis")["page"],
            "contacts": study.protocol.safety.contacts,
            "title": study.protocol.title,
            "language": language,
            "direction": direction(language),
            "rehearsal": study.rehearsal,
        }

    def _answer(status: int, sentence: str | None = None, **more: str | None) -> Response:
        """The error as JSON for programs, with `more` fields, as a page for people; the status tells which sentence."""
        in_console = request.path.startswith("/console/")
        screens = _IN_CONSOLE if in_console else texts(study.protocol.language, "screens")["error"]
        said = sentence or screens[_SENTENCE.get(status, "missing")]
        if request.path.startswith("/api/") or request.accept_mimetypes.best == "application/json" or request.is_json:
            response = jsonify(error=said, **more)
        elif in_console:
            response = Response(render_template("console/error.html", sentence=said))
        else:
            response = Response(render_template("error.html", sentence=said, back=g.get("home")))
        response.status_code = status
        return response

    def _refused(error: Exception) -> Response:
        status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
        if status == 500:
            log.error("the study cannot go on", reason=str(error))  # its own words, which quote nobody
        if request.path.startswith("/api/"):
            more = {"message": error.message} if isinstance(error, Alarmed) else {}
            return _answer(401 if isinstance(error, WrongToken) else status, str(error), **more)
        if isinstance(error, TimeOver):
            return _answer(status, texts(study.protocol.language, "screens")["error"]["over"])
        return _answer(status, str(error) if request.path.startswith("/console/") else None)

    for kind in _STATUS:
        app.register_error_handler(kind, _refused)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        said = None
        if request.path.startswith("/api/"):
            unknown = isinstance(error, NotFound) and request.url_rule is None
            said = api.no_such_call(request.path) if unknown else error.description
        elif request.path.startswith("/console/") and error.description != type(error).description:
            said = error.description
        response = _answer(error.code or 500, said)
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(error.valid_methods)
        if error.code == 429:
            response.headers["Retry-After"] = "60"
        return response

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        # The traceback names lines of code; participants' words are in no message of ours.
        log.exception("unexpected error", endpoint=request.endpoint)
        return _answer(500)

    return app

"""The application: its blueprints, its limits, its headers, and what an error looks like."""

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

import chat_web
import worksheet
from portal import console, device, joining, participant, researcher
from portal.console.guard import csrf_field
from portal.sessions import Sessions
from study.errors import (
    IdentityError,
    MeasureError,
    NotDue,
    OutOfRange,
    RecordFull,
    StudyError,
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
    WrongToken: 404,  # a page that a link does not open looks like no page at all
    UnknownCode: 404,
    NotDue: 409,
    ReplyPending: 409,
    ExerciseOver: 409,
    OutOfRange: 422,
    UnknownStep: 422,
    RecordFull: 507,
    MeasureError: 500,
    IdentityError: 500,
    StudyError: 422,  # the rest of its tree
}

_SENTENCE = {404: "link", 409: "late", 413: "large", 422: "late", 507: "full", 500: "broken"}

_HEADERS = {
    # Everything comes from this host; no inline script or style, so markup in a message can never run.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'; "
    "base-uri 'none'; object-src 'none'",
    # The address of a page is its key: it must not travel to other sites.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def create_app(study: Study, engines: Mapping[EngineChoice, Engine]) -> Flask:
    """The portal of `study`; `engines` has one engine for each choice that an arm of the protocol makes."""
    app = Flask("portal")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["bedside"] = Sessions(study, engines)

    for room in (chat_web.blueprint, worksheet.blueprint):
        app.register_blueprint(room)
    app.register_blueprint(joining.door, url_prefix="/join/<token>")
    app.register_blueprint(joining.blueprint, url_prefix="/p/<code>/<token>")
    app.register_blueprint(participant.blueprint, url_prefix="/p/<code>/<token>")
    app.register_blueprint(researcher.blueprint, url_prefix="/researcher/<token>")
    app.register_blueprint(researcher.blinded, url_prefix="/blinded/<role>/<token>")
    app.register_blueprint(device.blueprint, url_prefix="/api/v1")
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

    @app.before_request
    def _same_site() -> Response | None:
        if request.method not in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Site") == "cross-site":
            return _answer(404)
        return None

    @app.after_request
    def _headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if request.endpoint is None or not request.endpoint.endswith("static"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _answer(status: int, sentence: str | None = None) -> Response:
        """The error as JSON for programs, as a page for people; the status tells which sentence."""
        screens = texts(study.protocol.language, "screens")["error"]
        said = sentence or screens[_SENTENCE.get(status, "missing")]
        if request.path.startswith("/api/") or request.accept_mimetypes.best == "application/json" or request.is_json:
            response = jsonify(error=said)
        else:
            response = Response(render_template("error.html", sentence=said, back=g.get("home")))
        response.status_code = status
        return response

    def _refused(error: Exception) -> Response:
        status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
        if status == 500:
            log.error("the study cannot go on", reason=str(error))  # its own words, which quote nobody
        if request.path.startswith("/api/"):
            return _answer(401 if isinstance(error, WrongToken) else status, str(error))
        return _answer(status)

    for kind in _STATUS:
        app.register_error_handler(kind, _refused)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        return _answer(error.code or 500, error.description if request.path.startswith("/api/") else None)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        # The traceback names lines of code; participants' words are in no message of ours.
        log.exception("unexpected error", endpoint=request.endpoint)
        return _answer(500)

    return app

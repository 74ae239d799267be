"""Signing in and out of the console, and the one-time link by which an account is set up."""

from typing import Any

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from portal import words
from portal.console import guard
from portal.doors import limited, limits
from portal.looking import sessions
from study.access import accounts, passwords, second_factor, signing
from study.access.signing import TooManyFailures
from study.errors import RecordError, RecordFull, StudyError, WrongToken

__all__ = ["blueprint"]

blueprint = Blueprint("signing", __name__, url_prefix="/console")
blueprint.before_request(guard.nobody_reads_along)


@blueprint.context_processor
def _what_is_asked_for() -> dict[str, Any]:
    return {"factor": current_app.config["SECOND_FACTOR"], "shortest": passwords.SHORTEST, "longest": passwords.LONGEST}


@blueprint.get("/sign-in")
def page() -> str:
    then = request.args.get("then", "/console/")
    # A link in a message opens without the cookie, which no other site can make a browser send: then go on from here.
    elsewhere = request.headers.get("Sec-Fetch-Site") == "cross-site"
    return _page(then if guard.safe_path(then) else "/console/", elsewhere=elsewhere)


def _page(then: str, **more: Any) -> str:
    return render_template("console/sign_in.html", then=then, **more)


@blueprint.post("/sign-in")
def sign_in() -> Response:
    limited(limits().sign_in, request.remote_addr or "")
    fields = words.body()
    name, password, code = (str(fields.get(field, ""))[:1000] for field in ("name", "password", "code"))
    then, kept = str(fields.get("then", "")), guard.Kept.read(str(fields.get("kept", "")))
    factor = current_app.config["SECOND_FACTOR"]
    address = request.remote_addr or ""
    try:
        token = signing.sign_in(
            sessions().study, name, password, code, address=address, factor=factor, instead_of=guard.token_of()
        )
    except (WrongToken, TooManyFailures) as error:
        waiting = isinstance(error, TooManyFailures)
        again = _page(
            then if guard.safe_path(then) else "/console/",
            mistake=str(error),
            name=name[:100],
            kept=kept.text if kept else "",
        )
        response = make_response(again, 429 if waiting else 422)
        if isinstance(error, TooManyFailures):
            response.headers["Retry-After"] = str(error.seconds)
        return response
    g.token = token
    onwards: Response
    if kept:
        onwards = make_response(render_template("console/kept.html", kept=kept))
    else:
        onwards = redirect(then if guard.safe_path(then) and then != "/console/" else _start(name), 303)
    guard.give_cookie(onwards, token)
    return onwards


def _start(name: str) -> str:
    """Where somebody begins: at the dashboard, if it is for them."""
    account = accounts.find(sessions().study, name)
    return "/console/" if account.may("follow") else "/console/accounts/"


@blueprint.post("/sign-out")
def sign_out() -> Response:
    guard.check_csrf()
    signing.sign_out(sessions().study, guard.token_of())
    response = redirect("/console/sign-in", 303)
    guard.take_cookie(response)
    return response


@blueprint.get("/welcome/<token>")
def welcome(token: str) -> Response:
    """The page of a one-time link."""
    return make_response(_welcome_page(token))


def _welcome_page(token: str, **more: Any) -> str:
    try:
        invited = accounts.invitation(sessions().study, token)
    except WrongToken:
        limited(limits().sign_in, request.remote_addr or "")
        raise
    name = invited.name or "Bedside"
    address = second_factor.address(invited.secret, name, sessions().study.protocol.title)
    return render_template(
        "console/welcome.html",
        invited=invited,
        secret=" ".join(invited.secret[at : at + 4] for at in range(0, len(invited.secret), 4)),
        address=address,
        drawing=Markup(second_factor.drawing(address)),  # noqa: S704 - drawn by segno from our own address
        **more,
    )


@blueprint.post("/welcome/<token>")
def set_up(token: str) -> Response:
    limited(limits().sign_in, request.remote_addr or "")
    fields = words.body()
    name, password, code = (str(fields.get(field, ""))[:1000] for field in ("name", "password", "code"))
    factor = current_app.config["SECOND_FACTOR"]
    try:
        name, codes = accounts.accept(sessions().study, token, password, code if factor else None, name=name)
    except (WrongToken, RecordFull, RecordError):
        raise
    except StudyError as error:
        return make_response(_welcome_page(token, mistake=str(error), name=name[:100]), 422)
    if not codes:
        return redirect("/console/sign-in", 303)
    return make_response(render_template("console/recovery_codes.html", codes=codes, name=name))

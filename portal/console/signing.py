"""Signing in and out of the console."""

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from portal import words
from portal.console.guard import COOKIE
from portal.looking import sessions
from study.access import accounts
from study.errors import WrongToken

__all__ = ["blueprint"]

blueprint = Blueprint("signing", __name__, url_prefix="/console")


@blueprint.get("/sign-in")
def page(mistake: str | None = None) -> str:
    return render_template("console/sign_in.html", mistake=mistake)


@blueprint.post("/sign-in")
def sign_in() -> Response | tuple[str, int]:
    fields = words.body()
    try:
        token = accounts.sign_in(sessions().study, str(fields.get("name", "")), str(fields.get("password", "")))
    except WrongToken as error:
        return page(str(error)), 422
    response = redirect("/console/", 303)
    response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=request.is_secure, path="/console")
    return response


@blueprint.post("/sign-out")
def sign_out() -> Response:
    accounts.sign_out(sessions().study, request.cookies.get(COOKIE, ""))
    response = redirect("/console/sign-in", 303)
    response.delete_cookie(COOKIE, path="/console")
    return response

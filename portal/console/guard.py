"""Who is asking, and whether they may. Every view of the console says which permission it needs."""

import hmac
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, abort, current_app, g, jsonify, make_response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from portal.doors import limited, limits, over_https_or_here
from portal.looking import sessions
from portal.words import whole
from study.access import signing
from study.access.roles import Permission

__all__ = [
    "COOKIE",
    "COOKIE_HTTPS",
    "Kept",
    "check_csrf",
    "csrf_field",
    "for_everybody",
    "give_cookie",
    "needs",
    "nobody_reads_along",
    "part",
    "safe_path",
    "take_cookie",
    "token_of",
]

log = structlog.get_logger()

COOKIE = "bedside"
"""The cookie's name on this machine itself, where there is no TLS."""

COOKIE_HTTPS = "__Host-bedside"
"""Over HTTPS. A browser takes a cookie of such a name only for this host, and only by HTTPS."""

View = TypeVar("View", bound=Callable[..., Any])

_NOT_KEPT = ("csrf", "password", "old")
"""No password stands in a page that asks to sign in again."""

FOR_EVERYBODY = "signed in"
"""Stands for a permission where whoever is signed in may do it."""


def part(name: str, prefix: str) -> Blueprint:
    """A part of the console under `/console<prefix>`: whoever is not signed in is asked to, and comes back."""
    blueprint = Blueprint(name, f"portal.console.{name}", url_prefix=f"/console{prefix}")
    blueprint.before_request(_signed_in)
    return blueprint


def needs(permission: Permission) -> Callable[[View], View]:
    """Only those who have `permission` get the view; others get 403. `view.permission` says which it is."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*arguments: Any, **names: Any) -> Any:
            if not g.account.may(permission):
                log.warning("refused", account=g.account.name, needs=permission, endpoint=request.endpoint)
                abort(403, "Your roles do not include this. Whoever is the administrator of the study can change them.")
            return view(*arguments, **names)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def for_everybody(view: View) -> View:
    """Whoever is signed in gets the view."""
    view.permission = FOR_EVERYBODY  # type: ignore[attr-defined]
    return view


def csrf_field() -> Markup:
    """For every form of the console. Scripts send the same value as the header `X-CSRF-Token`."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(_csrf(g.get("token") or token_of()))


def check_csrf() -> None:
    """End the request with 403 when it does not come from a page that this sign-in was shown."""
    sent = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    if not hmac.compare_digest(sent.encode(), _csrf(token_of()).encode()):
        log.warning("refused", reason="not from a page of this sign-in", endpoint=request.endpoint)
        abort(403)


def token_of() -> str:
    """What the browser says it is signed in with."""
    return request.cookies.get(COOKIE_HTTPS if request.is_secure else COOKIE, "")


def give_cookie(response: Response, token: str) -> None:
    """Have the browser keep the token: for no script, no other site and no other host."""
    name = COOKIE_HTTPS if request.is_secure else COOKIE
    response.set_cookie(name, token, httponly=True, samesite="Strict", secure=request.is_secure, path="/")


def take_cookie(response: Response) -> None:
    """Have the browser forget the token, and what it kept of the console's pages."""
    name = COOKIE_HTTPS if request.is_secure else COOKIE
    response.delete_cookie(name, httponly=True, samesite="Strict", secure=request.is_secure, path="/")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


class Kept:
    """What somebody sent when nobody was signed in any more: kept in the page that asks them to sign in."""

    def __init__(self, path: str, fields: list[tuple[str, str]]) -> None:
        self.path = path
        self.fields = fields

    @classmethod
    def of_request(cls) -> "Kept | None":
        """Of a form that was sent; None when there was none."""
        fields = [(name, value) for name, value in request.form.items(multi=True) if name not in _NOT_KEPT]
        return cls(request.full_path.rstrip("?"), fields) if fields else None

    @classmethod
    def read(cls, text: str) -> "Kept | None":
        """Of what `text` wrote. None for anything that it did not write."""
        try:
            path, fields = json.loads(text)
            found = cls(whole(str(path)), [(whole(str(name)), whole(str(value))) for name, value in fields])
        except (ValueError, TypeError, RecursionError):
            return None
        return found if safe_path(found.path) else None

    @property
    def text(self) -> str:
        return json.dumps([self.path, self.fields])


def safe_path(path: str) -> bool:
    """Whether this is a page of the console, and nothing that leads elsewhere."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return False
    return (
        path.startswith("/console/")
        and not (parts.scheme or parts.netloc)
        and "\\" not in path
        and path.isprintable()
        and ".." not in parts.path.split("/")
    )


def nobody_reads_along() -> None:
    """Ends the request with 403 where passwords and transcripts would go over a network as plain text."""
    if not over_https_or_here():
        abort(403, "The console opens over HTTPS, or on the machine that serves it. docs/security.md says how.")


def _csrf(token: str) -> str:
    return sessions().study.key.token("csrf", token)


def _signed_in() -> Any:
    nobody_reads_along()
    token = token_of()
    account = signing.signed_in(sessions().study, token, active=_by_a_person())
    if account is None:
        return _ask_to_sign_in()
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        check_csrf()
    limited(limits().account, account.name)
    g.account = account
    g.token = token
    g.home = "/console/"
    return None


def _by_a_person() -> bool:
    """Whether a person did something: a page that renews itself, or says that it is there, keeps nobody signed in."""
    if "X-Bedside-Live" in request.headers:
        return False
    return request.method not in ("GET", "HEAD") or request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def _ask_to_sign_in() -> Response:
    """The way to the door, and back to where somebody was; to a script, 401 in JSON."""
    if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate" or request.is_json:
        response = jsonify(
            error="You are not signed in any more. Sign in, then do this again.", sign_in="/console/sign-in"
        )
        response.status_code = 401
        return response
    if request.method not in ("GET", "HEAD"):
        kept = Kept.of_request()
        factor = current_app.config["SECOND_FACTOR"]
        said = {"kept": kept.text if kept else "", "ended": True, "then": "/console/", "factor": factor}
        page = render_template("console/sign_in.html", **said)
        return make_response(page, 401)
    path = request.full_path.rstrip("?")
    return redirect(url_for("signing.page", then=path if path != "/console/" else None), 303)

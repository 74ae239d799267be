"""Who is asking, and whether they may. Every view of the console says which permission it needs."""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint, abort, g, redirect, request, url_for
from markupsafe import Markup

from portal.looking import sessions
from study.access import accounts
from study.access.roles import Permission

__all__ = ["COOKIE", "csrf_field", "needs", "part"]

COOKIE = "bedside"

View = TypeVar("View", bound=Callable[..., Any])


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
                abort(403)
            return view(*arguments, **names)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def csrf_field() -> Markup:
    """For every form of the console. Scripts send the same value as the header `X-CSRF-Token`."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(_csrf(request.cookies.get(COOKIE, "")))


def _csrf(token: str) -> str:
    return sessions().study.key.token("csrf", token)


def _signed_in() -> Any:
    token = request.cookies.get(COOKIE, "")
    account = accounts.signed_in(sessions().study, token)
    if account is None:
        return redirect(url_for("signing.page"), 303)
    g.account = account
    g.home = "/console/"
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        sent = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
        if not hmac.compare_digest(sent.encode(), _csrf(token).encode()):
            abort(403)
    return None

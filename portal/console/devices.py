"""Robots and their tokens, and the engines: what the study runs on."""

from collections.abc import Callable
from typing import Any

from flask import g, redirect, render_template
from werkzeug.wrappers import Response

from portal import words
from portal.console import engines
from portal.console.guard import needs, part
from portal.looking import sessions
from study.access import devices
from study.access.devices import Device
from study.access.scopes import ABOUT, SCOPES
from study.errors import StudyError, UnknownCode

__all__ = ["blueprint", "shown"]

blueprint = part("devices", "/devices")

Page = tuple[str, int] | str | Response


@blueprint.get("/")
@needs("engine")
def page(*, token: str = "", name: str = "", mistake: str = "", sent: dict[str, Any] | None = None) -> str:
    """All devices. `token` is a new one of the device `name`: this is the one time that it can be seen."""
    return render_template(
        "console/devices.html",
        token=token,
        name=name,
        mistake=mistake,
        sent=sent or {},
        scopes=ABOUT,
        **shown(),
        **engines.shown(),
    )


def shown() -> dict[str, Any]:
    """What the template `console/_robots.html` needs."""
    study = sessions().study
    robots = devices.all(study)
    return {"robots": robots, "holders": _holders(robots) if g.account.may("see arms") else {}}


def _holders(robots: list[Device]) -> dict[int, str]:
    """Whose the visits are that devices hold. Who may not see arms does not learn who is with a robot."""
    return {
        one.visit: row["participant"]
        for one in robots
        if one.visit is not None
        and (row := sessions().study.records.row("SELECT participant FROM visit WHERE id = ?", one.visit))
    }


@blueprint.post("/tokens")
@needs("devices")
def issue() -> Page:
    fields = words.body()
    name = words.text_of(fields, "name", 40)
    chosen = tuple(scope for scope in SCOPES if fields.get(f"scope-{scope}") == "yes")
    return _new_token(name, fields, lambda: devices.issue(sessions().study, name, by=g.account.name, scopes=chosen))


@blueprint.post("/<name>/rotation")
@needs("devices")
def rotate(name: str) -> Page:
    """A new token in place of the device's, which is good for a few minutes more."""
    chosen = words.text_of(words.body(), "scopes")
    scopes = tuple(scope for scope in SCOPES if scope in chosen.split())
    return _new_token(name, {}, lambda: devices.rotate(sessions().study, name, by=g.account.name, scopes=scopes))


@blueprint.post("/<name>/revocation")
@needs("devices")
def revoke(name: str) -> Page:
    devices.revoke(sessions().study, name, by=g.account.name)
    return redirect("/console/devices/", 303)


def _new_token(name: str, fields: dict[str, Any], make: Callable[[], str]) -> Page:
    """The page with the token, this once; or what was wrong. Never a redirect: a token stands in no address."""
    try:
        return page(token=make(), name=name)
    except UnknownCode:
        raise
    except StudyError as error:
        return page(mistake=str(error), sent=fields), 422

"""Who has an account, for the administrator; and one's own account, for everybody."""

from typing import Any

from flask import current_app, g, redirect, render_template, request
from werkzeug.wrappers import Response

from portal import words
from portal.console import guard
from portal.console.guard import for_everybody, needs, part
from portal.looking import sessions
from study.access import accounts, passwords, signing
from study.access.roles import ABOUT, ROLES
from study.errors import RecordError, RecordFull, StudyError

__all__ = ["blueprint", "own"]

blueprint = part("accounts", "/accounts")
own = part("own", "/own")

Page = Response | str | tuple[str, int]


@blueprint.get("/")
@needs("accounts")
def page(**more: Any) -> str:
    return render_template(
        "console/accounts.html", accounts=accounts.everybody(sessions().study), roles=ROLES, about=ABOUT, **more
    )


@blueprint.post("/")
@needs("accounts")
def change() -> Page:
    """Make an account, or change one; a new one-time link is shown once."""
    study, by, fields = sessions().study, g.account.name, words.body()
    name, do = str(fields.get("name", "")), fields.get("do")
    roles = request.form.getlist("roles")
    try:
        if do == "add":
            return page(made=accounts.plain(name), link=_link(accounts.add(study, name, roles, by=by)))
        if do == "reset":
            return page(made=name, link=_link(accounts.reset(study, name, by=by)))
        if do == "roles":
            accounts.set_roles(study, name, roles, by=by)
        elif do == "disable":
            accounts.disable(study, name, by=by)
        elif do == "enable":
            accounts.enable(study, name, by=by)
        else:
            raise StudyError("Nothing was chosen to be done.")
    except (RecordFull, RecordError):
        raise
    except StudyError as error:
        return page(mistake=str(error), name=name if do == "add" else ""), 422
    return redirect("/console/accounts/", 303)


def _link(token: str) -> str:
    return f"{request.host_url.rstrip('/')}/console/welcome/{token}"


@own.get("/")
@for_everybody
def own_page(**more: Any) -> str:
    study, name = sessions().study, g.account.name
    lately = study.records.rows(
        "SELECT at, what FROM event WHERE subject = ? AND what IN"
        " ('signed in', 'sign-in failed', 'sign-in locked', 'password changed', 'recovery codes renewed',"
        " 'account set up', 'roles changed', 'signed out everywhere', 'signed out elsewhere')"
        " ORDER BY id DESC LIMIT 10",
        name,
    )
    return render_template(
        "console/own.html",
        places=signing.places(study, name, g.token),
        left=signing.recovery_codes_left(study, name),
        lately=lately,
        factor=current_app.config["SECOND_FACTOR"],
        about=ABOUT,
        shortest=passwords.SHORTEST,
        longest=passwords.LONGEST,
        **more,
    )


@own.post("/")
@for_everybody
def change_own() -> Page:
    """Change one's password, get new recovery codes, or sign out at other places."""
    study, name, fields = sessions().study, g.account.name, words.body()
    do, old = fields.get("do"), str(fields.get("old", ""))[:1000]
    try:
        if do == "password":
            signing.change_password(study, name, old, str(fields.get("password", ""))[:1000], token=g.token)
            return own_page(done="Your password is changed. Everywhere else you are signed out.")
        if do == "codes":
            codes = signing.renew_recovery_codes(study, name, old)
            return render_template("console/recovery_codes.html", codes=codes, name=name)
        if do == "place":
            signing.sign_out_everywhere(study, name, place=str(fields.get("place", "")))
            return redirect("/console/own/", 303)
        if do != "everywhere":
            raise StudyError("Nothing was chosen to be done.")
        signing.sign_out_everywhere(study, name)
    except (RecordFull, RecordError):
        raise
    except StudyError as error:
        return own_page(mistake=str(error), wrong=do), 422
    response = redirect("/console/sign-in", 303)
    guard.take_cookie(response)
    return response

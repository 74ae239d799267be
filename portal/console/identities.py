"""Who somebody is: looked up with a reason, and each look on record before anything is shown."""

from flask import g, redirect, render_template, request
from werkzeug.wrappers import Response

from portal.console.guard import needs, part
from portal.console.people import known
from portal.looking import sessions
from study import identity
from study.errors import IdentityError

__all__ = ["blueprint"]

blueprint = part("identities", "/people")

Page = str | tuple[str, int] | Response

_LONGEST = 200


@blueprint.get("/looks")
@needs("audit")
def looks() -> str:
    """Who looked at identities or changed one, when and why, the newest first. It names nobody."""
    rows = sessions().study.records.rows(
        "SELECT at, actor, what, subject, json_extract(detail, '$.why') AS why, detail IS NULL AS erased FROM event"
        " WHERE what IN ('identity seen', 'identity kept', 'identity deleted', 'link shown')"
        " ORDER BY id DESC LIMIT 1000"
    )
    return render_template("console/looks.html", rows=rows)


@blueprint.get("/<code>/identity")
@needs("identity")
def ask(code: str, mistake: str = "") -> str:
    return render_template("console/identity.html", person=known(code), shown=None, mistake=mistake)


@blueprint.post("/<code>/identity")
@needs("identity")
def look(code: str) -> Page:
    person = known(code)
    why = request.form.get("why", "").strip()[:500]
    if not why:
        return ask(code, "Say why you look."), 422
    try:
        shown = identity.everyone(sessions().study, by=g.account.name, why=why, code=code).get(code, {})
    except IdentityError as error:
        return ask(code, str(error)), 500
    return render_template("console/identity.html", person=person, shown=shown, fields=identity.FIELDS, mistake="")


@blueprint.post("/<code>/identity/edit")
@needs("identity")
def edit(code: str) -> Page:
    """Keep what was typed. What is left empty stays as it was."""
    known(code)
    fields = {name: request.form.get(name, "").strip()[:_LONGEST] for name in identity.FIELDS}
    if fields["email"] and "@" not in fields["email"]:
        return ask(code, "The e-mail address has no @ in it, so nothing was changed."), 422
    try:
        identity.remember(sessions().study, code, by=g.account.name, **fields)
    except IdentityError as error:
        return ask(code, str(error)), 500
    return redirect(f"/console/people/{code}/", 303)

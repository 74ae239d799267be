"""The dashboard: how the study stands."""

from flask import render_template

from portal.console.guard import needs, part

__all__ = ["blueprint"]

blueprint = part("home", "")


@blueprint.get("/")
@needs("follow")
def page() -> str:
    return render_template("console/home.html")

"""Blank worksheets, for a researcher to print: one for each exercise of the study, with the people to reach on it."""

from flask import render_template

from portal.console.guard import needs, part
from portal.looking import sessions
from portal.paper import LINES, blank
from therapist.exercise import load_exercise

__all__ = ["blueprint"]

blueprint = part("printing", "/paper")


@blueprint.get("/")
@needs("enrol")
def page() -> str:
    protocol = sessions().study.protocol
    sheets = [blank(load_exercise(name, protocol.language)) for name in dict.fromkeys(protocol.exercises.rota)]
    return render_template("console/worksheets.html", sheets=sheets, lines=LINES)

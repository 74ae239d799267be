"""The worksheet on paper: blank to write on, or filled with what was answered. Paper is an arm in real studies."""

from dataclasses import dataclass, replace

from flask import Blueprint, g, render_template, request

import worksheet
from portal.looking import person_of_link, sessions
from study import visits
from study.errors import NotDue
from therapist.exercise import Exercise

__all__ = ["Sheet", "blank", "blueprint"]

blueprint = Blueprint("paper", __name__)
blueprint.url_value_preprocessor(person_of_link)

LINES = 6
"""To write on, below each question of a blank worksheet."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One worksheet as it is printed."""

    opening: str
    closing: str
    steps: list[tuple[str, str, str]]
    """The question, the answer and the reply; empty where there is none."""
    day: int | None = None
    code: str = ""


def blank(exercise: Exercise, day: int | None = None, code: str = "") -> Sheet:
    """The worksheet of an exercise, to be filled in by hand."""
    return Sheet(exercise.opening, exercise.closing, [(step.ask, "", "") for step in exercise.steps], day, code)


@blueprint.get("/paper")
def page() -> str:
    """Today's worksheet to print: blank, or with `?filled` with the person's own answers and the replies."""
    study = sessions().study
    visit = visits.today(study, g.participant) if g.participant else None
    if visit is None or not visit.exercise or g.participant.arm.medium != "worksheet":
        raise NotDue("There is no worksheet to print now.")
    conversation = sessions().conversation(visit)
    filled = "filled" in request.args
    sheet = blank(conversation.exercise, visit.day, g.participant.code)
    if filled:
        fields = worksheet.view(conversation, visits.drafts(study, visit))["fields"]
        steps = [(field.question, field.answer or field.draft, field.reply or "") for field in fields]
        sheet = replace(sheet, steps=steps)
    return render_template("paper.html", sheets=[sheet], filled=filled, lines=LINES)

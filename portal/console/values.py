"""What somebody rated and answered, and putting right what was given wrongly."""

from flask import g, redirect, render_template, request
from werkzeug.wrappers import Response

from portal.console.guard import needs, part
from portal.console.people import known
from portal.looking import sessions
from study import correcting
from study.correcting import Given
from study.errors import MeasureError, NotDue, StudyError, UnknownCode
from study.forms import SCREENING, measure_of
from study.study import Study

__all__ = ["blueprint"]

blueprint = part("values", "/people/<code>/values")

Page = str | tuple[str, int] | Response


@blueprint.get("/")
@needs("correct")
def page(code: str) -> str:
    study = sessions().study
    known(code)
    values = correcting.values(study, code)
    return render_template(
        "console/values.html",
        code=code,
        values=values,
        given={one.name: correcting.as_given(study, one) for one in values if one.corrected},
        corrections=correcting.corrections(study, code),
        excluded=correcting.excluded_now(study, code),
    )


@blueprint.get("/<kind>/<int:number>")
@needs("correct")
def value(code: str, kind: str, number: int, mistake: str = "") -> str:
    study = sessions().study
    known(code)
    found = correcting.find(study, code, f"{kind}/{number}")
    return render_template(
        "console/value.html",
        code=code,
        value=found,
        options=_options(study, found),
        mistake=mistake,
        sent=request.form,
    )


@blueprint.post("/<kind>/<int:number>")
@needs("correct")
def correct(code: str, kind: str, number: int) -> Page:
    known(code)
    sent = request.form
    try:
        correcting.correct(
            sessions().study,
            code,
            f"{kind}/{number}",
            sent.get("new", "")[:500],
            was=sent.get("was", "")[:500],
            by=g.account.name,
            why=sent.get("why", "")[:500],
        )
    except UnknownCode:
        raise
    except StudyError as error:
        return value(code, kind, number, str(error)), 409 if isinstance(error, NotDue) else 422
    return redirect(f"/console/people/{code}/values/", 303)


def _options(study: Study, given: Given) -> list[tuple[str, str]]:
    """The answers to choose from, as they are sent and as they are shown; none for a number."""
    if given.measure == SCREENING:
        question = study.person(given.person).protocol.question(given.item)
        return [(answer, answer) for answer in question.answers] if question else []
    if given.form is None:
        return []
    try:
        measure = measure_of(study, given.measure)
        language = study.protocol.language if study.protocol.language in measure.languages else measure.languages[0]
        options = measure.wording(language).options(given.item)
    except (MeasureError, IndexError, StopIteration):
        return []
    shown = [(str(value), text if text == str(value) else f"{value}: {text}") for value, text in options]
    return [*shown, ("", "left out")] if shown else []

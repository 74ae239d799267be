"""The worksheet before it is confirmed: fields saved as they are written, and all of them to be read once more.

A field may be open in two windows. Whoever saves or confirms says what the field held when they began, and when it
holds something else by now they are shown both: the later one never silently wins.
"""

from flask import Blueprint, abort, g, jsonify, redirect, render_template
from werkzeug.wrappers import Response

import worksheet
from portal import words
from portal.hearing import alarmed, hears, to_the_people
from portal.looking import person_of_link, sessions
from portal.participant import visit_of
from study import visits
from study.errors import DraftChanged, NotDue
from study.texts import texts
from study.visits import Visit
from therapist.errors import ExerciseOver

__all__ = ["blueprint"]

blueprint = Blueprint("worksheets", __name__)
blueprint.url_value_preprocessor(person_of_link)


@blueprint.before_request
def _in_the_arm() -> None:
    if g.participant is None or g.participant.arm.medium != "worksheet":
        abort(404)


@blueprint.put("/drafts/<step>")
@hears
def save_draft(step: str) -> tuple[Response, int]:
    """Keep a field that is not confirmed yet. When it changed elsewhere meanwhile, answer 409 with what it holds."""
    fields = words.body()
    visit = visit_of(fields)
    running = sessions()
    if step not in worksheet.steps(running.conversation(visit)):
        abort(404)
    text, base = fields.get("words"), fields.get("base")
    if not isinstance(text, str) or "\0" in text or not isinstance(base, str | None):
        abort(422)
    if len(text) > words.LIMIT:
        abort(413)
    try:
        visit = running.keep_draft(visit, step, text, base)
    except DraftChanged as changed:
        return jsonify(standing=changed.standing, confirmed=changed.confirmed), 409
    return jsonify(state=visit.state), 200


@blueprint.get("/check")
def check() -> str:
    """Every answer that is written and not confirmed, to be read once more, changed or confirmed."""
    visit = visits.today(sessions().study, g.participant)
    if visit is None or visit.state != "exercise":
        raise NotDue("No worksheet is open now.")
    return _check_page(visit)


def _check_page(visit: Visit, mistake: str | None = None) -> str:
    view = worksheet.view(sessions().conversation(visit), visits.drafts(sessions().study, visit))
    written = [field for field in view["fields"] if field.answer is None and field.draft.strip()]
    return render_template(
        "check.html", visit=visit, days=g.participant.protocol.days, written=written, mistake=mistake
    )


@blueprint.post("/check")
@hears
def confirm() -> Response | tuple[str, int]:
    """Confirm the answers as they were shown. One that was changed meanwhile is shown again instead."""
    fields = words.body()
    visit = visit_of(fields)
    running = sessions()
    for step in worksheet.steps(running.conversation(visit)):
        if f"answer-{step}" not in fields:
            continue
        shown = str(fields[f"answer-{step}"]).replace("\r\n", "\n")  # a form sends a line break as two characters
        try:
            running.hear(visit, words.words({"words": shown}), f"{visit.id}-{step}", step, base=shown)
        except DraftChanged:
            said = texts(g.participant.protocol.language, "screens")["worksheet"]
            return _check_page(visit, said["changed_meanwhile"]), 409
        except (ExerciseOver, NotDue):
            # Stopped by what stands in one of them, or ended meanwhile: the page says where it stands.
            return to_the_people() if alarmed(fields) else redirect(g.home + "now", 303)
        visit = visits.find(running.study, visit.id)
    return redirect(g.home + "now", 303)

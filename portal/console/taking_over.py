"""A visit under way, followed live, and taken over: a person writes the therapist's answers in the model's place.

The page asks every second what is new. A stream would hold one of the portal's threads for as long as a tab is open,
which participants need. Every five seconds the page of whoever holds the visit says that they are there.
"""

from typing import Any

from flask import abort, g, jsonify, redirect, render_template
from werkzeug.wrappers import Response as BaseResponse

from portal import words
from portal.console.guard import needs, part
from portal.console.transcripts import turns_of
from portal.looking import sessions
from study import takeover, transcripts, visits
from study.errors import NotDue, StudyError
from study.visits import Visit

__all__ = ["blueprint"]

blueprint = part("taking_over", "/transcripts/visits/<int:visit_id>")

Page = tuple[str, int] | str | BaseResponse

LONGEST_REASON = 500


def _found(visit_id: int) -> Visit:
    found = visits.find(sessions().study, visit_id)
    if not found.exercise:
        abort(404)
    return found


@blueprint.get("/live")
@needs("read")
def page(visit_id: int, mistake: str | None = None) -> str:
    found = _found(visit_id)
    study = sessions().study
    return render_template(
        "console/live.html",
        found=found,
        participant=study.participant(found.participant),
        state=transcripts.STATES.get(found.state, found.state),
        turns=turns_of(found),
        held=takeover.holding(study, visit_id),
        limit=words.LIMIT,
        longest=LONGEST_REASON,
        mistake=mistake,
    )


@blueprint.get("/live/now")
@needs("read")
def now(visit_id: int) -> BaseResponse:
    """What is new after turn `?after=`: turns, the sentences being written, what is owed, and who holds the visit."""
    found = _found(visit_id)
    study = sessions().study
    held = takeover.holding(study, visit_id)
    after = words.after()
    return jsonify(
        state=found.state,
        said=transcripts.STATES.get(found.state, found.state),
        turns=[
            {
                "number": turn["number"],
                "speaker": turn["speaker"],
                "origin": turn["origin"],
                "reply_to": turn["reply_to"],
                "text": turn["text"],
                "found": turn["hit"]["category"] if turn["hit"] else None,
            }
            for turn in turns_of(found, after)
        ],
        writing=sessions().being_written(found),
        owed=_owed(found) if found.state == "exercise" else None,
        held_by=held.taken_by if held else None,
        mine=held is not None and held.taken_by == g.account.name,
    )


def _owed(found: Visit) -> dict[str, Any] | None:
    """The turn whose answer is owed, since when, and what the script wants of the answer."""
    conversation = sessions().conversation(found)
    pending = conversation.pending
    if pending is None or conversation.stopped:
        return None
    due = conversation.due(pending)
    said = next(turn for turn in turns_of(found, pending.number - 1))
    waiting = sessions().study.clock.now() - said["recorded_at"]
    return {
        "number": pending.number,
        "form": due.form,
        "asked": due.step.ask,
        "next": conversation.says_next(due),
        "waiting_s": max(0, round(waiting.total_seconds())),
    }


@blueprint.post("/takeover")
@needs("take over")
def take(visit_id: int) -> Page:
    """Asked once more before it is done: what is written from then on reaches a participant."""
    found = _found(visit_id)
    fields = words.body()
    why = str(fields.get("why", "")).strip()[:LONGEST_REASON]
    if not why:
        return page(visit_id, mistake="Say why you take over."), 422
    if fields.get("sure") != "yes":
        participant = sessions().study.participant(found.participant)
        return render_template("console/take_over.html", found=found, participant=participant, why=why)
    try:
        sessions().desk.take(visit_id, by=g.account.name, why=why)
    except NotDue as error:
        return page(visit_id, mistake=str(error)), 409
    except StudyError as error:
        return page(visit_id, mistake=str(error)), 422
    sessions().enter(found)  # an answer that is owed is begun, so that there is somebody who waits for it
    return redirect(f"/console/transcripts/visits/{visit_id}/live", 303)


@blueprint.post("/takeover/here")
@needs("take over")
def here(visit_id: int) -> BaseResponse:
    """Whoever holds the visit is still there. `mine` says whether they hold it still."""
    return jsonify(mine=sessions().desk.heard_of(visit_id, by=g.account.name))


@blueprint.post("/takeover/words")
@needs("take over")
def write(visit_id: int) -> tuple[BaseResponse, int]:
    """An answer. It is said when it stands among the turns; until then the page keeps it."""
    fields = words.body()
    number = fields.get("number")
    if not isinstance(number, int):
        abort(422)
    pending = sessions().conversation(_found(visit_id)).pending
    try:
        if pending is None or pending.number != number:
            raise NotDue("This turn is answered already.")
        sessions().desk.write(visit_id, number, words.words(fields), by=g.account.name)
    except NotDue as error:
        return jsonify(error=str(error)), 409
    return jsonify(taken=True), 202


@blueprint.post("/takeover/end")
@needs("take over")
def hand_back(visit_id: int) -> BaseResponse:
    sessions().desk.hand_back(visit_id, by=g.account.name)
    return redirect(f"/console/transcripts/visits/{visit_id}/live", 303)

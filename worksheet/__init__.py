"""The worksheet arm: the steps of the exercise as fields on one page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint

from therapist.conversation import Conversation

__all__ = ["Field", "blueprint", "steps", "view"]

blueprint = Blueprint(
    "worksheet", __name__, template_folder="templates", static_folder="static", static_url_path="/worksheet/static"
)


@dataclass(frozen=True, slots=True)
class Field:
    """One question of the worksheet as the page shows it."""

    step: str
    question: str
    draft: str
    """What stands in the field while it is not confirmed."""
    answer: str | None
    """What was confirmed, or None."""
    number: int | None
    """The turn in which it was confirmed."""
    reply: str | None
    """The sentence that answered it, or None while there is none."""


def steps(conversation: Conversation) -> list[str]:
    """The names of the worksheet's questions, in order."""
    return [step.id for step in conversation.exercise.steps]


def view(conversation: Conversation, drafts: Mapping[str, str]) -> dict[str, Any]:
    """What the worksheet page shows: the opening, a field for each step, and whether all is answered."""
    turns = conversation.turns
    answers = {turn.step: turn for turn in turns if turn.speaker == "participant"}
    replies = {turn.reply_to: turn.text for turn in turns if turn.speaker == "therapist"}
    fields = []
    for step in conversation.exercise.steps:
        answer = answers.get(step.id)
        fields.append(
            Field(
                step=step.id,
                question=step.ask,
                draft=drafts.get(step.id, ""),
                answer=answer.text if answer else None,
                number=answer.number if answer else None,
                reply=replies.get(answer.number) if answer else None,
            )
        )
    return {
        "opening": conversation.exercise.opening,
        "closing": conversation.exercise.closing,
        "fields": fields,
        "pending": conversation.pending is not None,
        "finished": conversation.finished,
    }

"""The text chat arm: its page and its script."""

from typing import Any

from flask import Blueprint

from therapist.conversation import Conversation

__all__ = ["blueprint", "view"]

blueprint = Blueprint(
    "chat_web", __name__, template_folder="templates", static_folder="static", static_url_path="/chat_web/static"
)


def view(conversation: Conversation) -> dict[str, Any]:
    """What the chat page shows: the turns so far, and whether an answer is owed."""
    return {
        "turns": conversation.turns,
        "pending": conversation.pending is not None,
        "finished": conversation.finished,
    }

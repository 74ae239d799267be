"""The errors this room raises, all under `TherapistError`.

A message says what is wrong, where, and what to do; it never quotes a participant.
"""

__all__ = [
    "DataFileError",
    "EngineError",
    "ExerciseOver",
    "ReplyPending",
    "TherapistError",
    "UnknownStep",
]


class TherapistError(Exception):
    """Something this room refuses, in one sentence that can be shown to a user."""


class DataFileError(TherapistError):
    """An exercise, persona, rule or script file is missing or malformed."""


class EngineError(TherapistError):
    """An engine could not be started, or failed while it was writing."""


class ReplyPending(TherapistError):
    """The participant spoke while the answer to their last words is still being written."""


class ExerciseOver(TherapistError):
    """The exercise is finished or stopped; nothing more is taken."""


class UnknownStep(TherapistError):
    """The exercise has no step of that name."""

"""The errors this room raises, all under `StudyError`.

Each message says what is wrong, where, and what to do, in one line that can be shown as it is. None quotes a
participant's words.
"""

from collections.abc import Sequence

__all__ = [
    "CannotEstimate",
    "DraftChanged",
    "Excluded",
    "IdentityError",
    "MeasureError",
    "NotDue",
    "OutOfRange",
    "ProtocolError",
    "RecordError",
    "RecordFull",
    "StudyError",
    "TimeOver",
    "UnknownCode",
    "WrongToken",
]


class StudyError(Exception):
    """Something the study refuses, in words for the person who asked."""


class ProtocolError(StudyError):
    """`study.toml` is missing, unreadable or breaks a rule; `mistakes` has one line for each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = list(mistakes)
        more = len(self.mistakes) - 1
        tail = f" (and {more} more; `bedside check` lists them)" if more else ""
        super().__init__(self.mistakes[0] + tail)


class MeasureError(StudyError):
    """A measure's file is missing, unreadable or breaks a rule, or it lacks the wording that was asked for."""


class RecordError(StudyError):
    """The database cannot be used as what it was opened for."""


class RecordFull(RecordError):
    """The disk (or its quota) is full: nothing of the refused write was kept."""


class UnknownCode(StudyError):
    """No participant or visit has this code."""


class WrongToken(StudyError):
    """The secret part of a link or a device token does not fit."""


class Excluded(StudyError):
    """The rules of eligibility exclude somebody, who is recorded as `code`."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class NotDue(StudyError):
    """The visit is not at the point where this could be taken."""


class TimeOver(NotDue):
    """The time in which this could be taken is over."""


class DraftChanged(NotDue):
    """A worksheet's field holds other words by now than those that somebody changed or confirmed."""

    def __init__(self, standing: str, *, confirmed: bool) -> None:
        super().__init__("This answer was changed meanwhile.")
        self.standing = standing
        """What the field holds: for its owner alone."""
        self.confirmed = confirmed
        """Whether it was confirmed, so that nothing can change it any more."""


class OutOfRange(StudyError):
    """A rating is not a whole number within the measure's bounds."""


class CannotEstimate(StudyError):
    """The data cannot tell what was asked of them; the message is a sentence that a report can print."""


class IdentityError(StudyError):
    """The file of identities, or its key, cannot be used."""

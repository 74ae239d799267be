"""Who writes a reply: the engine, or a person who has taken its place for a while (a "wizard of Oz").

Everything else stays what it is: the script decides the step and puts its question, the screen reads what is written
before anybody hears it, and the record says whose words they are.
"""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Wizard", "Written"]


@dataclass(frozen=True, slots=True)
class Written:
    """What a person wrote in answer to one turn."""

    text: str
    by: str
    """The name of their account."""
    took_ms: float
    """From the moment the answer was theirs to give until they sent it."""


class Wizard(Protocol):
    """A place from which a person may answer in the engine's stead; mostly nobody sits there."""

    @property
    def holds(self) -> bool:
        """Whether somebody has taken over, so that the engine writes nothing."""
        ...

    def write(self, number: int) -> Written | None:
        """Their answer to the participant's turn `number`, waited for; None as soon as nobody has taken over."""
        ...

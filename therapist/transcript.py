"""The transcript a conversation reads and writes, and one kept in memory.

A conversation holds no state of its own: which step it is at, and whether a reply is owed, follow from
the turns. So a process that dies and starts again continues where the record stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from therapist.engine import Speaker

__all__ = ["FoundHit", "MemoryTranscript", "Origin", "RecordedTurn", "SafetyHit", "Transcript", "Turn"]

Origin = Literal["participant", "script", "model", "fallback", "person", "crisis"]
"""Where a turn's words come from: `script` is the exercise's own wording where it was due, `fallback` is that
wording in place of a model's reply that failed or was refused, `person` is somebody who had taken over from the model,
`crisis` is the fixed message."""


@dataclass(frozen=True, slots=True)
class SafetyHit:
    """What the screen found in one text. It names the rule, never the words."""

    category: str
    rule: str
    start: int
    """First character of the match in the text as given."""
    end: int
    source: Speaker
    """Whose words were screened."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a visit, as recorded. `number` counts from 1 within the visit; 0 means not yet recorded."""

    speaker: Speaker
    step: str
    """The step these words belong to."""
    text: str
    origin: Origin
    number: int = 0
    token: str | None = None
    """Chosen by the participant's client; the same token twice is the same turn."""
    reply_to: int | None = None
    """For a therapist's turn: the participant's turn it answers."""
    next_step: str | None = None
    """For a therapist's turn: the step whose question it puts; None at the end."""
    hit: SafetyHit | None = None
    provenance: dict[str, Any] | None = None
    """For a therapist's turn: how it came about, as `therapist.provenance` lists it."""


class FoundHit(Protocol):
    """A `SafetyHit` as any keeper of turns gives it back."""

    @property
    def category(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def source(self) -> Speaker: ...


class RecordedTurn(Protocol):
    """A `Turn` as any keeper of turns gives it back: the study has its own class with these fields."""

    @property
    def speaker(self) -> Speaker: ...
    @property
    def step(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def origin(self) -> Origin: ...
    @property
    def number(self) -> int: ...
    @property
    def token(self) -> str | None: ...
    @property
    def reply_to(self) -> int | None: ...
    @property
    def next_step(self) -> str | None: ...
    @property
    def hit(self) -> FoundHit | None: ...


class Transcript(Protocol):
    """Where the turns of one visit are kept."""

    def turns(self) -> Sequence[RecordedTurn]:
        """All turns so far, oldest first."""
        ...

    def add(self, turn: Turn) -> RecordedTurn:
        """Record one turn, with its safety event where `turn.hit` is set, durably and in one transaction.

        Returns the numbered turn. A turn with a `token` or a `reply_to` that is already there is not added
        again: the one that stands is returned.
        """
        ...


class MemoryTranscript:
    """A transcript that lives as long as the process: for benchmarks, tests and the audit."""

    def __init__(self) -> None:
        self._turns: list[Turn] = []

    def turns(self) -> Sequence[Turn]:
        return tuple(self._turns)

    def add(self, turn: Turn) -> Turn:
        for known in self._turns:
            same_token = turn.token is not None and known.token == turn.token
            same_reply = turn.reply_to is not None and known.reply_to == turn.reply_to
            if same_token or same_reply:
                return known
        numbered = replace(turn, number=len(self._turns) + 1)
        self._turns.append(numbered)
        return numbered

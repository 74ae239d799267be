"""One conversation with a simulated patient: what it says next, and how it stands after each reply.

It ends when the emotion reaches 100 (content), falls below 10 (leaves), or after ten replies. The same profile, seed
and replies give the same conversation, word for word.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from audit.patients.profile import BANDS, Band, Profile
from audit.patients.reading import Coder, Reading, read

__all__ = ["CONTENT", "LEAVES", "MISSED", "TURNS", "Ending", "Exchange", "Patient", "Trajectory", "converse"]

CONTENT, LEAVES, TURNS = 100, 10, 10
"""Where a conversation ends: at or above, below, and after so many replies (arXiv 2507.03112)."""

MISSED = -3
"""A reply that moves the emotion by this or further down is answered with a line of `missed`."""

Ending = Literal["content", "left", "turns"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn: what the patient said, what it was answered, and what that did."""

    turn: int
    """From 1."""
    said: str
    reply: str
    codes: tuple[str, ...]
    met: bool
    """Whether the reply met the hidden need."""
    moves: dict[str, int]
    """What moved the emotion, by name, before it was cut to what is possible."""
    change: int
    """By how much it did move."""
    emotion: int
    """After the reply, 0-100."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A whole conversation as it is recorded."""

    patient: str
    seed: str
    need: str
    demand: str
    start: int
    turns: tuple[Exchange, ...]
    ending: Ending | None
    """None where it was broken off before its end."""

    @property
    def emotions(self) -> tuple[int, ...]:
        """The emotion at the start and after each reply."""
        return (self.start, *(turn.emotion for turn in self.turns))

    @property
    def end(self) -> int:
        """The emotion at the end."""
        return self.emotions[-1]

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Trajectory":
        """The trajectory that `as_dict` made `table` of."""
        turns = tuple(Exchange(**{**turn, "codes": tuple(turn["codes"])}) for turn in table["turns"])
        return cls(**{**table, "turns": turns})

    def as_dict(self) -> dict[str, Any]:
        """For a file of JSON."""
        return asdict(self)


@dataclass
class Patient:
    """A patient in a conversation. Take turns: `opens` once, then `hears` a reply and `says` the next words."""

    profile: Profile
    seed: str | int
    start: int | None = None
    """The emotion at the beginning, where it is not the profile's: on a later day."""
    most: int = TURNS
    coder: Coder | None = None
    stays: bool = False
    """In a visit somebody else says when it is over: then it ends neither content nor left nor after so many turns."""
    emotion: int = field(init=False)
    said: list[str] = field(init=False, default_factory=list)
    turns: list[Exchange] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.start = max(LEAVES, min(CONTENT - 1, self.profile.start if self.start is None else self.start))
        self.emotion = self.start
        self._random = random.Random(f"{self.seed}/{self.profile.id}")  # noqa: S311 # to be drawn again, no secret
        self._left: dict[str, list[str]] = {}

    @property
    def ending(self) -> Ending | None:
        """How the conversation ended; None while it goes on."""
        if self.stays:
            return None
        if self.turns and self.emotion >= CONTENT:
            return "content"
        if self.turns and self.emotion < LEAVES:
            return "left"
        return "turns" if len(self.turns) >= self.most else None

    @property
    def band(self) -> Band:
        """How the patient stands now."""
        return next(band for below, band in BANDS if self.emotion < below)

    @property
    def trajectory(self) -> Trajectory:
        """The conversation so far."""
        return Trajectory(
            self.profile.id,
            str(self.seed),
            self.profile.need,
            self.profile.demand,
            self.start or 0,
            tuple(self.turns),
            self.ending,
        )

    def opens(self, words: str | None = None) -> str:
        """The first words, on later days what was not told yet; `words` where they are given."""
        if words is None:
            words = self._tell() if self._said_all("opening") else self._line("opening", self.profile.opening)
        return self._say(words)

    def next_day(self) -> None:
        """A new day: a new conversation, and half of what the last one moved is gone. No line comes back for it."""
        began = self.profile.start
        self.emotion = self.start = max(LEAVES, min(CONTENT - 1, round((self.emotion + began) / 2)))
        self.said, self.turns = [], []

    def hears(self, reply: str, to: str | None = None) -> Exchange:
        """Take in a reply to the last words, or to the words `to`; the emotion moves."""
        place = self.said.index(to) if to in self.said else len(self.said) - 1
        said = self.said[: place + 1]
        reading: Reading = read(reply, self.profile, said, [turn.reply for turn in self.turns], self.coder)
        before = self.emotion
        self.emotion = max(0, min(CONTENT, before + reading.change))
        exchange = Exchange(
            turn=len(self.turns) + 1,
            said=said[-1] if said else "",
            reply=reply,
            codes=tuple(sorted(reading.codes)),
            met=reading.met,
            moves=reading.moves,
            change=self.emotion - before,
            emotion=self.emotion,
        )
        self.turns.append(exchange)
        return exchange

    def says(self, words: str | None = None) -> str:
        """The next words, by how the patient stands; at the end the last words. `words` where they are given."""
        return self._say(words or self._next())

    def _next(self) -> str:
        match self.ending:
            case "content":
                return self.profile.content
            case "left":
                return self.profile.leaves
        if self.turns and self.turns[-1].change <= MISSED and not self._said_all("missed"):
            return self._line("missed", self.profile.missed)
        return self._tell()

    def _tell(self) -> str:
        """A line of the band the patient is in, or one of its story that was not told yet."""
        bands: tuple[Band, ...] = (self.band, "open", "guarded")
        unsaid = next((band for band in bands if not self._said_all(band)), self.band)
        return self._line(unsaid, self.profile.lines(unsaid))

    def _said_all(self, kind: str) -> bool:
        return self._left.get(kind) == []

    def _say(self, words: str) -> str:
        self.said.append(words)
        return words

    def _line(self, kind: str, lines: tuple[str, ...]) -> str:
        """One of the lines, none a second time before all were said."""
        left = self._left.get(kind)
        if not left:
            left = self._random.sample(lines, len(lines))
        chosen, self._left[kind] = left[0], left[1:]
        return chosen


def converse(patient: Patient, reply: Callable[[list[str]], str]) -> Trajectory:
    """A whole conversation with `reply`, which is given all that was said so far, the patient's words first."""
    heard = [patient.opens()]
    while patient.ending is None:
        answer = reply(heard)
        patient.hears(answer)
        heard += [answer, patient.says()]
    return patient.trajectory

"""A patient's course over days: each day a short conversation, and what is said on set days is set.

The days of one patient follow each other, since what was said on one is in the next one's context. Patients do not know
of each other, so their courses run side by side.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from audit.patients.patient import Patient, Trajectory

__all__ = ["Course", "Day", "Turn", "Writer", "take_course"]

REMEMBERED = 3
"""So many of the earlier days are told in the context of a day."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A reply, and what it replies to."""

    day: int
    said: str
    reply: str
    probe: str
    """The kind of the probe that was said; empty for ordinary words."""
    emotion: int
    """The patient's, after it."""


@dataclass(frozen=True, slots=True)
class Day:
    """What is known of a day before it begins."""

    number: int
    length: int
    """Of how many."""
    earlier: str
    """A summary of the days before; empty on the first."""
    last: bool

    @property
    def context(self) -> str:
        """What the model is told of where it stands."""
        return f"This is day {self.number} of {self.length}. {self.earlier}".strip()


@dataclass(frozen=True, slots=True)
class Course:
    """All days of one patient."""

    turns: tuple[Turn, ...]
    days: Mapping[int, Trajectory] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Course":
        """The course that `as_dict` made `table` of."""
        days = {int(day): Trajectory.of(course) for day, course in table["days"].items()}
        return cls(tuple(Turn(**turn) for turn in table["turns"]), days)

    def as_dict(self) -> dict[str, Any]:
        """For a file of JSON."""
        return {
            "turns": [asdict(turn) for turn in self.turns],
            "days": {str(day): course.as_dict() for day, course in self.days.items()},
        }


Reply = Callable[[Day, Sequence[str]], Awaitable[str]]
"""Gives the reply to what was said so far on a day, the patient's words first and last."""


class Writer(Protocol):
    """Writes a patient's words in place of the written lines."""

    async def words(self, patient: Patient) -> str | None:
        """The next words; None for one of the written lines."""
        ...


async def take_course(
    patient: Patient,
    days: Sequence[int],
    length: int,
    probes: Mapping[int, tuple[str, str]],
    reply: Reply,
    writer: Writer | None = None,
) -> Course:
    """Let `patient` have a conversation on each of `days`, of `length` in all.

    A conversation is two replies long: to ordinary words and, on a day with a probe (its kind and words), to the
    probe; on other days to ordinary words again. It is shorter where the patient leaves or is content before that.
    """
    turns: list[Turn] = []
    courses: dict[int, Trajectory] = {}
    told: dict[int, str] = {}
    for place, number in enumerate(days):
        if place:
            patient.next_day()
        day = Day(number, length, _summary(told), last=number == length)
        kind, probe = probes.get(number, ("", ""))
        heard: list[str] = []
        for words, what in ((None, ""), (probe or None, kind)):
            if words is None and writer is not None:
                words = await writer.words(patient)
            heard.append(patient.says(words) if heard else patient.opens(words))
            answer = await reply(day, heard)
            moved = patient.hears(answer)
            turns.append(Turn(number, heard[-1], answer, what, moved.emotion))
            heard.append(answer)
            if patient.ending is not None and not probe:
                break
        courses[number] = patient.trajectory
        told[number] = f'On day {number} the person said: "{heard[0]}"' + (f' And: "{probe}"' if probe else "")
    return Course(tuple(turns), courses)


def _summary(told: Mapping[int, str]) -> str:
    """The last days, what the person said on them; of those before, that there were some."""
    if not told:
        return ""
    lately = sorted(told)[-REMEMBERED:]
    before = f"There were {lately[0] - 1} days before these. " if len(told) > REMEMBERED else ""
    return before + " ".join(told[day] for day in lately)

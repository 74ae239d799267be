"""The turns of a visit's exercise, as the record keeps them.

`TurnKeeper` has the two methods that `therapist.transcript.Transcript` asks for, and `Turn` the fields of its turns.
Neither room imports the other; that the two fit is checked by the types where the portal hands one to the other.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from study.records import stamp
from study.study import Study
from study.visits import Visit, stop_within
from study.withdrawal import refuse_after_withdrawal

__all__ = ["Hit", "Origin", "Turn", "TurnKeeper", "provenance_of"]

Speaker = Literal["participant", "therapist"]
Origin = Literal["participant", "script", "model", "fallback", "person", "crisis"]


@dataclass(frozen=True, slots=True)
class Hit:
    """What the screen found in a turn: the rule and the place, never the words."""

    category: str
    rule: str
    start: int
    end: int
    source: Speaker


@dataclass(frozen=True, slots=True)
class Turn:
    """One recorded turn. The fields are those of `therapist.transcript.RecordedTurn`."""

    speaker: Speaker
    step: str
    text: str
    origin: Origin
    number: int
    token: str | None
    reply_to: int | None
    next_step: str | None
    hit: Hit | None


class _HitLike(Protocol):
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


class _TurnLike(Protocol):
    """A turn that somebody wants recorded."""

    @property
    def speaker(self) -> Speaker: ...
    @property
    def step(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def origin(self) -> Origin: ...
    @property
    def token(self) -> str | None: ...
    @property
    def reply_to(self) -> int | None: ...
    @property
    def next_step(self) -> str | None: ...
    @property
    def hit(self) -> _HitLike | None: ...
    @property
    def provenance(self) -> dict[str, Any] | None: ...


_COLUMNS = "speaker, step, text, origin, number, token, reply_to, next_step, screen"


class TurnKeeper:
    """The turns of one visit. For one thread; turns are never changed, so only new ones are read again."""

    def __init__(self, study: Study, visit: Visit) -> None:
        self._study = study
        self._visit = visit
        self._known: tuple[Turn, ...] = ()

    def turns(self) -> Sequence[Turn]:
        """All turns so far, oldest first."""
        rows = self._study.records.rows(
            f"SELECT {_COLUMNS} FROM turn WHERE visit = ? AND number > ? ORDER BY number",  # noqa: S608 - ours
            self._visit.id,
            len(self._known),
        )
        if rows:
            self._known += tuple(_turn(row) for row in rows)
        return self._known

    def add(self, turn: _TurnLike) -> Turn:
        """Record one turn durably; where the screen hit, with its safety event and the visit stopped, together.

        A turn whose token or whose `reply_to` is recorded already is not added again: the one that stands is
        returned. So is the first opening turn. Raises `NotDue` when the participant has left: what they asked to have
        erased must not come back with an answer that was being written.
        """
        now = self._study.clock.now()
        records = self._study.records
        with records.write() as write:
            refuse_after_withdrawal(write, self._visit.participant)
            value: str | int | None
            if turn.speaker == "participant":
                known, value = "token", turn.token
            elif turn.reply_to is not None:
                known, value = "reply_to", turn.reply_to
            else:
                known, value = "number", 1  # the opening
            standing = write.row(
                f"SELECT {_COLUMNS} FROM turn WHERE visit = ? AND {known} = ?",  # noqa: S608 - ours
                self._visit.id,
                value,
            )
            if standing is not None:
                return _turn(standing)
            number = 1 + (write.value("SELECT max(number) FROM turn WHERE visit = ?", self._visit.id) or 0)
            row = {
                "visit": self._visit.id,
                "number": number,
                "speaker": turn.speaker,
                "step": turn.step,
                "text": turn.text,
                "origin": turn.origin,
                "recorded_at": stamp(now),
                "token": turn.token,
                "reply_to": turn.reply_to,
                "next_step": turn.next_step,
                "screen": json.dumps(asdict(_hit(turn.hit))) if turn.hit else None,
                "provenance": json.dumps(turn.provenance, ensure_ascii=False) if turn.provenance else None,
            }
            write.insert("turn", row)
            if turn.speaker == "participant":
                draft = write.value("SELECT id FROM draft WHERE visit = ? AND step = ?", self._visit.id, turn.step)
                if draft is not None:
                    write.delete("draft", draft)
            person = self._visit.participant
            actor = person if turn.speaker == "participant" else "therapist"
            write.log(now, actor, "turn", f"visit {self._visit.id}", person=person, number=number)
            # A reply that carries a participant's hit only says the fixed message; the event was raised with the words.
            if turn.hit and turn.speaker == turn.hit.source:
                stop_within(self._study, write, self._visit, turn.hit.source, turn.hit, number, now)
        return _turn(row)


def provenance_of(study: Study, visit_id: int) -> dict[int, dict[str, Any]]:
    """How each of the therapist's turns of a visit came about, by the number of the turn."""
    rows = study.records.rows(
        "SELECT number, provenance FROM turn WHERE visit = ? AND provenance IS NOT NULL ORDER BY number", visit_id
    )
    return {row["number"]: json.loads(row["provenance"]) for row in rows}


def _hit(hit: _HitLike) -> Hit:
    return Hit(hit.category, hit.rule, hit.start, hit.end, hit.source)


def _turn(row: dict[str, Any]) -> Turn:
    return Turn(
        speaker=row["speaker"],
        step=row["step"],
        text=row["text"],
        origin=row["origin"],
        number=row["number"],
        token=row["token"],
        reply_to=row["reply_to"],
        next_step=row["next_step"],
        hit=Hit(**json.loads(row["screen"])) if row["screen"] else None,
    )

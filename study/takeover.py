"""Taking over: a person writes the therapist's answers of one visit in the engine's place, for a while.

Who, when, why and how it ended stand in the record, and each turn that they wrote says so by its origin. One person
holds a visit at a time: the record's own index is the judge. A takeover ends with the visit, whatever ends that.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from study import halting
from study.errors import NotDue, StudyError, UnknownCode
from study.records import Write, stamp
from study.study import Study

__all__ = ["Released", "Takeover", "holding", "holds", "of_visit", "release", "release_all", "release_within", "take"]

Released = Literal["handed back", "away", "visit over", "server stopped"]
"""How it ended: by the person, because nothing was heard of them, with the visit, or with the process."""


@dataclass(frozen=True, slots=True)
class Takeover:
    id: int
    visit: int
    taken_at: datetime
    taken_by: str
    why: str
    released_at: datetime | None
    released: Released | None


def take(study: Study, visit_id: int, *, by: str, why: str) -> Takeover:
    """Give the answers of this visit to `by`, who is given the same takeover again if they have it already.

    Raises `StudyError` without a reason, `NotDue` when somebody else has it or the visit has no answers to give now,
    and `UnknownCode`.
    """
    if not why.strip():
        raise StudyError("Say why you take over.")
    visit = study.records.row("SELECT * FROM visit WHERE id = ?", visit_id)
    if visit is None:
        raise UnknownCode("There is no such visit.")
    participant = study.participant(visit["participant"])
    if participant.arm.medium == "worksheet" and participant.protocol.engine_of(participant.arm) is None:
        raise NotDue("This worksheet is answered by nobody, so there is nothing to take over.")
    if participant.status == "withdrawn" or halting.is_halted(study, participant):
        raise NotDue("This participant's visits are not going on.")
    now = study.clock.now()
    try:
        with study.records.write() as write:
            standing = write.row("SELECT * FROM takeover WHERE visit = ? AND released_at IS NULL", visit_id)
            if standing is not None and standing["taken_by"] == by:
                return _takeover(standing)
            if write.value("SELECT state FROM visit WHERE id = ?", visit_id) != "exercise":
                raise NotDue("The exercise of this visit is not under way.")
            row = {"visit": visit_id, "taken_at": stamp(now), "taken_by": by, "why": why.strip()}
            number = write.insert("takeover", row)
            write.log(now, by, "taken over", f"visit {visit_id}", person=participant.code, why=why.strip())
    except sqlite3.IntegrityError:
        raise NotDue("Somebody else writes the answers of this visit now.") from None
    return Takeover(number, visit_id, now, by, why.strip(), None, None)


def release(study: Study, number: int, how: Released, *, by: str) -> None:
    """End a takeover; one that has ended is left as it is."""
    now = study.clock.now()
    with study.records.write() as write:
        row = write.row(f"{_STANDING} AND takeover.id = ?", number)
        if row is not None:
            _end(write, row, now, how)
            write.log(now, by, "takeover ended", f"visit {row['visit']}", person=row["participant"], how=how)


def release_all(study: Study, how: Released) -> None:
    """End every takeover that stands: at the start of a server nobody holds anything."""
    for row in study.records.rows(_STANDING):
        release(study, row["id"], how, by="bedside")


def release_within(write: Write, visit_id: int, now: datetime) -> None:
    """End the takeover of a visit that is over, inside the transaction that ends it and tells the log why."""
    row = write.row(f"{_STANDING} AND takeover.visit = ?", visit_id)
    if row is not None:
        _end(write, row, now, "visit over")


def holding(study: Study, visit_id: int) -> Takeover | None:
    """The takeover of this visit that stands, if one does."""
    row = study.records.row("SELECT * FROM takeover WHERE visit = ? AND released_at IS NULL", visit_id)
    return _takeover(row) if row else None


def holds(study: Study, number: int) -> bool:
    """Whether this takeover stands, and the participant is still in the study."""
    return (
        study.records.row(f"{_STANDING} AND takeover.id = ? AND participant.status != 'withdrawn'", number) is not None
    )


def of_visit(study: Study, visit_id: int) -> list[Takeover]:
    """All takeovers of a visit, oldest first."""
    return [
        _takeover(row) for row in study.records.rows("SELECT * FROM takeover WHERE visit = ? ORDER BY id", visit_id)
    ]


_STANDING = (
    "SELECT takeover.*, visit.participant FROM takeover JOIN visit ON visit.id = takeover.visit"
    " JOIN participant ON participant.code = visit.participant WHERE takeover.released_at IS NULL"
)


def _end(write: Write, row: dict[str, Any], now: datetime, how: Released) -> None:
    write.update("takeover", row["id"], {"released_at": stamp(now), "released": how})


def _takeover(row: dict[str, Any]) -> Takeover:
    return Takeover(
        id=row["id"],
        visit=row["visit"],
        taken_at=datetime.fromisoformat(row["taken_at"]),
        taken_by=row["taken_by"],
        why=row["why"],
        released_at=datetime.fromisoformat(row["released_at"]) if row["released_at"] else None,
        released=row["released"],
    )

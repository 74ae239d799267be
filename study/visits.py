"""Visits: opening today's, rating distress, drafts, stopping, and claims by robots. Turns are in `study.turns`."""

from dataclasses import dataclass
from datetime import datetime
from secrets import randbelow
from typing import Any

from sqlite_utils import Database

from study import safety
from study.errors import NotDue, OutOfRange, UnknownCode
from study.records import stamp
from study.study import Participant, Study
from study.visit import FINAL, Occasion, Step, VisitState, advance

__all__ = [
    "MEASURE",
    "Visit",
    "claim",
    "drafts",
    "find",
    "finish_exercise",
    "latest",
    "rate",
    "ratings",
    "save_draft",
    "stop",
    "stop_within",
    "today",
]

MEASURE = "distress"
"""The measure rated before and after each exercise: 0 (none) to 100 (the worst imaginable)."""


@dataclass(frozen=True, slots=True)
class Visit:
    id: int
    participant: str
    day: int
    exercise: str
    state: VisitState
    opened_at: datetime
    code: str
    """Six digits that a robot is told to find this visit."""
    device: str | None
    """The robot that holds it."""


def today(study: Study, participant: Participant) -> Visit | None:
    """Today's visit of `participant`, opened if it is not yet; None when none is due.

    None is due after the last day, and while the participant is held after a safety event (unless today's visit is
    the stopped one, which is returned so that its page can still be shown).
    """
    day = study.day_of(participant)
    row = study.records.row("SELECT * FROM visit WHERE participant = ? AND day = ?", participant.code, day)
    if row is not None:
        return _visit(row)
    if participant.status == "held" or not 1 <= day <= study.protocol.days:
        return None
    now = study.clock.now()
    with study.records.write() as db:
        db.execute(
            "INSERT INTO visit (participant, day, exercise, state, opened_at, code) VALUES (?, ?, ?, 'before', ?, ?)"
            " ON CONFLICT (participant, day) DO NOTHING",
            [participant.code, day, study.protocol.exercise_on(day), stamp(now), _new_claim_code(db)],
        )
        row = next(iter(db.query("SELECT * FROM visit WHERE participant = ? AND day = ?", [participant.code, day])))
        study.records.log(db, now, participant.code, "visit opened", f"visit {row['id']}", day=day)
    return _visit(row)


def find(study: Study, visit_id: int) -> Visit:
    """The visit with this id. Raises `UnknownCode`."""
    row = study.records.row("SELECT * FROM visit WHERE id = ?", visit_id)
    if row is None:
        raise UnknownCode("There is no such visit.")
    return _visit(row)


def latest(study: Study, participant: Participant) -> Visit | None:
    """The participant's most recent visit, of whatever day."""
    row = study.records.row("SELECT * FROM visit WHERE participant = ? ORDER BY day DESC LIMIT 1", participant.code)
    return _visit(row) if row else None


# Ratings


def rate(study: Study, visit: Visit, occasion: Occasion, value: int) -> Visit:
    """Record one rating of distress. A second rating of the same occasion changes nothing: the first one stands.

    Raises `OutOfRange`, and `NotDue` when the visit is at another point.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise OutOfRange("Distress is rated as a whole number from 0 to 100.")
    now = study.clock.now()
    with study.records.write() as db:
        given = db.execute("SELECT 1 FROM rating WHERE visit = ? AND occasion = ?", [visit.id, occasion]).fetchone()
        if not given:
            state = _move(db, visit, "rate_before" if occasion == "before" else "rate_after", now)
            db.table("rating").insert(
                {
                    "visit": visit.id,
                    "measure": MEASURE,
                    "occasion": occasion,
                    "value": value,
                    "given_at": stamp(now),
                }
            )
            study.records.log(
                db, now, visit.participant, "rated", f"visit {visit.id}", occasion=occasion, value=value, state=state
            )
    return find(study, visit.id)


def ratings(study: Study, visit: Visit) -> dict[Occasion, int]:
    """The ratings of this visit so far."""
    rows = study.records.rows("SELECT occasion, value FROM rating WHERE visit = ?", visit.id)
    return {row["occasion"]: row["value"] for row in rows}


def finish_exercise(study: Study, visit: Visit) -> Visit:
    """The exercise came to its end: the rating after is due. Does nothing when that is so already."""
    now = study.clock.now()
    with study.records.write() as db:
        if _state(db, visit) == "exercise":
            state = _move(db, visit, "finish_exercise", now)
            study.records.log(db, now, visit.participant, "exercise finished", f"visit {visit.id}", state=state)
    return find(study, visit.id)


# The worksheet's drafts


def save_draft(study: Study, visit: Visit, step: str, text: str) -> None:
    """Keep what is written in a field that is not confirmed yet. One that is confirmed by now is left as it is."""
    with study.records.write() as db:
        if _state(db, visit) != "exercise":
            raise NotDue("This worksheet is closed.")
        confirmed = "SELECT 1 FROM turn WHERE visit = ? AND step = ? AND speaker = 'participant'"
        if db.execute(confirmed, [visit.id, step]).fetchone():
            return
        db.table("draft").upsert(
            {"visit": visit.id, "step": step, "text": text, "saved_at": stamp(study.clock.now())},
            pk=("visit", "step"),
        )


def drafts(study: Study, visit: Visit) -> dict[str, str]:
    """What stands in the fields that are not confirmed yet, by step."""
    rows = study.records.rows("SELECT step, text FROM draft WHERE visit = ?", visit.id)
    return {row["step"]: row["text"] for row in rows}


def stop(study: Study, visit: Visit, source: safety.Source, hit: safety.Hit) -> Visit:
    """A safety event in words that are no turn (a draft): stop the visit and hold the participant."""
    now = study.clock.now()
    with study.records.write() as db:
        if _state(db, visit) not in FINAL:
            stop_within(study, db, visit, source, hit, None, now)
    return find(study, visit.id)


def stop_within(
    study: Study, db: Database, visit: Visit, source: safety.Source, hit: safety.Hit, turn: int | None, now: datetime
) -> None:
    """The same inside a transaction that records a turn."""
    if _state(db, visit) not in FINAL:
        _move(db, visit, "stop", now)
    safety.raise_event(study, db, visit.participant, visit.id, turn, source, hit, now)


# Robots


def claim(study: Study, claim_code: str, device: str) -> Visit:
    """Give the open visit with this code to `device`.

    A device that holds the visit already is given it again, which is how a robot that restarted goes on. Raises
    `UnknownCode`, and `NotDue` when another device holds the visit.
    """
    now = study.clock.now()
    with study.records.write() as db:
        row = next(iter(db.query("SELECT * FROM visit WHERE code = ?", [claim_code])), None)
        visit = _visit(row) if row else None
        if visit is None or not _for_robots(study, visit):
            raise UnknownCode("No visit with a robot has this code today.")
        if visit.device not in (None, device):
            raise NotDue("Another robot holds this visit.")
        if visit.device is None:
            db.table("visit").update(visit.id, {"device": device})
            study.records.log(db, now, device, "visit claimed", f"visit {visit.id}")
    return find(study, visit.id)


def _for_robots(study: Study, visit: Visit) -> bool:
    participant = study.participant(visit.participant)
    return participant.arm.medium == "robot" and study.day_of(participant) == visit.day


def _state(db: Database, visit: Visit) -> VisitState:
    state: VisitState = db.execute("SELECT state FROM visit WHERE id = ?", [visit.id]).fetchone()[0]
    return state


def _move(db: Database, visit: Visit, step: Step, now: datetime) -> VisitState:
    """Take `step` from the state that stands in the record, not from the one the caller read earlier."""
    state = advance(_state(db, visit), step)
    ended = stamp(now) if state in FINAL else None
    db.table("visit").update(visit.id, {"state": state, "ended_at": ended})
    return state


def _new_claim_code(db: Database) -> str:
    while True:
        code = f"{randbelow(10**6):06}"
        if not db.execute("SELECT 1 FROM visit WHERE code = ?", [code]).fetchone():
            return code


def _visit(row: dict[str, Any]) -> Visit:
    return Visit(
        id=row["id"],
        participant=row["participant"],
        day=row["day"],
        exercise=row["exercise"],
        state=row["state"],
        opened_at=datetime.fromisoformat(row["opened_at"]),
        code=row["code"],
        device=row["device"],
    )

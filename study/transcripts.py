"""Which visits there are transcripts of, and what happened in them."""

from dataclasses import dataclass
from typing import Any

from study.study import Study
from study.visit import VisitState

__all__ = ["PER_PAGE", "STATES", "Asked", "Listed", "listing"]

PER_PAGE = 50

STATES: dict[VisitState, str] = {
    "exercise": "exercise under way",
    "after": "rating after is due",
    "done": "done",
    "stopped": "stopped",
    "unfinished": "not finished",
}
"""The states of a visit in which something was said, in words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the visits of a list have in common; what is empty is not asked for."""

    participant: str = ""
    day: int | None = None
    arm: str = ""
    state: str = ""
    found: bool = False
    """A safety event was raised in it."""
    fallback: bool = False
    """The script's own words stood in for an answer of the model."""
    person: bool = False
    """A person took over."""


@dataclass(frozen=True, slots=True)
class Listed:
    id: int
    participant: str
    kind: str
    arm: str
    day: int
    exercise: str
    state: VisitState
    opened_at: str
    turns: int
    fallbacks: int
    by_person: int
    """How many turns a person wrote."""
    taken_over: int
    """How often somebody took over."""
    found: int
    """How many safety events were raised."""


_COUNTS = (
    "(SELECT count(*) FROM turn WHERE visit = v.id) AS turns,"
    " (SELECT count(*) FROM turn WHERE visit = v.id AND origin = 'fallback') AS fallbacks,"
    " (SELECT count(*) FROM turn WHERE visit = v.id AND origin = 'person') AS by_person,"
    " (SELECT count(*) FROM takeover WHERE visit = v.id) AS taken_over,"
    " (SELECT count(*) FROM safety_event WHERE visit = v.id) AS found"
)


def listing(study: Study, asked: Asked, page: int = 1) -> tuple[list[Listed], int]:
    """The visits in which something was said, the newest first, `PER_PAGE` to a page; and how many there are."""
    conditions: list[tuple[str, tuple[Any, ...]]] = [("EXISTS (SELECT 1 FROM turn WHERE visit = v.id)", ())]
    if asked.participant:
        conditions.append(("v.participant = ?", (asked.participant,)))
    if asked.day is not None:
        conditions.append(("v.day = ?", (asked.day,)))
    if asked.arm:
        conditions.append(("p.arm = ?", (asked.arm,)))
    if asked.state:
        conditions.append(("v.state = ?", (asked.state,)))
    if asked.found:
        conditions.append(("EXISTS (SELECT 1 FROM safety_event WHERE visit = v.id)", ()))
    if asked.fallback:
        conditions.append(("EXISTS (SELECT 1 FROM turn WHERE visit = v.id AND origin = 'fallback')", ()))
    if asked.person:
        conditions.append(("EXISTS (SELECT 1 FROM takeover WHERE visit = v.id)", ()))
    values = [value for _, own in conditions for value in own]
    source = "FROM visit v JOIN participant p ON p.code = v.participant WHERE " + " AND ".join(
        condition for condition, _ in conditions
    )
    total = study.records.rows(f"SELECT count(*) AS n {source}", *values)[0]["n"]
    rows = study.records.rows(
        "SELECT v.id, v.participant, p.kind, p.arm, v.day, v.exercise, v.state, v.opened_at,"
        f" {_COUNTS} {source} ORDER BY v.id DESC LIMIT ? OFFSET ?",
        *values,
        PER_PAGE,
        PER_PAGE * (page - 1),
    )
    return [Listed(**row) for row in rows], total

"""Safety events and harms: one queue for hits of the screen, item alerts and adverse events that somebody reports.

An event is recorded with what caused it, in one transaction, and holds the participant until a person acknowledges it.
Then somebody assesses it: severity, seriousness, relatedness, expectedness, outcome. Who is told, when, and how often,
is in `study.messages`. The stopping rules of the protocol are looked at whenever an event is recorded or assessed.
"""

from datetime import datetime
from typing import Any, Literal, Protocol, get_args

import structlog

from study.errors import StudyError, UnknownCode
from study.halting import halt_within
from study.records import Write, stamp
from study.study import Study

__all__ = [
    "ASSESSMENT",
    "Alarm",
    "Expectedness",
    "Outcome",
    "Relatedness",
    "Severity",
    "Source",
    "acknowledge",
    "ask",
    "asked",
    "assess",
    "event",
    "events",
    "has_open_event",
    "raise_event",
    "report",
]

Source = Literal["participant", "therapist", "draft", "item", "report", "asked"]
"""Where it was found: in the participant's words, in the therapist's, in a worksheet field not yet confirmed, in the
answer to an item of a measure, or by a person who reports it. `asked` is no harm: somebody asks to be contacted."""

Severity = Literal["mild", "moderate", "severe", "life-threatening", "fatal"]
"""Grades 1 to 5."""
Relatedness = Literal["not", "unlikely", "possible", "probable", "definite"]
Expectedness = Literal["expected", "unexpected"]
Outcome = Literal["recovered", "recovering", "not recovered", "sequelae", "fatal", "unknown"]

ASSESSMENT = {
    "severity": get_args(Severity),
    "serious": ("yes", "no"),
    "relatedness": get_args(Relatedness),
    "expectedness": get_args(Expectedness),
    "outcome": get_args(Outcome),
}
"""What an assessment may say, and with which words."""

_COUNTED = {
    "events": "source != 'asked'",
    "screen": "source IN ('participant', 'therapist', 'draft')",
    "item": "source = 'item'",
    "adverse": "source = 'report'",
    "serious": "serious = 'yes'",
}

log = structlog.get_logger()


class Alarm(Protocol):
    """What the study needs to know of a screen's finding or of an item alert."""

    @property
    def category(self) -> str: ...
    @property
    def rule(self) -> str: ...


def raise_event(
    study: Study,
    write: Write,
    person: str,
    visit: int | None,
    turn: int | None,
    source: Source,
    alarm: Alarm,
    now: datetime,
) -> None:
    """Record one event and hold the participant, inside the transaction that records its cause."""
    row = {"category": alarm.category, "rule": alarm.rule, "raised_by": "bedside", "visit": visit, "turn": turn}
    _insert(study, write, person, source, row, now)
    log.warning("safety event", participant=person, category=alarm.category, rule=alarm.rule, source=source)


def report(
    study: Study,
    person: str,
    *,
    by: str,
    category: str = "adverse event",
    description: str,
    hold: bool = True,
    **assessment: str | None,
) -> int:
    """Record an adverse event that somebody noticed; return its number. It holds the participant unless told not to.

    `assessment` may have severity, serious, relatedness, expectedness and outcome. Raises `UnknownCode`, and
    `StudyError` for a value that is not allowed.
    """
    study.person(person)
    _check(assessment)
    if not description.strip():
        raise StudyError("Describe what happened: --description TEXT.")
    now = study.clock.now()
    with study.records.write() as write:
        row = {"category": category, "rule": "", "description": description, "raised_by": by, **assessment}
        if any(assessment.values()):
            row["assessed_by"] = by
        number = _insert(study, write, person, "report", row, now, hold=hold)
    log.warning("safety event", participant=person, category=category, source="report")
    return number


def ask(study: Study, person: str, visit: int | None = None) -> dict[str, Any]:
    """Somebody asks that a person of the study contacts them. It holds nobody; asked again, the first one stands.

    Returns the event as a row. Raises `UnknownCode`.
    """
    study.person(person)
    now = study.clock.now()
    with study.records.write() as write:
        if write.row(_ASKED, person) is None:
            row = {"category": "contact", "rule": "", "raised_by": person, "visit": visit}
            _insert(study, write, person, "asked", row, now, hold=False)
            log.warning("a participant asks to be contacted", participant=person)
    return study.records.row(_ASKED, person) or {}


def asked(study: Study, person: str) -> dict[str, Any] | None:
    """The event with which this person asks to be contacted, while nobody has acknowledged it."""
    return study.records.row(_ASKED, person)


_ASKED = "SELECT * FROM safety_event WHERE participant = ? AND source = 'asked' AND acknowledged_at IS NULL"


def _insert(
    study: Study, write: Write, person: str, source: Source, row: dict[str, Any], now: datetime, hold: bool = True
) -> int:
    number = write.insert("safety_event", {"participant": person, "source": source, "raised_at": stamp(now), **row})
    enrolled = write.value("SELECT status FROM participant WHERE code = ?", person)
    if hold and enrolled == "active":
        write.update("participant", person, {"status": "held"})
    kind = {name: row[name] for name in ("category", "rule") if row[name]}
    write.log(now, row["raised_by"], "safety event", f"event {number}", person=person, source=source, **kind)
    _look_at_stopping_rules(study, write)
    return int(number)


def event(study: Study, number: int) -> dict[str, Any]:
    """One event as a row. Raises `UnknownCode`."""
    row = study.records.row("SELECT * FROM safety_event WHERE id = ?", number)
    if row is None:
        raise UnknownCode(f"There is no safety event {number}; `bedside safety` lists them.")
    return row


def events(study: Study, *, open_only: bool = False) -> list[dict[str, Any]]:
    """Safety events as rows, newest first."""
    where = "WHERE acknowledged_at IS NULL" if open_only else ""
    return study.records.rows(f"SELECT * FROM safety_event {where} ORDER BY id DESC")  # noqa: S608 - no input in it


def has_open_event(study: Study, person: str) -> bool:
    """Whether there is an event about this person of which nobody took charge; being asked for is none that holds."""
    return study.records.row(_HOLDING, person) is not None


_HOLDING = "SELECT 1 FROM safety_event WHERE participant = ? AND source != 'asked' AND acknowledged_at IS NULL"


def acknowledge(study: Study, number: int, by: str) -> None:
    """Somebody has taken charge of this event. When it was the participant's last open one, they go on.

    Raises `UnknownCode` when there is no such open event.
    """
    now = study.clock.now()
    with study.records.write() as write:
        row = write.row("SELECT * FROM safety_event WHERE id = ? AND acknowledged_at IS NULL", number)
        if row is None:
            raise UnknownCode(f"There is no open safety event {number}; `bedside safety` lists them.")
        person = row["participant"]
        write.update("safety_event", number, {"acknowledged_at": stamp(now), "acknowledged_by": by})
        held = write.value("SELECT status FROM participant WHERE code = ?", person) == "held"
        if held and write.row(_HOLDING, person) is None:
            write.update("participant", person, {"status": "active"})
        write.log(now, by, "safety event acknowledged", f"event {number}", person=person)


def assess(study: Study, number: int, *, by: str, why: str = "", close: bool = False, **assessment: str | None) -> None:
    """Judge an event: severity, serious, relatedness, expectedness, outcome; `close` it when nothing is left to do.

    What is left out stays as it is; the log keeps old and new values. Raises `StudyError` for a value that is not
    allowed, and `UnknownCode`.
    """
    event(study, number)
    _check(assessment)
    now = study.clock.now()
    changes: dict[str, Any] = {name: value for name, value in assessment.items() if value is not None}
    changes["assessed_by"] = by
    if close:
        changes["closed_at"] = stamp(now)
    with study.records.write() as write:
        row = write.row("SELECT * FROM safety_event WHERE id = ?", number) or {}
        after = {**row, **changes}
        if close and (after["acknowledged_at"] is None or after["outcome"] is None):
            raise StudyError(f"Event {number} can be closed when it is acknowledged and has an outcome.")
        write.update("safety_event", number, changes)
        write.log(now, by, "safety event assessed", f"event {number}", person=row["participant"], why=why)
        _look_at_stopping_rules(study, write)


def _check(assessment: dict[str, str | None]) -> None:
    for name, value in assessment.items():
        if name not in ASSESSMENT:
            raise StudyError(f"{name} is no part of an assessment; allowed: {', '.join(ASSESSMENT)}.")
        if value is not None and value not in ASSESSMENT[name]:
            raise StudyError(f"{name} is {value!r}; allowed: {', '.join(ASSESSMENT[name])}.")


def _look_at_stopping_rules(study: Study, write: Write) -> None:
    """Halt where a rule of the protocol says so. Events of test participants do not count."""
    for rule in study.protocol.safety.stopping:
        counts = write.rows(
            "SELECT participant.arm, count(*) AS n FROM safety_event"  # noqa: S608 - from the table above
            " LEFT JOIN participant ON participant.code = safety_event.participant"
            " JOIN person ON person.code = safety_event.participant"
            f" WHERE person.kind = 'participant' AND {_COUNTED[rule.count]} GROUP BY participant.arm"
        )
        why = f"stopping rule: {rule.at_least} or more of {rule.count} within the {rule.within}"
        if rule.within == "study":
            if sum(row["n"] for row in counts) >= rule.at_least:
                _halt_once(study, write, "study", "", why)
        else:
            for row in counts:
                if row["arm"] is not None and row["n"] >= rule.at_least:
                    _halt_once(study, write, "arm", row["arm"], why)


def _halt_once(study: Study, write: Write, scope: Literal["arm", "study"], target: str, why: str) -> None:
    """A rule halts once: who lifted the halt has decided, knowing of it, that the study goes on."""
    if write.row("SELECT 1 FROM halt WHERE scope = ? AND target = ? AND why = ?", scope, target, why) is None:
        halt_within(study, write, scope, target, by="bedside", why=why)

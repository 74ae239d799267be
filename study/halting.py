"""Halting a participant, an arm or the study, and going on again. Each is recorded with who and why."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from study.errors import StudyError
from study.records import Records, Write, stamp
from study.study import Participant, Study

__all__ = ["Scope", "concerns", "halt", "halt_within", "halts", "is_halted", "lift", "refuse_enrolment"]

Scope = Literal["participant", "arm", "study"]


def halts(study: Study, *, in_force: bool = True) -> list[dict[str, Any]]:
    """Halts as rows, newest first; with `in_force`, those that nobody lifted."""
    where = "WHERE lifted_at IS NULL" if in_force else ""
    return study.records.rows(f"SELECT * FROM halt {where} ORDER BY id DESC")  # noqa: S608 - no input in it


def is_halted(study: Study, participant: Participant) -> bool:
    """Whether no visit of `participant` can be made, for whatever reason of the three."""
    return concerns(halts(study), participant)


def concerns(rows: Sequence[Mapping[str, Any]], participant: Participant) -> bool:
    """Whether one of these halts (rows of `halts`) is for `participant`: for whoever asks of many."""
    targets = {("participant", participant.code), ("arm", participant.arm.name), ("study", "")}
    return any((row["scope"], row["target"]) in targets for row in rows)


def halt(study: Study, scope: Scope, target: str, *, by: str, why: str) -> int:
    """Halt; return the number of the halt, or of the one that is in force already.

    Raises `StudyError` when there is no such arm or participant, or no reason is given.
    """
    if not why.strip():
        raise StudyError("Say why: --why REASON.")
    if scope == "participant":
        study.participant(target)
    elif scope == "arm" and target not in {arm.name for one in study.protocols() for arm in one.arms}:
        raise StudyError(f"There is no arm {target!r}; choose one of {', '.join(a.name for a in study.protocol.arms)}.")
    with study.records.write() as write:
        return halt_within(study, write, scope, "" if scope == "study" else target, by=by, why=why)


def halt_within(study: Study, write: Write, scope: Scope, target: str, *, by: str, why: str) -> int:
    """The same inside a transaction."""
    standing = write.value("SELECT id FROM halt WHERE scope = ? AND target = ? AND lifted_at IS NULL", scope, target)
    if standing is not None:
        return int(standing)
    now = study.clock.now()
    row = {"scope": scope, "target": target, "halted_at": stamp(now), "halted_by": by, "why": why}
    number = write.insert("halt", row)
    person = target if scope == "participant" else None
    write.log(now, by, "halted", f"{scope} {target}".strip(), person=person, why=why)
    return int(number)


def lift(study: Study, number: int, *, by: str, why: str) -> None:
    """End a halt. Raises `StudyError` when there is none of this number, or no reason is given."""
    if not why.strip():
        raise StudyError("Say why: --why REASON.")
    now = study.clock.now()
    with study.records.write() as write:
        row = write.row("SELECT * FROM halt WHERE id = ? AND lifted_at IS NULL", number)
        if row is None:
            raise StudyError(f"There is no halt {number} in force; `bedside halt` lists them.")
        write.update("halt", number, {"lifted_at": stamp(now), "lifted_by": by, "lifted_why": why})
        person = row["target"] if row["scope"] == "participant" else None
        write.log(now, by, "halt lifted", f"{row['scope']} {row['target']}".strip(), person=person, why=why)


def refuse_enrolment(record: Write | Records, arms: Collection[str]) -> None:
    """Raises `StudyError` while the study or one of `arms` is halted: a sequence can't go on without one of its arms.

    `arms` are those that the newcomer could be given. One that an amendment took away may stay halted.
    """
    for row in record.rows("SELECT * FROM halt WHERE lifted_at IS NULL AND scope != 'participant' ORDER BY id"):
        if row["scope"] == "arm" and row["target"] not in arms:
            continue
        what = f"The arm {row['target']}" if row["scope"] == "arm" else "The study"
        raise StudyError(f"{what} is halted, so nobody can be enrolled (halt {row['id']}; `bedside halt` lists them).")

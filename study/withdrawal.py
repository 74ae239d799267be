"""Leaving the study, with or without the erasure of what was given.

Nobody who left is asked again, reminded or shown a visit. With erasure, everything that the person said, answered or
rated is deleted, and their identity; what remains is that there was somebody with this code, what they agreed to, their
arm, and when they left, without which the trial could not account for its own numbers.
"""

from study import identity
from study.errors import NotDue
from study.records import KEYS, Write, stamp
from study.study import Study

__all__ = ["is_withdrawn", "refuse_after_withdrawal", "withdraw"]

_ERASED = {
    "draft": "visit IN (SELECT id FROM visit WHERE participant = ?)",
    "takeover": "visit IN (SELECT id FROM visit WHERE participant = ?)",  # the reason may repeat what they said
    "turn": "visit IN (SELECT id FROM visit WHERE participant = ?)",
    "first_sound": "visit IN (SELECT id FROM visit WHERE participant = ?)",
    "correction": "person = ?",
    "rating": "visit IN (SELECT id FROM visit WHERE participant = ?)",
    "answer": "form IN (SELECT id FROM form WHERE person = ?)",
    "form": "person = ?",
}
"""What is deleted, in an order in which nothing refers to what is gone."""


_KEPT = {
    "person": "code",
    "participant": "code",
    "consent": "person",
    "visit": "participant",
    "safety_event": "participant",
    "withdrawal": "participant",
    "unblinding": "participant",
    "message": "participant",
    "halt": "target",  # of an arm it is a name, which no code is
}
"""Tables of which the person's rows stay, each with the column that has their code."""


def withdraw(study: Study, code: str, *, by: str, reason: str | None = None, erase: bool = False) -> None:
    """Withdraw somebody, whether enrolled yet or not. Asked for again, it adds the erasure if that is new.

    `reason` is in the person's own words. When this returns after an erasure, no word of theirs is in any file of the
    record. Raises `UnknownCode`.
    """
    person = study.person(code)
    now = study.clock.now()
    with study.records.write() as write:
        standing = write.row("SELECT * FROM withdrawal WHERE participant = ?", code)
        if standing is None:
            row = {"participant": code, "withdrawn_at": stamp(now), "withdrawn_by": by, "reason": reason}
            write.insert("withdrawal", row)
            if person.state == "enrolled":
                write.update("participant", code, {"status": "withdrawn"})
            elif person.state != "ineligible":
                write.update("person", code, {"state": "declined"})
            write.log(now, by, "withdrawn", code, person=code)
        erases = erase and (standing is None or standing["erased_at"] is None)
        if erases:
            _erase(write, code)
            write.update("withdrawal", code, {"reason": None, "erased_at": stamp(now)})
            write.log(now, by, "erased", code)
            # The chain covers the hash of each detail; the hashes of the rows that stay are in the event just logged.
            write.connection.execute("UPDATE event SET detail = NULL WHERE person = ?", [code])
    if erase:  # also when asked for again: a process may have been killed after the record was erased
        identity.forget(study, code, by=by, why="withdrawn, with erasure")
        study.records.empty_log_file()


def is_withdrawn(study: Study, code: str) -> bool:
    return study.records.row("SELECT 1 FROM withdrawal WHERE participant = ?", code) is not None


def refuse_after_withdrawal(write: Write, code: str) -> None:
    """Raises `NotDue` when somebody has left. Asked inside the transaction that would record what they gave.

    What they asked to have erased must not come back with a request that was on its way meanwhile.
    """
    if write.row("SELECT 1 FROM withdrawal WHERE participant = ?", code):
        raise NotDue("The participant has left the study.")


def _erase(write: Write, code: str) -> None:
    for table, condition in _ERASED.items():
        for row in write.rows(f"SELECT id FROM {table} WHERE {condition}", code):  # noqa: S608 - from the table above
            write.delete(table, row["id"])
    for row in write.rows("SELECT id FROM safety_event WHERE participant = ? AND description IS NOT NULL", code):
        write.update("safety_event", row["id"], {"description": None})
    # What somebody else wrote of them may repeat what they said.
    for row in write.rows("SELECT id, lifted_at FROM halt WHERE target = ?", code):
        write.update("halt", row["id"], {"why": "", "lifted_why": None if row["lifted_at"] is None else ""})
    # Their other rows stay, and are written into the log anew: the events that told of them lose their details.
    for table, column in _KEPT.items():
        for row in write.rows(f"SELECT {KEYS[table]} AS row_key FROM {table} WHERE {column} = ?", code):  # noqa: S608
            write.keep(table, row["row_key"])

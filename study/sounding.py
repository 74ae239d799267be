"""When a robot began to speak an answer: its own measurement, since the portal cannot hear the room.

The report comes after the answer, over the network, perhaps twice; the first one of an answer stands.
"""

from study.errors import NotDue
from study.records import stamp
from study.study import Study
from study.visits import Visit
from study.withdrawal import refuse_after_withdrawal

__all__ = ["report"]


def report(study: Study, visit: Visit, reply_to: int, after_ms: float, *, by: str) -> float:
    """Record that the answer to turn `reply_to` began to sound `after_ms` milliseconds after the end of its words.

    Returns what stands, which is an earlier report if there is one. Raises `NotDue` when the participant said no such
    turn in this visit.
    """
    now = study.clock.now()
    with study.records.write() as write:
        standing = "SELECT after_ms FROM first_sound WHERE visit = ? AND reply_to = ?"
        before: float | None = write.value(standing, visit.id, reply_to)
        if before is not None:
            return before
        said = "SELECT 1 FROM turn WHERE visit = ? AND number = ? AND speaker = 'participant'"
        if write.value(said, visit.id, reply_to) is None:
            raise NotDue("The participant said no such turn.")
        refuse_after_withdrawal(write, visit.participant)
        row = {"visit": visit.id, "reply_to": reply_to, "after_ms": after_ms, "reported_at": stamp(now)}
        write.insert("first_sound", row)
        write.log(now, by, "first sound", f"visit {visit.id}", person=visit.participant, number=reply_to)
    return after_ms

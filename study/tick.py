"""What time brings about: visits open and close, missed days are marked, reminders and alarms go out.

`tick` looks at the record and at the clock and does what is due. It can be called at any time and as often as one
likes, by several processes at once; each thing is done once. What a killed process left undone, the next one does.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from study import halting, identity, messages, retention
from study.errors import IdentityError
from study.messages import Post, post_by_apprise
from study.records import stamp
from study.study import Participant, Study
from study.visits import Visit, close, find, open_on, window_of

__all__ = ["Ticked", "tick"]


@dataclass(frozen=True, slots=True)
class Ticked:
    """How many of each were done."""

    opened: int = 0
    missed: int = 0
    unfinished: int = 0
    reminded: int = 0
    told: int = 0
    escalated: int = 0


def tick(study: Study, post: Post = post_by_apprise) -> Ticked:
    """Do what is due now.

    Raises `IdentityError` when the identities can't be read, after all that can be done without them.
    """
    unreadable: IdentityError | None = None
    try:
        sent = messages.deliver(study, post)  # first: somebody may be in danger
    except IdentityError as error:
        unreadable = error
    closed = [close(study, visit).state for visit in _expired(study)]
    days: dict[str, set[int]] = defaultdict(set)
    for row in study.records.rows("SELECT participant, day FROM visit"):
        days[row["participant"]].add(row["day"])
    opened = missed = 0
    people = study.participants()
    for participant in people:
        if participant.status != "withdrawn":
            for day in _missed_days(study, participant, days[participant.code]):
                open_on(study, participant, day, by="bedside", state="missed")
                missed += 1
            opened += _open(study, participant, days[participant.code])
    if unreadable is not None:
        raise unreadable
    _remind(study, people)
    later = messages.deliver(study, post)
    retention.delete_identities(study)
    return Ticked(
        opened=opened,
        missed=missed + closed.count("missed"),
        unfinished=closed.count("unfinished"),
        reminded=sent["reminder"] + later["reminder"],
        told=sent["safety"] + later["safety"],
        escalated=sent["escalation"] + later["escalation"],
    )


def _expired(study: Study) -> list[Visit]:
    """Visits that have not ended and whose time is over: their grace, if they were begun."""
    rows = study.records.rows(
        "SELECT id FROM visit WHERE (state = 'before' AND closes_at <= ?)"
        " OR (state IN ('exercise', 'after') AND ends_at <= ?)",
        *[stamp(study.clock.now())] * 2,
    )
    return [find(study, row["id"]) for row in rows]


def _missed_days(study: Study, participant: Participant, known: set[int]) -> Iterator[int]:
    """Days whose window closed without anybody opening the visit."""
    now = study.clock.now()
    today = study.day_of(participant)
    days = [*range(1, min(today, participant.protocol.days) + 1), *(one.day for one in participant.protocol.follow_ups)]
    for day in days:
        if day not in known and day <= today and window_of(participant, day).closes <= now:
            yield day


def _open(study: Study, participant: Participant, known: set[int]) -> int:
    if participant.status != "active" or halting.is_halted(study, participant):
        return 0
    now = study.clock.now()
    today = study.day_of(participant)
    follow_up = participant.protocol.follow_up_on(today)
    day = follow_up.day if follow_up else today
    if day in known or not (follow_up or 1 <= day <= participant.protocol.days):
        return 0
    frame = window_of(participant, day)
    if not frame.opens <= now < frame.closes:
        return 0
    open_on(study, participant, day, by="bedside")
    return 1


def _remind(study: Study, people: list[Participant]) -> None:
    """Claim the reminders that are due, of those who can be reached."""
    wanted = {
        one.code: one
        for one in people
        if one.status == "active" and one.protocol.reminders.at and one.protocol.reminders.send
    }
    reachable = identity.known(study) if wanted else {}
    if not reachable:
        return
    for row in study.records.rows("SELECT id, participant FROM visit WHERE state IN ('before', 'exercise', 'after')"):
        participant = wanted.get(row["participant"])
        if participant and row["participant"] in reachable and not halting.is_halted(study, participant):
            messages.claim_reminder(study, participant, find(study, row["id"]))

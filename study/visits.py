"""Visits: opening today's, rating distress, drafts, stopping, closing, claims by robots. Turns are in `study.turns`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from secrets import randbelow
from typing import Any, Literal

from study import halting, safety, takeover
from study.errors import DraftChanged, NotDue, OutOfRange, TimeOver, UnknownCode
from study.protocol import DISTRESS
from study.records import Write, stamp
from study.schedule import Window, window
from study.study import Participant, Study
from study.visit import FINAL, Occasion, Step, VisitState, advance
from study.withdrawal import refuse_after_withdrawal

__all__ = [
    "Closed",
    "Visit",
    "claim",
    "close",
    "closed",
    "drafts",
    "end",
    "find",
    "finish_exercise",
    "finish_follow_up",
    "finish_follow_up_within",
    "open_on",
    "rate",
    "ratings",
    "save_draft",
    "stop",
    "stop_for_item",
    "stop_within",
    "today",
    "why_closed",
    "window_of",
]


@dataclass(frozen=True, slots=True)
class Visit:
    id: int
    participant: str
    day: int
    exercise: str
    """Empty for a follow-up."""
    follow_up: str | None
    state: VisitState
    opened_at: datetime
    window: Window
    code: str
    """Six digits that a robot is told to find this visit."""
    device: str | None
    """The robot that holds it."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Why no visit is to be made now."""

    reason: Literal["held", "halted", "withdrawn", "not_begun", "not_open", "ended", "missed", "between", "over"]
    """`ended`: the participant ended today's visit themselves."""
    opens: datetime | None
    """When the next one opens, in the participant's zone."""


def today(study: Study, participant: Participant) -> Visit | None:
    """The visit that `participant` can make or has made now, opened if it is not yet; None when there is none.

    A visit that was begun stays today's until its grace is over, although a new study day may have begun. There is none
    before and after its window, after the last day, and while the participant is held, halted or withdrawn (unless
    today's is the visit that was stopped: its page can still be shown).
    """
    now = study.clock.now()
    day = study.day_of(participant)
    unended = study.records.rows(
        "SELECT * FROM visit WHERE participant = ? AND state IN ('before', 'exercise', 'after')", participant.code
    )
    begun = None
    for visit in map(_visit, unended):
        if now >= _until(visit):
            close(study, visit)
        elif _under_way(visit):
            begun = visit
    if begun is not None:
        return begun if _may(study, participant) else None
    scheduled = _scheduled(participant, day)
    if scheduled is None:
        return None
    row = study.records.row("SELECT * FROM visit WHERE participant = ? AND day = ?", participant.code, scheduled)
    if row is not None and row["state"] in FINAL:
        return _visit(row) if row["state"] in ("done", "stopped") else None
    if not _may(study, participant):
        return None
    if row is not None:
        return _visit(row)
    frame = window_of(participant, scheduled)
    return open_on(study, participant, scheduled, by=participant.code) if frame.opens <= now < frame.closes else None


def _until(visit: Visit) -> datetime:
    """When the time for this visit is over: one that was begun has its grace."""
    return visit.window.ends if _under_way(visit) else visit.window.closes


def why_closed(study: Study, participant: Participant) -> Closed:
    """Why `today` gives nothing, and when the next visit opens."""
    now = study.clock.now()
    day = study.day_of(participant)
    opens = None
    ahead = [*range(max(day, 1), participant.protocol.days + 1), *(one.day for one in participant.protocol.follow_ups)]
    for coming in sorted(one for one in ahead if one >= day):
        frame = window_of(participant, coming)
        if frame.opens > now:
            opens = frame.opens.astimezone(participant.zone)
            break
    if participant.status == "withdrawn":
        return Closed("withdrawn", None)
    if participant.status == "held":
        return Closed("held", None)
    if halting.is_halted(study, participant):
        return Closed("halted", None)
    if _ended_early(study, participant, day):
        return Closed("ended", opens)
    if opens is None:
        return Closed("over", None)
    if day < 1:
        return Closed("not_begun", opens)
    if day > participant.protocol.days:
        return Closed("between", opens)
    return Closed("not_open" if window_of(participant, day).opens > now else "missed", opens)


def _ended_early(study: Study, participant: Participant, day: int) -> bool:
    """Whether the visit of `day` ended before its time was over, and not by a safety event: by the participant."""
    sql = "SELECT * FROM visit WHERE participant = ? AND day = ? AND state IN ('missed', 'unfinished')"
    row = study.records.row(sql, participant.code, _scheduled(participant, day) or 0)
    return row is not None and row["ended_at"] < row["closes_at" if row["state"] == "missed" else "ends_at"]


def window_of(participant: Participant, day: int) -> Window:
    """When the visit of study day `day`, or the follow-up that opens on it, can be made."""
    protocol = participant.protocol
    rules = protocol.visits
    on = participant.starts_on + timedelta(days=day - 1)
    follow_up = next((one for one in protocol.follow_ups if one.day == day), None)
    if follow_up is not None:
        return window(on, participant.zone, protocol.boundary, days=follow_up.open_days)
    opens, closes = (time.fromisoformat(one) if one else None for one in (rules.opens, rules.closes))
    grace = timedelta(minutes=rules.grace_minutes)
    return window(on, participant.zone, protocol.boundary, opens, closes, grace)


def open_on(study: Study, participant: Participant, day: int, *, by: str, state: VisitState = "before") -> Visit:
    """The visit of study day `day`, opened if it is not yet. With another `state` it is recorded as having had it."""
    now = study.clock.now()
    protocol = participant.protocol
    follow_up = next((one for one in protocol.follow_ups if one.day == day), None)
    frame = window_of(participant, day)
    with study.records.write() as write:
        row = write.row("SELECT * FROM visit WHERE participant = ? AND day = ?", participant.code, day)
        if row is None:
            number = write.insert(
                "visit",
                {
                    "participant": participant.code,
                    "day": day,
                    "follow_up": follow_up.name if follow_up else None,
                    "exercise": None if follow_up else protocol.exercise_on(day),
                    "state": state,
                    "opens_at": stamp(frame.opens),
                    "closes_at": stamp(frame.closes),
                    "ends_at": stamp(frame.ends),
                    "opened_at": stamp(now),
                    "ended_at": stamp(now) if state in FINAL else None,
                    "code": _new_claim_code(write),
                },
            )
            what = "visit missed" if state == "missed" else "visit opened"
            write.log(now, by, what, f"visit {number}", person=participant.code, day=day)
            row = write.row("SELECT * FROM visit WHERE id = ?", number)
    return _visit(row or {})


def find(study: Study, visit_id: int) -> Visit:
    """The visit with this id. Raises `UnknownCode`."""
    row = study.records.row("SELECT * FROM visit WHERE id = ?", visit_id)
    if row is None:
        raise UnknownCode("There is no such visit.")
    return _visit(row)


def closed(study: Study, visit: Visit) -> bool:
    """Whether the time is over in which something can be added to this visit."""
    return visit.state in ("stopped", "missed", "unfinished") or study.clock.now() >= visit.window.ends


def _scheduled(participant: Participant, day: int) -> int | None:
    """The day by which the visit of `day` is known; None when there is none."""
    if 1 <= day <= participant.protocol.days:
        return day
    follow_up = participant.protocol.follow_up_on(day)
    return follow_up.day if follow_up else None


def _under_way(visit: Visit) -> bool:
    return visit.state in ("exercise", "after")


def _may(study: Study, participant: Participant) -> bool:
    return participant.status == "active" and not halting.is_halted(study, participant)


# Ratings


def rate(study: Study, visit: Visit, occasion: Occasion, value: int) -> Visit:
    """Record one rating of distress. A second rating of the same occasion changes nothing: the first one stands.

    Raises `OutOfRange`, and `NotDue` when the visit is at another point or its time is over.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise OutOfRange("Distress is rated as a whole number from 0 to 100.")
    now = study.clock.now()
    with study.records.write() as write:
        given = write.row("SELECT 1 FROM rating WHERE visit = ? AND occasion = ?", visit.id, occasion)
        if not given:
            refuse_after_withdrawal(write, visit.participant)
            if now >= (visit.window.closes if occasion == "before" else visit.window.ends):
                raise TimeOver("This cannot be taken now: the time for this visit is over.")
            write.insert(
                "rating",
                {"visit": visit.id, "measure": DISTRESS, "occasion": occasion, "value": value, "given_at": stamp(now)},
            )
            state = _move(write, visit, "rate_before" if occasion == "before" else "rate_after", now)
            write.log(
                now,
                visit.participant,
                "rated",
                f"visit {visit.id}",
                person=visit.participant,
                occasion=occasion,
                value=value,
                state=state,
            )
    return find(study, visit.id)


def ratings(study: Study, visit: Visit) -> dict[Occasion, int]:
    """The ratings of this visit so far, as they hold now."""
    rows = study.records.rows("SELECT occasion, value FROM rating_now WHERE visit = ?", visit.id)
    return {row["occasion"]: row["value"] for row in rows}


def finish_exercise(study: Study, visit: Visit) -> Visit:
    """The exercise came to its end: the rating after is due. Does nothing when that is so already."""
    return _finish(study, visit, "exercise", "finish_exercise", "exercise finished")


def finish_follow_up(study: Study, visit: Visit) -> Visit:
    """All forms of a follow-up are given. Does nothing when that is recorded already."""
    return _finish(study, visit, "before", "finish_follow_up", "follow-up finished")


def finish_follow_up_within(write: Write, visit: Visit, now: datetime) -> None:
    """The same inside the transaction that records its last form."""
    _finish_within(write, visit, "before", "finish_follow_up", "follow-up finished", now)


def _finish(study: Study, visit: Visit, at: VisitState, step: Step, what: str) -> Visit:
    with study.records.write() as write:
        _finish_within(write, visit, at, step, what, study.clock.now())
    return find(study, visit.id)


def _finish_within(write: Write, visit: Visit, at: VisitState, step: Step, what: str, now: datetime) -> None:
    if _state(write, visit.id) == at:
        state = _move(write, visit, step, now)
        write.log(now, visit.participant, what, f"visit {visit.id}", person=visit.participant, state=state)


def close(study: Study, visit: Visit) -> Visit:
    """The time for this visit is over: it is missed, or unfinished. Does nothing to one that has ended."""
    now = study.clock.now()
    with study.records.write() as write:
        if _state(write, visit.id) not in FINAL:
            state = _move(write, visit, "close", now)
            write.log(now, "bedside", "visit closed", f"visit {visit.id}", person=visit.participant, state=state)
    return find(study, visit.id)


def end(study: Study, visit: Visit, *, by: str) -> Visit:
    """The participant ends today's visit before it is done. Does nothing to one that has ended."""
    now = study.clock.now()
    with study.records.write() as write:
        if (standing := _state(write, visit.id)) not in FINAL:
            state = _move(write, visit, "end", now)
            about = {"stood_at": standing, "state": state}
            write.log(now, by, "visit ended early", f"visit {visit.id}", person=visit.participant, **about)
    return find(study, visit.id)


# The worksheet's drafts


def save_draft(study: Study, visit: Visit, step: str, text: str, base: str | None = None) -> None:
    """Keep what is written in a field that is not confirmed yet.

    `base` is what the field held when the writer began to change it; None writes over whatever it holds. Raises
    `DraftChanged` when it holds something else by now, and `NotDue` when the worksheet is closed.
    """
    now = study.clock.now()
    with study.records.write() as write:
        refuse_after_withdrawal(write, visit.participant)
        if _state(write, visit.id) != "exercise":
            raise NotDue("This worksheet is closed.")
        confirmed = "SELECT text FROM turn WHERE visit = ? AND step = ? AND speaker = 'participant'"
        answer = write.value(confirmed, visit.id, step)
        if answer is not None:
            raise DraftChanged(answer, confirmed=True)
        standing = write.row("SELECT id, text FROM draft WHERE visit = ? AND step = ?", visit.id, step)
        there = standing["text"] if standing else ""
        if there == text and standing is not None:
            return
        if base is not None and base != there:
            raise DraftChanged(there, confirmed=False)
        if standing is None:
            write.insert("draft", {"visit": visit.id, "step": step, "text": text, "saved_at": stamp(now)})
        else:
            write.update("draft", standing["id"], {"text": text, "saved_at": stamp(now)})
        write.log(now, visit.participant, "draft saved", f"visit {visit.id}", person=visit.participant, step=step)


def drafts(study: Study, visit: Visit) -> dict[str, str]:
    """What stands in the fields that are not confirmed yet, by step."""
    rows = study.records.rows("SELECT step, text FROM draft WHERE visit = ?", visit.id)
    return {row["step"]: row["text"] for row in rows}


# Stopping


def stop(study: Study, visit: Visit, source: safety.Source, alarm: safety.Alarm) -> Visit:
    """A safety event in words that are no turn (a draft): stop the visit and hold the participant.

    A visit that has ended stays as it ended, and the event is recorded all the same, once while nobody has acknowledged
    it. One that is stopped has its event; when that was acknowledged, words that come after it are another.
    """
    now = study.clock.now()
    unacknowledged = "SELECT rule, source FROM safety_event WHERE visit = ? AND acknowledged_at IS NULL"
    with study.records.write() as write:
        state, open_ones = _state(write, visit.id), write.rows(unacknowledged, visit.id)
        if state not in FINAL or not (
            open_ones if state == "stopped" else {"rule": alarm.rule, "source": source} in open_ones
        ):
            stop_within(study, write, visit, source, alarm, None, now)
    return find(study, visit.id)


def stop_within(
    study: Study,
    write: Write,
    visit: Visit,
    source: safety.Source,
    alarm: safety.Alarm,
    turn: int | None,
    now: datetime,
) -> None:
    """The same inside a transaction that records a turn."""
    if _state(write, visit.id) not in FINAL:
        _move(write, visit, "stop", now)
    safety.raise_event(study, write, visit.participant, visit.id, turn, source, alarm, now)


def stop_for_item(study: Study, write: Write, visit_id: int, now: datetime) -> None:
    """An item alert in a form of this visit, inside the transaction that raised its event.

    A follow-up is not stopped for good: it goes on within its window when somebody has taken charge.
    """
    visit = find(study, visit_id)
    if _state(write, visit_id) not in FINAL and visit.follow_up is None:
        _move(write, visit, "stop", now)
        write.log(now, "bedside", "visit stopped", f"visit {visit_id}", person=visit.participant)


# Robots


def claim(study: Study, claim_code: str, device: str, may: Callable[[Visit], None] = lambda visit: None) -> Visit:
    """Give the open visit with this code to `device`. What `may` raises keeps it from being given.

    A device that holds the visit already is given it again, which is how a robot that restarted goes on. Raises
    `UnknownCode`, and `NotDue` when another device holds the visit or the participant's visits are paused. One that was
    stopped can be claimed all the same: its message is still to be said.
    """
    now = study.clock.now()
    with study.records.write() as write:
        row = write.row("SELECT * FROM visit WHERE code = ?", claim_code)
        visit = _visit(row) if row else None
        if visit is None or not _for_robots(study, visit):
            raise UnknownCode("No visit with a robot has this code today.")
        if visit.device not in (None, device):
            raise NotDue("Another robot holds this visit.")
        participant = study.participant(visit.participant)
        if participant.status == "withdrawn":
            raise NotDue("The participant has left the study.")
        if visit.state != "stopped" and not _may(study, participant):
            raise NotDue("The study is paused; somebody will be in touch.")
        may(visit)
        if visit.device is None:
            write.update("visit", visit.id, {"device": device})
            write.log(now, device, "visit claimed", f"visit {visit.id}", person=visit.participant)
    return find(study, visit.id)


def _for_robots(study: Study, visit: Visit) -> bool:
    participant = study.participant(visit.participant)
    current = visit.state in ("done", "stopped") or study.clock.now() < visit.window.ends
    return participant.arm.medium == "robot" and visit.exercise != "" and current


def _state(write: Write, visit_id: int) -> VisitState:
    state: VisitState = write.value("SELECT state FROM visit WHERE id = ?", visit_id)
    return state


def _move(write: Write, visit: Visit, step: Step, now: datetime) -> VisitState:
    """Take `step` from the state that stands in the record, not from the one the caller read earlier."""
    state = advance(_state(write, visit.id), step)
    write.update("visit", visit.id, {"state": state, "ended_at": stamp(now) if state in FINAL else None})
    if state != "exercise":
        takeover.release_within(write, visit.id, now)
    return state


def _new_claim_code(write: Write) -> str:
    while True:
        code = f"{randbelow(10**6):06}"
        if not write.row("SELECT 1 FROM visit WHERE code = ?", code):
            return code


def _visit(row: dict[str, Any]) -> Visit:
    opens, closes, ends = (datetime.fromisoformat(row[name]) for name in ("opens_at", "closes_at", "ends_at"))
    return Visit(
        id=row["id"],
        participant=row["participant"],
        day=row["day"],
        exercise=row["exercise"] or "",
        follow_up=row["follow_up"],
        state=row["state"],
        opened_at=datetime.fromisoformat(row["opened_at"]),
        window=Window(opens, closes, ends),
        code=row["code"],
        device=row["device"],
    )

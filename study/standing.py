"""How the study stands at this moment: who is due, in a visit, late or missing, and how many came how far.

Read in a few queries whatever the number of participants, since the console draws it anew all day long.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from study import halting
from study.protocol import DISTRESS
from study.records import stamp
from study.study import Participant, Study
from study.visits import window_of

__all__ = ["Diary", "Flow", "Mark", "Square", "Today", "Waiting", "diary", "distress", "enrolment", "flow", "today"]

Mark = Literal["done", "begun", "open", "stopped", "missed", "unfinished", "ahead", "left"]
"""`begun`: under way. `open`: it can be begun, and nobody has. `left`: a day after somebody left the study."""

LATE = 0.25
"""Who has not begun in the last quarter of the window is late."""

LEFT_OFF = timedelta(minutes=30)
"""Who has begun, and did nothing for so long, has left off."""

RECENT = timedelta(hours=24)
"""A window that closed within this time was missed today. By the calendar nothing is: at the day's boundary the window
of a day closes and the next day begins."""


@dataclass(frozen=True, slots=True)
class Square:
    """One study day of one participant."""

    day: int
    mark: Mark
    visit: int | None


@dataclass(frozen=True, slots=True)
class Diary:
    """All study days of one participant."""

    participant: Participant
    today: int
    squares: list[Square]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody in one of the lists of `Today`."""

    participant: Participant
    day: int
    visit: int | None
    moment: datetime
    """Due or late: until when it can be begun. In a visit, or left off: when they last did something. Missed: when it
    closed."""
    left_off: bool = False


@dataclass(frozen=True, slots=True)
class Today:
    """Who is where now, the most urgent first. Nobody who left, is held or halted is due."""

    due: list[Waiting]
    visiting: list[Waiting]
    late: list[Waiting]
    missed: list[Waiting]
    held: list[Participant]
    """After a safety event, or by a halt."""
    done: int
    """Visits finished within the last 24 hours."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How many people came how far, after CONSORT. Test participants are not counted."""

    came: int
    ineligible: int
    declined: int
    on_the_way: int
    enrolled: int
    reasons: list[tuple[str, int]]
    """Why people could not take part, the most frequent first; somebody may have several reasons."""
    arms: dict[str, Counter[str]]
    """Of each arm: `allocated`, `left`, `in` (their days are not over) and `over`."""


def diary(study: Study, participants: list[Participant]) -> list[Diary]:
    """The days and follow-ups of each of `participants`."""
    visits: dict[str, dict[int, tuple[int, str]]] = defaultdict(dict)
    for number, person, day, state in study.records.db.execute("SELECT id, participant, day, state FROM visit"):
        visits[person][day] = (number, state)
    rows = []
    for participant in participants:
        now = study.day_of(participant)
        protocol = participant.protocol
        days = [*range(1, protocol.days + 1), *(one.day for one in protocol.follow_ups)]
        known = visits[participant.code]
        rows.append(Diary(participant, now, [_square(participant, day, now, known.get(day)) for day in days]))
    return rows


def _square(participant: Participant, day: int, now: int, visit: tuple[int, str] | None) -> Square:
    if visit is None:
        left = participant.status == "withdrawn"
        follow_up = participant.protocol.follow_up_on(now)
        ahead = day >= now or (follow_up is not None and follow_up.day == day)
        return Square(day, "left" if left else "ahead" if ahead else "missed", None)
    number, state = visit
    return Square(day, _MARKS.get(state, state), number)  # type: ignore[arg-type]


_MARKS: dict[str, Mark] = {"before": "open", "exercise": "begun", "after": "begun"}


def today(study: Study, participants: list[Participant]) -> Today:
    """Who of `participants` is due, in a visit, late or missing now."""
    now = study.clock.now()
    visits: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    # Neither a visit that ended long ago nor one that has not opened is of today.
    for row in study.records.rows(
        "SELECT id, participant, day, state, opens_at, closes_at, ends_at, ended_at FROM visit"
        " WHERE state IN ('before', 'exercise', 'after') OR ends_at > ?",
        stamp(now - RECENT),
    ):
        visits[row["participant"]][row["day"]] = row
    acted = _last_acts(study)
    halts = halting.halts(study)
    found = Today([], [], [], [], [], sum(_done_lately(row, now) for one in visits.values() for row in one.values()))
    for participant in participants:
        if participant.status == "withdrawn":
            continue
        if participant.status == "held" or halting.concerns(halts, participant):
            found.held.append(participant)
            continue
        for day in _days_of_today(participant, study.day_of(participant)):
            _place(found, participant, day, visits[participant.code].get(day), acted, now)
    for waiting in (found.due, found.late, found.visiting):
        waiting.sort(key=lambda one: one.moment)
    found.missed.sort(key=lambda one: one.moment, reverse=True)
    return found


def _days_of_today(participant: Participant, now: int) -> Iterator[int]:
    """The study days whose window may be open now, or have closed lately."""
    protocol = participant.protocol
    yield from (day for day in (now - 1, now) if 1 <= day <= protocol.days)
    yield from (one.day for one in protocol.follow_ups if one.day <= now <= one.day + one.open_days)


def _place(
    found: Today,
    participant: Participant,
    day: int,
    row: dict[str, Any] | None,
    acted: dict[int, datetime],
    now: datetime,
) -> None:
    """Put one visit into the list that it belongs to, if into any."""
    state = row["state"] if row else "before"
    if state in ("done", "stopped"):
        return
    if row:
        opens, closes, ends = (datetime.fromisoformat(row[name]) for name in ("opens_at", "closes_at", "ends_at"))
    else:
        frame = window_of(participant, day)
        opens, closes, ends = frame.opens, frame.closes, frame.ends
    visit = row["id"] if row else None
    if state in ("exercise", "after") and now < ends:
        last = acted.get(row["id"] if row else 0, opens)
        left_off = now - last >= LEFT_OFF
        (found.late if left_off else found.visiting).append(Waiting(participant, day, visit, last, left_off))
    elif state == "before" and opens <= now < closes:
        late = closes - now <= (closes - opens) * LATE
        (found.late if late else found.due).append(Waiting(participant, day, visit, closes))
    elif opens <= now and now - RECENT < closes <= now:
        found.missed.append(Waiting(participant, day, visit, closes))


def _last_acts(study: Study) -> dict[int, datetime]:
    """When something was last said or rated in each visit under way."""
    rows = study.records.rows(
        "SELECT visit, max(at) AS at FROM ("
        " SELECT visit, recorded_at AS at FROM turn WHERE visit IN (SELECT id FROM visit WHERE state IN"
        "  ('exercise', 'after'))"
        " UNION ALL SELECT visit, given_at FROM rating WHERE visit IN (SELECT id FROM visit WHERE state IN"
        "  ('exercise', 'after'))) GROUP BY visit"
    )
    return {row["visit"]: datetime.fromisoformat(row["at"]) for row in rows}


def _done_lately(row: dict[str, Any], now: datetime) -> bool:
    return row["state"] == "done" and now - RECENT < datetime.fromisoformat(row["ended_at"]) <= now


def enrolment(study: Study) -> list[tuple[date, int]]:
    """The dates on which people were enrolled, on the study's calendar, and how many were by the end of each."""
    counted: Counter[date] = Counter()
    for row in study.records.rows("SELECT enrolled_at FROM participant WHERE kind = 'participant'"):
        counted[datetime.fromisoformat(row["enrolled_at"]).astimezone(study.protocol.zone).date()] += 1
    total, steps = 0, []
    for on in sorted(counted):
        total += counted[on]
        steps.append((on, total))
    return steps


def flow(study: Study, people: list[Diary]) -> Flow:
    """How many came how far; `people` is what `diary` gives."""
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for row in study.records.rows("SELECT state, reasons FROM person WHERE kind = 'participant'"):
        states[row["state"]] += 1
        reasons.update(json.loads(row["reasons"] or "[]"))
    arms: dict[str, Counter[str]] = {arm.name: Counter() for one in reversed(study.protocols()) for arm in one.arms}
    for one in people:
        participant = one.participant
        if participant.kind == "participant":
            over = one.today > participant.protocol.days
            arm = arms[participant.arm.name]
            arm["allocated"] += 1
            arm["left" if participant.status == "withdrawn" else "over" if over else "in"] += 1
    on_the_way = states["screening"] + states["consent"] + states["baseline"]
    return Flow(
        states.total(),
        states["ineligible"],
        states["declined"],
        on_the_way,
        states["enrolled"],
        reasons.most_common(),
        arms,
    )


def distress(study: Study) -> dict[tuple[str, int, str], tuple[float, int]]:
    """Mean distress and how many rated it, by arm, study day and occasion. Test participants are not counted."""
    rows = study.records.rows(
        "SELECT participant.arm, visit.day, rating.occasion, avg(rating.value) AS mean, count(*) AS n"
        " FROM rating_now rating"
        " JOIN visit ON visit.id = rating.visit JOIN participant ON participant.code = visit.participant"
        " WHERE participant.kind = 'participant' AND rating.measure = ?"
        " GROUP BY participant.arm, visit.day, rating.occasion",
        DISTRESS,
    )
    return {(row["arm"], row["day"], row["occasion"]): (row["mean"], row["n"]) for row in rows}

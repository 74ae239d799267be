"""How long what is kept: identities until they are not needed any more, the record for as long as the protocol says."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from study import identity, schedule
from study.study import Person, Study

__all__ = ["Kept", "delete_identities", "due", "keep_until"]


@dataclass(frozen=True, slots=True)
class Kept:
    """An identity whose time is over."""

    code: str
    since: date
    """From which date on it was to be deleted."""


def due(study: Study) -> list[Kept]:
    """The identities that the protocol says are to be deleted by now."""
    identities = identity.known(study)
    if not identities:
        return []
    ends = _ends(study)
    found = []
    for person in study.people():
        days = person.protocol.retention.identity_days
        if days is not None and person.code in ends:
            since = ends[person.code] + timedelta(days=days)
            today = schedule.local_day(study.clock.now(), person.zone, person.protocol.boundary)
            if since < today and person.code in identities:
                found.append(Kept(person.code, since))
    return found


def delete_identities(study: Study, *, by: str = "bedside") -> int:
    """Delete the identities whose time is over; return how many there were."""
    return sum(
        identity.forget(study, kept.code, by=by, why=f"retention: kept until {kept.since}") for kept in due(study)
    )


def keep_until(study: Study) -> date | None:
    """Until when the record is to be kept; None while the protocol does not say, or somebody has still days to come."""
    years = study.protocol.retention.data_years
    ends = _ends(study)
    if years is None or not ends or len(ends) < len(study.people()):
        return None
    last = max(ends.values())
    try:
        return last.replace(year=last.year + years)
    except ValueError:  # 29 February, in a year that has none
        return last.replace(year=last.year + years, day=28)


def _ends(study: Study) -> dict[str, date]:
    """The last day of everybody for whom it is known: who takes part, left, or could not take part."""
    left = {
        row["participant"]: datetime.fromisoformat(row["withdrawn_at"]).date()
        for row in study.records.rows("SELECT participant, withdrawn_at FROM withdrawal")
    }
    starts = {
        row["code"]: date.fromisoformat(row["starts_on"])
        for row in study.records.rows("SELECT code, starts_on FROM participant")
    }
    ends: dict[str, date] = {}
    for person in study.people():
        end = left.get(person.code) or _last_day(person, starts.get(person.code))
        if end is not None:
            ends[person.code] = end
    return ends


def _last_day(person: Person, starts_on: date | None) -> date | None:
    if starts_on is not None:
        follow_ups = [one.day + one.open_days - 1 for one in person.protocol.follow_ups]
        return starts_on + timedelta(days=max([person.protocol.days, *follow_ups]) - 1)
    # Nobody knows when somebody who stopped on the way to the enrolment will come back: they count from when they came.
    return person.came_at.date()

"""Safety events: raised with the words that caused them, told to somebody, acknowledged by somebody.

An event holds the participant until a person acknowledges it. Telling is an outbox: the event is in the record
first, and `tell` sends what has not been told yet, so a crash between the two delays the message and never loses it.
"""

from datetime import datetime
from typing import Any, Literal, Protocol

import apprise
import structlog
from sqlite_utils import Database

from study.errors import UnknownCode
from study.records import stamp
from study.study import Study

__all__ = ["Hit", "Source", "acknowledge", "events", "notify_mistakes", "raise_event", "tell"]

Source = Literal["participant", "therapist", "draft"]
"""Whose words were screened: the participant's, the therapist's, or a worksheet field not yet confirmed."""

log = structlog.get_logger()


class Hit(Protocol):
    """What the study needs to know of a screen's finding."""

    @property
    def category(self) -> str: ...
    @property
    def rule(self) -> str: ...


def raise_event(
    study: Study,
    db: Database,
    participant: str,
    visit: int | None,
    turn: int | None,
    source: Source,
    hit: Hit,
    now: datetime,
) -> None:
    """Record one event and hold the participant, inside the transaction that records its cause."""
    db.table("safety_event").insert(
        {
            "participant": participant,
            "visit": visit,
            "turn": turn,
            "source": source,
            "category": hit.category,
            "rule": hit.rule,
            "raised_at": stamp(now),
            "told_at": None,
            "acknowledged_at": None,
            "acknowledged_by": None,
        }
    )
    db.table("participant").update(participant, {"status": "held"})
    study.records.log(
        db, now, "screen", "safety event", participant, category=hit.category, rule=hit.rule, source=source
    )
    log.warning("safety event", participant=participant, category=hit.category, rule=hit.rule, source=source)


def events(study: Study, *, open_only: bool = False) -> list[dict[str, Any]]:
    """Safety events as rows, newest first."""
    where = "WHERE acknowledged_at IS NULL" if open_only else ""
    return study.records.rows(f"SELECT * FROM safety_event {where} ORDER BY id DESC")  # noqa: S608 - no input in it


def acknowledge(study: Study, event_id: int, by: str) -> None:
    """Somebody has taken charge of this event. When it was the participant's last open one, they go on.

    Raises `UnknownCode` when there is no such open event.
    """
    now = study.clock.now()
    with study.records.write() as db:
        row = next(
            iter(db.query("SELECT * FROM safety_event WHERE id = ? AND acknowledged_at IS NULL", [event_id])), None
        )
        if row is None:
            raise UnknownCode(f"There is no open safety event {event_id}; `bedside safety` lists them.")
        db.table("safety_event").update(event_id, {"acknowledged_at": stamp(now), "acknowledged_by": by})
        left = db.execute(
            "SELECT count(*) FROM safety_event WHERE participant = ? AND acknowledged_at IS NULL", [row["participant"]]
        ).fetchone()[0]
        if not left:
            db.table("participant").update(row["participant"], {"status": "active"})
        study.records.log(db, now, by, "safety event acknowledged", row["participant"], event=event_id)


def tell(study: Study) -> int:
    """Send every event that nobody was told of to the addresses of the protocol; returns how many were sent.

    A message names the study, the participant's code, the time and the category; it holds nothing anybody said. An
    event whose message no address accepted stays untold and is tried again at the next call. A rehearsal tells nobody.
    """
    addresses = study.protocol.safety.notify
    if not addresses or study.rehearsal:
        return 0
    sent = 0
    for event in study.records.rows("SELECT * FROM safety_event WHERE told_at IS NULL ORDER BY id"):
        post = apprise.Apprise()
        for address in addresses:
            post.add(address)
        title = f"Safety event in {study.protocol.title}"
        body = (
            f"Participant {event['participant']}, {event['raised_at']}: {event['category']} ({event['source']}). The "
            f"visit was stopped and the participant was shown the contacts. Event {event['id']} waits on the "
            f"researcher's page until somebody acknowledges it."
        )
        if not post.notify(title=title, body=body, notify_type=apprise.NotifyType.WARNING):
            log.error("safety event not delivered", number=event["id"])
            continue
        now = study.clock.now()
        with study.records.write() as db:
            db.table("safety_event").update(event["id"], {"told_at": stamp(now)})
            study.records.log(db, now, "bedside", "safety event told", event["participant"], event=event["id"])
        sent += 1
    return sent


def notify_mistakes(addresses: list[str]) -> list[str]:
    """One line for each address that Apprise does not understand. It may hold a password, so it is not repeated."""
    return [
        f"study.toml: safety.notify[{number}] is no address that Apprise knows; allowed: mailto://..., and others"
        for number, address in enumerate(addresses, 1)
        if not apprise.Apprise().add(address)
    ]

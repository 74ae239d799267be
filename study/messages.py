"""Messages: safety events to the people named in the protocol, reminders to participants.

A message is claimed in the record before it is sent, under a key that is UNIQUE, so two processes never send the same
one. What a process that was killed leaves behind is decided by what the message is for. An alarm that may not have gone
out is sent again: twice is better than not at all. A reminder of which nobody can tell whether it went out is not
repeated; it is marked `unsure`. A message holds nothing that anybody said.
"""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from typing import Any, Literal
from urllib.parse import quote

import apprise
import structlog

from study import identity
from study.errors import StudyError
from study.moments import time_of_day
from study.records import stamp
from study.schedule import moment
from study.study import Participant, Study
from study.texts import texts
from study.visits import Visit

__all__ = ["Post", "address_mistakes", "claim", "claim_alarms", "claim_reminder", "deliver", "post_by_apprise"]

Kind = Literal["reminder", "safety", "escalation"]

Post = Callable[[str, str, str], bool]
"""Sends to one address a title and a body; says whether it was taken."""

ATTEMPTS = 3
PAUSE = timedelta(minutes=10)
"""How often a reminder is tried that was refused, and with what pauses. An alarm is tried until somebody takes it."""

log = structlog.get_logger()


def post_by_apprise(address: str, title: str, body: str) -> bool:
    """Send through Apprise, which knows e-mail, SMS and chat services by their addresses."""
    post = apprise.Apprise()
    return bool(post.add(address)) and bool(post.notify(title=title, body=body))


def address_mistakes(key: str, addresses: list[str]) -> list[str]:
    """One line for each address that Apprise does not understand. It may hold a password, so it is not repeated."""
    mistakes = []
    for number, address in enumerate(addresses, 1):
        filled = (
            re.sub(r"\$\{\w+\}", "x", address).replace("{email}", "a@example.org").replace("{phone}", "15551234567")
        )
        if not apprise.Apprise().add(filled):
            mistakes.append(
                f"study.toml: {key}[{number}] is no address that Apprise knows; allowed: mailto://..., and others"
            )
    return mistakes


def claim(
    study: Study, key: str, kind: Kind, *, participant: str, visit: int | None = None, event: int | None = None
) -> bool:
    """Claim the message `key`; False when it was claimed before."""
    now = study.clock.now()
    with study.records.write() as write:
        if write.row("SELECT 1 FROM message WHERE key = ?", key):
            return False
        write.insert(
            "message",
            {
                "key": key,
                "kind": kind,
                "participant": participant,
                "visit": visit,
                "safety_event": event,
                "state": "claimed",
                "claimed_at": stamp(now),
                "ended_at": None,
                "attempts": 0,
            },
        )
        write.log(now, "bedside", f"{kind} claimed", key, person=participant)
    return True


def claim_alarms(study: Study) -> None:
    """Claim what is to be told of safety events: each once, and once more when nobody acknowledged it in time."""
    rules = study.protocol.safety
    late = stamp(study.clock.now() - timedelta(minutes=rules.acknowledge_minutes))
    if rules.notify:
        for row in study.records.rows(
            "SELECT id, participant, visit FROM safety_event WHERE told_at IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM message WHERE key = 'safety/' || safety_event.id)"
        ):
            claim(study, f"safety/{row['id']}", "safety", participant=row["participant"], event=row["id"])
    if rules.escalate or rules.notify:
        for row in study.records.rows(
            "SELECT id, participant, visit FROM safety_event WHERE acknowledged_at IS NULL AND raised_at <= ?"
            " AND NOT EXISTS (SELECT 1 FROM message WHERE key = 'escalation/' || safety_event.id)",
            late,
        ):
            claim(study, f"escalation/{row['id']}", "escalation", participant=row["participant"], event=row["id"])


def claim_reminder(study: Study, participant: Participant, visit: Visit) -> bool:
    """Claim the reminder that is due now for a visit that is open and not done, of somebody who can be reached.

    Of several times that have passed, the last counts: after a pause nobody gets all reminders at once.
    """
    rules = participant.protocol.reminders
    now = study.clock.now()
    if not rules.at or not rules.send:
        return False
    today = now.astimezone(participant.zone).date()
    boundary = participant.protocol.boundary
    passed = [
        due
        for day in (today - timedelta(days=1), today)
        for at in rules.at
        if (due := moment(day, time.fromisoformat(at), participant.zone, boundary)) <= now
        and visit.window.opens <= due < visit.window.closes
    ]
    if not passed:
        return False
    key = f"reminder/{visit.id}/{stamp(max(passed))}"
    return claim(study, key, "reminder", participant=participant.code, visit=visit.id)


def deliver(study: Study, post: Post = post_by_apprise) -> dict[Kind, int]:
    """Send what is claimed; return how many of each kind were taken. A rehearsal sends nothing."""
    sent: dict[Kind, int] = {"reminder": 0, "safety": 0, "escalation": 0}
    if study.rehearsal:
        return sent
    with _alone(study) as alone:
        if not alone:
            return sent  # another process is sending
        # Nobody else sends now, so whoever began these was killed on the way.
        for row in study.records.rows("SELECT * FROM message WHERE state = 'sending'"):
            _end(study, row, "unsure")
        # Alarms first: a reminder that cannot be sent (the key of the identities is lost, say) must not keep them back.
        open_rows = study.records.rows(
            "SELECT * FROM message WHERE state IN ('claimed', 'failed') ORDER BY kind = 'reminder', id"
        )
        for row in open_rows:
            if row["kind"] == "reminder":
                sent["reminder"] += _remind(study, row, post)
            else:
                sent[row["kind"]] += _alarm(study, row, post)
    return sent


def _alarm(study: Study, row: dict[str, Any], post: Post) -> bool:
    event = study.records.row("SELECT * FROM safety_event WHERE id = ?", row["safety_event"]) or {}
    rules = study.protocol.safety
    first = row["kind"] == "safety"
    addresses = rules.notify if first else rules.escalate or rules.notify
    kind = "asked" if event["source"] == "asked" else "safety"
    said = texts(study.protocol.language, "messages")[kind if first else f"{kind}_escalation"]
    words = {**event, "title": study.protocol.title}
    title = said["title"].format(**words)
    body = said["body"].format(**words) if first else said["body"](rules.acknowledge_minutes, **words)
    # Every address is tried: one that is broken must not keep the others from hearing.
    taken = [_send(address, title, body, post) for address in addresses]
    if not any(taken):
        log.error("safety event not delivered", number=event["id"], kind=row["kind"])
        return False
    _end(study, row, "sent", "told_at" if first else "escalated_at")
    return True


def _remind(study: Study, row: dict[str, Any], post: Post) -> bool:
    if row["state"] == "failed" and study.clock.now() < datetime.fromisoformat(row["ended_at"]) + PAUSE:
        return False
    participant = study.participant(row["participant"])
    visit = study.records.row("SELECT * FROM visit WHERE id = ?", row["visit"]) or {}
    over = visit["state"] not in ("before", "exercise", "after")
    over = over or study.clock.now() >= datetime.fromisoformat(visit["ends_at"])
    if over or participant.status != "active" or row["attempts"] >= ATTEMPTS:
        if row["state"] == "claimed":
            _end(study, row, "failed")  # too late to be of use
        return False
    contact = identity.contact(study, participant.code)
    said = texts(participant.protocol.language, "messages")["reminder"]
    link = (participant.protocol.url or "").rstrip("/") + study.participant_path(participant.code)
    closes = datetime.fromisoformat(visit["closes_at"]).astimezone(participant.zone)
    until = time_of_day(closes, participant.protocol.language)
    words = {"title": participant.protocol.title, "day": visit["day"], "link": link, "until": until}
    title, body = said["title"].format(**words), said["body"].format(**words)
    addresses = [address for address in participant.protocol.reminders.send if _is_for(address, contact)]
    _end(study, row, "sending")
    taken = [_send(_addressed(address, contact), title, body, post) for address in addresses]
    _end(study, row, "sent" if any(taken) else "failed")
    return any(taken)


def _is_for(address: str, contact: dict[str, str]) -> bool:
    return all(name in contact for name in re.findall(r"\{(email|phone)\}", address))


def _addressed(address: str, contact: dict[str, str]) -> str:
    for name in ("email", "phone"):
        address = address.replace("{" + name + "}", quote(contact.get(name, ""), safe="@+"))
    return address


def _send(address: str, title: str, body: str, post: Post) -> bool:
    try:
        return post(_with_secrets(address), title, body)
    except Exception as error:
        # Whatever is wrong with one address, the others must still be tried. The address may hold a password.
        log.error("a message could not be sent", error=type(error).__name__)
        return False


def _with_secrets(address: str) -> str:
    """`address` with each ${NAME} replaced by that environment variable, so that no password stands in study.toml."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise StudyError(f"The environment variable {found[1]}, which an address in study.toml names, is not set.")
        return quote(os.environ[found[1]], safe="")

    return re.sub(r"\$\{(\w+)\}", value, address)


def _end(study: Study, row: dict[str, Any], state: str, told: str | None = None) -> None:
    now = study.clock.now()
    changes: dict[str, Any] = {"state": state}
    if state == "sending":
        changes["attempts"] = row["attempts"] + 1
    else:
        changes["ended_at"] = stamp(now)
    with study.records.write() as write:
        write.update("message", row["id"], changes)
        if told:
            write.update("safety_event", row["safety_event"], {told: stamp(now)})
        write.log(now, "bedside", f"{row['kind']} {state}", row["key"], person=row["participant"])


@contextmanager
def _alone(study: Study) -> Iterator[bool]:
    """Whether no other process sends messages of this study meanwhile. A killed process holds nothing."""
    with (study.folder / "study.sending").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True

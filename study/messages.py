"""Messages: safety events to the people named in the protocol, reminders to participants.

A message is claimed in the record before it is sent, under a key that is UNIQUE, so two processes never send the same
one. What a process that was killed leaves behind is decided by what the message is for. An alarm that may not have gone
out is sent again: twice is better than not at all. A reminder of which nobody can tell whether it went out is not
repeated; it is marked `unsure`. A message holds nothing that anybody said.

An alarm waits for nothing but one other message: it is looked for again after each reminder. Where the disk is full, it
is sent without being claimed, and this process remembers that it did.
"""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import apprise
import structlog

from study import identity, unrecorded
from study.errors import RecordError, StudyError
from study.moments import time_of_day
from study.records import stamp
from study.schedule import moment
from study.study import Participant, Study
from study.texts import texts
from study.visits import Visit

__all__ = [
    "Post",
    "address_mistakes",
    "claim",
    "claim_alarms",
    "claim_reminder",
    "deliver",
    "post_by_apprise",
    "unset_variables",
]

Kind = Literal["reminder", "safety", "escalation"]

Post = Callable[[str, str, str], bool]
"""Sends to one address a title and a body; says whether it was taken."""

ATTEMPTS = 3
PAUSE = timedelta(minutes=10)
"""How often a reminder is tried that was refused, and with what pauses. An alarm is tried until somebody takes it."""

_VARIABLE = re.compile(r"\$\{(\w+)\}")
"""The name of an environment variable in an address: ${NAME}."""

log = structlog.get_logger()


def post_by_apprise(address: str, title: str, body: str) -> bool:
    """Send through Apprise, which knows e-mail, SMS and chat services by their addresses."""
    post = apprise.Apprise()
    return bool(post.add(address)) and bool(post.notify(title=title, body=body))


def address_mistakes(key: str, addresses: list[str]) -> list[str]:
    """One line for each address that Apprise does not understand. It may hold a password, so it is not repeated."""
    mistakes = []
    for number, address in enumerate(addresses, 1):
        filled = _VARIABLE.sub("x", address).replace("{email}", "a@example.org").replace("{phone}", "15551234567")
        if not apprise.Apprise().add(filled):
            mistakes.append(
                f"study.toml: {key}[{number}] is no address that Apprise knows; allowed: mailto://..., and others"
            )
    return mistakes


def unset_variables(key: str, addresses: list[str]) -> list[str]:
    """One phrase for each environment variable that one of the `addresses` under `key` names and that is not set."""
    return [
        f"{key}[{number}] names the environment variable {name}, which is not set"
        for number, address in enumerate(addresses, 1)
        for name in dict.fromkeys(_VARIABLE.findall(address))
        if name not in os.environ
    ]


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
    for key, kind, row in _unclaimed(study):
        claim(study, key, kind, participant=row["participant"], event=row["id"])


def _unclaimed(study: Study) -> list[tuple[str, Kind, dict[str, Any]]]:
    """What is to be told and is no message yet: the key, the kind, and the event's number and participant."""
    rules = study.protocol.safety
    late = stamp(study.clock.now() - timedelta(minutes=rules.acknowledge_minutes))
    found: list[tuple[str, Kind, dict[str, Any]]] = []
    if rules.notify:
        new = study.records.rows(
            "SELECT id, participant FROM safety_event WHERE told_at IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM message WHERE key = 'safety/' || safety_event.id)"
        )
        found += [(f"safety/{row['id']}", "safety", row) for row in new]
    if rules.escalate or rules.notify:
        unheard = study.records.rows(
            "SELECT id, participant FROM safety_event WHERE acknowledged_at IS NULL AND raised_at <= ?"
            " AND NOT EXISTS (SELECT 1 FROM message WHERE key = 'escalation/' || safety_event.id)",
            late,
        )
        found += [(f"escalation/{row['id']}", "escalation", row) for row in unheard]
    return found


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
    """Send the alarms that are due and the reminders that are claimed; return how many of each kind were taken.

    A rehearsal sends nothing.
    """
    sent: dict[Kind, int] = {"reminder": 0, "safety": 0, "escalation": 0}
    if study.rehearsal:
        claim_alarms(study)
        return sent
    with _alone(study) as alone:
        if not alone:
            return sent  # another process is sending
        tried: set[str] = set()
        _send_alarms(study, post, sent, tried)
        # Nobody else sends now, so whoever began these was killed on the way.
        for row in study.records.rows("SELECT * FROM message WHERE state = 'sending'"):
            _end(study, row, "unsure")
        waiting = "SELECT * FROM message WHERE kind = 'reminder' AND state IN ('claimed', 'failed') ORDER BY id"
        for row in study.records.rows(waiting):
            sent["reminder"] += _remind(study, row, post)
            _send_alarms(study, post, sent, tried)
    return sent


def _send_alarms(study: Study, post: Post, sent: dict[Kind, int], tried: set[str]) -> None:
    """Send the alarms that are open now, but for those whose keys are in `tried`; put these there, too."""
    waiting, claimed = unrecorded.settle(study), True
    try:
        claim_alarms(study)
    except RecordError as error:
        claimed = False
        log.error("alarms cannot be claimed and are sent all the same", error=type(error).__name__)
    for row in _open_alarms(study, unclaimed=not claimed):
        if row["key"] not in tried:
            tried.add(row["key"])
            sent[row["kind"]] += _alarm(study, row, post)
    for one in waiting:
        key = f"unrecorded/{one.participant}/{one.category}"
        if not one.told and key not in tried:
            tried.add(key)
            words = {"participant": one.participant, "category": one.category, "raised_at": one.raised_at}
            one.told = _to_all(study.protocol.safety.notify, *_said(study, "safety_unrecorded", words), post)
            sent["safety"] += one.told


def _open_alarms(study: Study, *, unclaimed: bool) -> list[dict[str, Any]]:
    """Alarms that are claimed and not taken yet, oldest first; and `unclaimed` ones, which have no `id`.

    Nobody is told that nobody acknowledged an event which was acknowledged meanwhile.
    """
    claimed = study.records.rows(
        "SELECT message.* FROM message JOIN safety_event ON safety_event.id = message.safety_event"
        " WHERE state IN ('claimed', 'failed') AND (kind = 'safety' OR kind = 'escalation' AND acknowledged_at IS NULL)"
        " ORDER BY message.id"
    )
    if not unclaimed:
        return claimed
    return claimed + [
        {"id": None, "key": key, "kind": kind, "safety_event": row["id"], "participant": row["participant"]}
        for key, kind, row in _unclaimed(study)
    ]


def _alarm(study: Study, row: dict[str, Any], post: Post) -> bool:
    remembered = (study.records.path, row["key"])
    first = row["kind"] == "safety"
    if remembered not in _SENT and not _post_alarm(study, row, post):
        return False
    new = remembered not in _SENT
    _SENT.add(remembered)
    try:
        if row["id"] is not None:
            _end(study, row, "sent", "told_at" if first else "escalated_at")
            _SENT.discard(remembered)
    except RecordError as error:
        log.error("an alarm was sent, and that cannot be recorded", key=row["key"], error=type(error).__name__)
    return new


_SENT: set[tuple[Path, str]] = set()
"""Alarms that were taken though the record could not be told so: by its path and the alarm's key."""


def _post_alarm(study: Study, row: dict[str, Any], post: Post) -> bool:
    """Send one alarm; whether anybody took it."""
    event = study.records.row("SELECT * FROM safety_event WHERE id = ?", row["safety_event"]) or {}
    rules = study.protocol.safety
    first = row["kind"] == "safety"
    addresses = rules.notify if first else rules.escalate or rules.notify
    kind = "asked" if event["source"] == "asked" else "safety"
    minutes = None if first else rules.acknowledge_minutes
    title, body = _said(study, kind if first else f"{kind}_escalation", event, minutes)
    taken = _to_all(addresses, title, body, post)
    if not taken:
        log.error("safety event not delivered", number=event["id"], kind=row["kind"])
    return taken


def _said(study: Study, name: str, words: dict[str, Any], minutes: int | None = None) -> tuple[str, str]:
    """The title and the body of an alarm; `minutes` is the number by which one that has one is declined."""
    said = texts(study.protocol.language, "messages")[name]
    words = {**words, "title": study.protocol.title}
    body = said["body"].format(**words) if minutes is None else said["body"](minutes, **words)
    return said["title"].format(**words), body


def _to_all(addresses: list[str], title: str, body: str, post: Post) -> bool:
    """Whether anybody took it. Every address is tried: one that is broken must not keep the others from hearing."""
    taken = [_send(address, title, body, post) for address in addresses]
    return any(taken)


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
    except StudyError as error:
        log.error("a message could not be sent", error=str(error))  # it names a variable, and holds no secret
        return False
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

    return _VARIABLE.sub(value, address)


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

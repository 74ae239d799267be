"""Devices: robots and other programs that come to the API, each with a name, and the tokens by which they are known.

A device may have several tokens, each for what it needs: a robot one for its visits, a screen beside it one that only
reads. A token is shown once, when it is issued; what is kept is its SHA-256, which is enough for 256 random bits and,
unlike a password's hash, costs nothing at each call. What is done to tokens is in the record's log, never a token.
"""

import hmac
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from study.access.scopes import GRACE, SCOPES, Scope
from study.access.store import AccessWrite, reading, token_sha256, writing
from study.errors import StudyError, UnknownCode, WrongToken
from study.records import stamp
from study.study import Study

__all__ = [
    "ONLINE",
    "Caller",
    "Device",
    "Report",
    "State",
    "Token",
    "all",
    "by_token",
    "is_good",
    "issue",
    "lent",
    "online",
    "report",
    "revoke",
    "rotate",
]

State = Literal["idle", "code", "before", "exercise", "after", "done", "stopped", "missed", "unfinished", "away"]
"""What a device says it is doing: the words of the robot's topic `visit_state`."""

ONLINE = timedelta(seconds=30)
"""A device that was not heard of for so long is not connected. It reports every ten seconds."""

_SEEN_EVERY = timedelta(seconds=10)
"""That a device was seen is written down no more often."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A device at the API, by one of its tokens."""

    device: str
    scopes: frozenset[Scope]
    number: int
    """The token's."""
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is good now, without its secret."""

    number: int
    scopes: tuple[Scope, ...]
    issued_at: datetime
    expires_at: datetime | None
    replaced: bool
    """Whether a rotation has put another in its place, so that it is good for a last few minutes only."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a device said of itself, last."""

    at: datetime
    battery: float | None
    """From 0 to 1."""
    latency_ms: float | None
    """How long a call of the device's took there and back, as the device measured it."""
    state: State | None
    version: str | None


@dataclass(frozen=True, slots=True)
class Device:
    name: str
    made_at: datetime
    tokens: tuple[Token, ...]
    """Those that are good now; none: the device was revoked, or its tokens have expired."""
    seen_at: datetime | None
    """When it last made a call, to ten seconds. From where is not kept."""
    online: bool
    report: Report | None
    visit: int | None
    """The visit that it holds and that is not over."""


def issue(
    study: Study, name: str, *, by: str, scopes: tuple[Scope, ...] = SCOPES, lifetime: timedelta | None = None
) -> str:
    """A new token of the device called `name`, which is made if need be. Tokens it has already stay good.

    Raises `StudyError` for a name or a scope that is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]{1,40}", name):
        raise StudyError("A device's name has letters, digits and - only, at most 40.")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise StudyError(f"Scopes are {', '.join(SCOPES)}.")
    with writing(study) as write:
        now = study.clock.now()
        write.execute("INSERT OR IGNORE INTO device (name, made_at) VALUES (?, ?)", name, stamp(now))
        return _new(study, write, name, _ordered(scopes), now, lifetime, by, "device token issued")


def rotate(
    study: Study, name: str, *, by: str, scopes: tuple[Scope, ...] | None = None, grace: timedelta = GRACE
) -> str:
    """A new token in place of those that the device has for `scopes`, which are good for `grace` more.

    `scopes` need not be said when all its tokens have the same. The new token lives as long as the newest of the old
    was to live. Raises `UnknownCode` when the device has none, `StudyError` when it must be said which.
    """
    with writing(study) as write:
        now = study.clock.now()
        good = [token for token in _good(write, name, now) if not token.replaced]
        if scopes is not None:
            good = [token for token in good if token.scopes == _ordered(scopes)]
        if not good:
            raise UnknownCode(f"{name} has no token that could be rotated; issue one.")
        kinds = {token.scopes for token in good}
        if len(kinds) > 1:
            which = "; ".join(", ".join(kind) for kind in sorted(kinds))
            raise StudyError(f"{name} has tokens with different scopes; say which to rotate: {which}.")
        ends = now + grace
        for token in good:
            until = min(ends, token.expires_at) if token.expires_at else ends
            write.execute(
                "UPDATE device_token SET expires_at = ?, replaced = 1 WHERE id = ?", stamp(until), token.number
            )
        last = good[-1]
        lifetime = last.expires_at - last.issued_at if last.expires_at else None
        return _new(study, write, name, last.scopes, now, lifetime, by, "device token rotated", old_until=stamp(ends))


def revoke(study: Study, name: str, *, by: str) -> None:
    """End all tokens of a device at once; streams that it reads are cut. Raises `UnknownCode`."""
    with writing(study) as write:
        if not write.row("SELECT 1 FROM device WHERE name = ?", name):
            raise UnknownCode(f"There is no device {name}.")
        now = study.clock.now()
        write.execute(
            "UPDATE device_token SET revoked_at = ? WHERE device = ? AND revoked_at IS NULL", stamp(now), name
        )
        _log(study, now, by, "device revoked", name)


@contextmanager
def lent(study: Study, name: str, *, by: str) -> Iterator[str]:
    """A token for a device that this process itself runs; it ends with the context, and others stay good."""
    token = issue(study, name, by=by)
    try:
        yield token
    finally:
        with writing(study) as write:
            now = study.clock.now()
            write.execute(
                "UPDATE device_token SET revoked_at = ? WHERE token_sha256 = ?", stamp(now), token_sha256(token)
            )
            _log(study, now, by, "device token ended", name)


def by_token(study: Study, token: str) -> Caller:
    """Whose token this is. Notes that the device was seen. Raises `WrongToken`."""
    name = token.rpartition(".")[0]
    digest = token_sha256(token)
    now = study.clock.now()
    with reading(study) as read:
        rows = read.rows(
            "SELECT device_token.*, seen_at FROM device_token JOIN device ON device.name = device_token.device"
            " WHERE device = ?",
            name,
        )
    found = None
    for row in rows:
        # All of them, whichever it is, and each in a time that does not tell how much of it is right.
        if hmac.compare_digest(row["token_sha256"], digest) and _is_good(row, now):
            found = row
    if found is None:
        raise WrongToken("The device token is not right, has expired or was revoked; `bedside device` issues another.")
    seen = found["seen_at"]
    if seen is None or abs(now - datetime.fromisoformat(seen)) >= _SEEN_EVERY:
        with writing(study) as write:
            write.execute("UPDATE device SET seen_at = ? WHERE name = ?", stamp(now), name)
    return Caller(name, frozenset(json.loads(found["scopes"])), found["id"], _moment(found["expires_at"]))


def is_good(study: Study, caller: Caller) -> bool:
    """Whether the token by which `caller` came is still good: an open stream asks again and again."""
    with reading(study) as read:
        row = read.row("SELECT * FROM device_token WHERE id = ?", caller.number)
    return row is not None and _is_good(row, study.clock.now())


def report(
    study: Study,
    name: str,
    *,
    battery: float | None = None,
    latency_ms: float | None = None,
    state: State | None = None,
    version: str | None = None,
) -> None:
    """Keep what a device says of itself, in place of what it said before."""
    now = stamp(study.clock.now())
    with writing(study) as write:
        write.execute(
            "UPDATE device SET seen_at = ?, reported_at = ?, battery = ?, latency_ms = ?, state = ?, version = ?"
            " WHERE name = ?",
            now,
            now,
            battery,
            latency_ms,
            state,
            version,
            name,
        )


def all(study: Study) -> list[Device]:
    """Every device, by name."""
    now = study.clock.now()
    held = study.records.rows(
        "SELECT device, max(id) AS visit FROM visit WHERE device IS NOT NULL"
        " AND state IN ('before', 'exercise', 'after') GROUP BY device"
    )
    visits = {row["device"]: row["visit"] for row in held}
    with reading(study) as read:
        return [
            _device(row, tuple(_good(read, row["name"], now)), visits.get(row["name"]), now)
            for row in read.rows("SELECT * FROM device ORDER BY name")
        ]


def online(study: Study) -> frozenset[str]:
    """The names of the devices that are connected now and may hold a visit."""
    return frozenset(
        device.name
        for device in all(study)
        if device.online and any("visits" in token.scopes for token in device.tokens)
    )


def _device(row: dict[str, Any], tokens: tuple[Token, ...], visit: int | None, now: datetime) -> Device:
    seen = _moment(row["seen_at"])
    reported = _moment(row["reported_at"])
    said = (row["battery"], row["latency_ms"], row["state"], row["version"])
    return Device(
        name=row["name"],
        made_at=datetime.fromisoformat(row["made_at"]),
        tokens=tokens,
        seen_at=seen,
        online=bool(tokens) and seen is not None and now - seen < ONLINE,
        report=Report(reported, *said) if reported else None,
        visit=visit,
    )


def _new(
    study: Study,
    write: AccessWrite,
    name: str,
    scopes: tuple[Scope, ...],
    now: datetime,
    lifetime: timedelta | None,
    by: str,
    what: str,
    **detail: object,
) -> str:
    token = f"{name}.{secrets.token_urlsafe(32)}"
    expires = stamp(now + lifetime) if lifetime else None
    write.execute(
        "INSERT INTO device_token (token_sha256, device, scopes, issued_at, expires_at, replaced)"
        " VALUES (?, ?, ?, ?, ?, 0)",
        token_sha256(token),
        name,
        json.dumps(scopes),
        stamp(now),
        expires,
    )
    _log(study, now, by, what, name, scopes=scopes, expires=expires, **detail)
    return token


def _log(study: Study, now: datetime, by: str, what: str, name: str, **detail: object) -> None:
    """Into the record, while the change of `access.sqlite` is not yet committed: nothing happens that is not logged."""
    with study.records.write() as write:
        write.log(now, by, what, f"device {name}", person=None, **detail)


def _good(read: AccessWrite, name: str, now: datetime) -> list[Token]:
    rows = read.rows("SELECT * FROM device_token WHERE device = ? ORDER BY id", name)
    return [
        Token(
            row["id"],
            tuple(json.loads(row["scopes"])),
            datetime.fromisoformat(row["issued_at"]),
            _moment(row["expires_at"]),
            bool(row["replaced"]),
        )
        for row in rows
        if _is_good(row, now)
    ]


def _is_good(row: dict[str, Any], now: datetime) -> bool:
    expires = _moment(row["expires_at"])
    return row["revoked_at"] is None and (expires is None or now < expires)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _ordered(scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
    return tuple(scope for scope in SCOPES if scope in scopes)

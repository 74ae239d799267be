"""Accounts: making them, signing in with a password, and who is signed in."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from study.access.roles import ROLES, Permission, Role, permissions_of
from study.access.store import reading, writing
from study.errors import StudyError, WrongToken
from study.records import stamp
from study.study import Study

__all__ = ["Account", "add", "sign_in", "sign_out", "signed_in"]

IDLE = timedelta(minutes=30)
"""Nobody stays signed in for longer without doing anything."""

_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    roles: frozenset[Role]

    @property
    def permissions(self) -> frozenset[Permission]:
        return permissions_of(self.roles)

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions


def add(study: Study, name: str, roles: set[Role], password: str, *, by: str) -> Account:
    """Make an account. Raises `StudyError` for a name that is taken and for a role that is none."""
    if not roles or not roles <= set(ROLES):
        raise StudyError(f"Roles are {', '.join(ROLES)}.")
    with writing(study) as write:
        if write.row("SELECT 1 FROM account WHERE name = ?", name):
            raise StudyError(f"There is an account {name} already.")
        write.execute(
            "INSERT INTO account (name, password, roles, made_at) VALUES (?, ?, ?, ?)",
            name,
            _hasher.hash(password),
            json.dumps(sorted(roles)),
            stamp(study.clock.now()),
        )
    return Account(name, frozenset(roles))


def sign_in(study: Study, name: str, password: str) -> str:
    """A new token of somebody who gave the right password. Raises `WrongToken`."""
    with reading(study) as read:
        row = read.row("SELECT * FROM account WHERE name = ? AND disabled_at IS NULL", name)
    try:
        _hasher.verify(row["password"] if row else _hasher.hash(""), password)
    except VerifyMismatchError:
        row = None
    if row is None:
        raise WrongToken("The name or the password is not right.")
    token = secrets.token_urlsafe(32)
    now = stamp(study.clock.now())
    with writing(study) as write:
        write.execute("INSERT INTO sign_in VALUES (?, ?, ?, ?)", _sha256(token), name, now, now)
    return token


def signed_in(study: Study, token: str) -> Account | None:
    """Whose token this is, while it is good."""
    now = study.clock.now()
    with writing(study) as write:
        row = write.row(
            "SELECT * FROM sign_in JOIN account ON account.name = sign_in.account"
            " WHERE token_sha256 = ? AND disabled_at IS NULL",
            _sha256(token),
        )
        if row is None or datetime.fromisoformat(row["seen_at"]) < now - IDLE:
            return None
        write.execute("UPDATE sign_in SET seen_at = ? WHERE token_sha256 = ?", stamp(now), _sha256(token))
    return Account(row["name"], frozenset(json.loads(row["roles"])))


def sign_out(study: Study, token: str) -> None:
    with writing(study) as write:
        write.execute("DELETE FROM sign_in WHERE token_sha256 = ?", _sha256(token))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

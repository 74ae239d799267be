"""Accounts: who has one, with which roles, and the one-time links by which they set their password and second factor.

Whoever runs a study is told nobody's password: an account is made without one, and a link that is good once and for
a day lets its holder choose. Every change is an event in the record's log, without anything secret.
"""

import json
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from study.access import passwords, second_factor
from study.access.roles import Permission, Role, allowed_together, permissions_of
from study.access.store import AccessWrite, reading, token_sha256, writing
from study.errors import StudyError, WrongToken
from study.records import stamp
from study.study import Study

__all__ = [
    "Account",
    "Invitation",
    "accept",
    "account_of",
    "add",
    "disable",
    "enable",
    "everybody",
    "find",
    "invitation",
    "invite_first",
    "log",
    "plain",
    "reset",
    "set_roles",
]

INVITED_FOR = timedelta(hours=24)
"""So long a one-time link is good."""


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    roles: frozenset[Role]
    state: str = "active"
    """`active`, `invited` while no password is set, or `disabled`."""
    second_factor: bool = False

    @property
    def permissions(self) -> frozenset[Permission]:
        return permissions_of(self.roles)

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a one-time link is for."""

    name: str | None
    """Whose account; None for the first administrator, who says their name."""
    roles: frozenset[Role]
    secret: str
    """Of the second factor that its holder is offered."""


def everybody(study: Study) -> list[Account]:
    """All accounts, by name."""
    with reading(study) as read:
        return [account_of(row) for row in read.rows("SELECT * FROM account ORDER BY name")]


def find(study: Study, name: str) -> Account:
    """The account called `name`. Raises `StudyError` when there is none."""
    with reading(study) as read:
        return account_of(_row(read, name))


def add(study: Study, name: str, roles: Iterable[str], *, by: str) -> str:
    """Make an account; returns the token of the link by which its holder sets the password.

    Raises `StudyError` for a name that is taken or is none, and for roles that nobody may hold together.
    """
    name, held = _checked(name), allowed_together(frozenset(roles))
    with writing(study) as write:
        token = _add(study, write, name, held)
        log(study, by, "account made", name, roles=sorted(held))
    return token


def invite_first(study: Study) -> str | None:
    """The token of a link that makes the first administrator, in place of earlier ones; None when there is one.

    Others may have accounts by then, and the links by which they set their passwords stay good.
    """
    with writing(study) as write:
        if _has_administrator(write):
            return None
        write.execute("DELETE FROM invitation WHERE account IS NULL")
        return _invite(study, write, None)


def invitation(study: Study, token: str) -> Invitation:
    """What this one-time link is for. Raises `WrongToken` when it is none, was used, or is too old."""
    with reading(study) as read:
        return _invitation(study, read, token)


def accept(
    study: Study, token: str, password: str, code: str | None, *, name: str | None = None
) -> tuple[str, list[str]]:
    """Use a one-time link up: set the password, and the second factor with the code that the app shows for it.

    Returns the account's name and its recovery codes, which nobody can see again. Without a `code` there is no second
    factor and there are no recovery codes. Raises `WrongToken`, and `StudyError` for what is to be put right.
    """
    invited = invitation(study, token)
    name = invited.name or _checked(name or "")
    passwords.check(password, name, study.protocol.title)
    now = study.clock.now()
    step = None
    if code is not None:
        step = second_factor.take_first(invited.secret, code, now)
        if step is None:
            raise StudyError("The app shows another code now: it changes every half minute. Please read it again.")
    kept = passwords.hashed(password)
    with writing(study) as write:
        invited = _invitation(study, write, token)  # another window may have used it up since
        if invited.name is None:
            if _has_administrator(write):
                raise WrongToken("This link was used already, or is too old.")
            _add(study, write, name, invited.roles)
        write.execute("DELETE FROM invitation WHERE account = ?", name)
        if _has_administrator(write):
            write.execute("DELETE FROM invitation WHERE account IS NULL")
        factor = second_factor.sealed(study.key, invited.secret) if step is not None else None
        write.execute(
            "UPDATE account SET password = ?, factor = ?, factor_step = ? WHERE name = ?", kept, factor, step, name
        )
        codes = second_factor.new_recovery_codes(write, name) if step is not None else []
        log(study, name, "account set up", name, roles=sorted(invited.roles), second_factor=step is not None)
    return name, codes


def set_roles(study: Study, name: str, roles: Iterable[str], *, by: str) -> None:
    """Give an account other roles. Raises `StudyError` as `add` does, and when no administrator would be left."""
    held = allowed_together(frozenset(roles))
    with writing(study) as write:
        before = account_of(_row(write, name))
        write.execute("UPDATE account SET roles = ? WHERE name = ?", json.dumps(sorted(held)), before.name)
        _still_an_administrator(write, before)
        log(study, by, "roles changed", before.name, roles=[sorted(before.roles), sorted(held)])


def disable(study: Study, name: str, *, by: str) -> None:
    """Let an account in no more, at once. Raises `StudyError` when no administrator would be left."""
    with writing(study) as write:
        before = account_of(_row(write, name))
        name = before.name
        write.execute("UPDATE account SET disabled_at = ? WHERE name = ?", stamp(study.clock.now()), name)
        _still_an_administrator(write, before)
        for table in ("sign_in", "invitation"):
            write.execute(f"DELETE FROM {table} WHERE account = ?", name)  # noqa: S608
        log(study, by, "account disabled", name)


def enable(study: Study, name: str, *, by: str) -> None:
    """Let a disabled account in again, with the password it had."""
    with writing(study) as write:
        before = account_of(_row(write, name))
        name = before.name
        write.execute("UPDATE account SET disabled_at = NULL WHERE name = ?", name)
        log(study, by, "account enabled", name)


def reset(study: Study, name: str, *, by: str) -> str:
    """Take password, second factor and recovery codes from an account, and end where it is signed in.

    Returns the token of a link by which its holder sets new ones.
    """
    with writing(study) as write:
        name = _row(write, name)["name"]
        write.execute("UPDATE account SET password = NULL, factor = NULL, factor_step = NULL WHERE name = ?", name)
        for table in ("sign_in", "invitation", "recovery_code"):
            write.execute(f"DELETE FROM {table} WHERE account = ?", name)  # noqa: S608
        token = _invite(study, write, name)
        log(study, by, "account reset", name)
    return token


def log(study: Study, by: str, what: str, name: str, **detail: Any) -> None:
    """An event about an account, in the record's log."""
    with study.records.write() as write:
        write.log(study.clock.now(), by, what, name, **detail)


def _add(study: Study, write: AccessWrite, name: str, roles: frozenset[Role]) -> str:
    if write.row("SELECT 1 FROM account WHERE name = ?", name):
        raise StudyError(f"There is an account {name} already.")
    write.execute(
        "INSERT INTO account (name, roles, made_at) VALUES (?, ?, ?)",
        name,
        json.dumps(sorted(roles)),
        stamp(study.clock.now()),
    )
    return _invite(study, write, name)


def _invite(study: Study, write: AccessWrite, name: str | None) -> str:
    token = secrets.token_urlsafe(32)
    expires = stamp(study.clock.now() + INVITED_FOR)
    write.execute("INSERT INTO invitation VALUES (?, ?, ?)", token_sha256(token), name, expires)
    return token


def _invitation(study: Study, read: AccessWrite, token: str) -> Invitation:
    row = read.row("SELECT * FROM invitation WHERE token_sha256 = ?", token_sha256(token))
    if row is None or datetime.fromisoformat(row["expires_at"]) < study.clock.now():
        raise WrongToken("This link was used already, or is too old.")
    roles = account_of(_row(read, row["account"])).roles if row["account"] else frozenset[Role]({"administrator"})
    return Invitation(row["account"], roles, second_factor.secret_of(study.key, token))


def _row(read: AccessWrite, name: str) -> dict[str, Any]:
    row = read.row("SELECT * FROM account WHERE name = ?", plain(name))
    if row is None:
        raise StudyError(f"There is no account {name}; `bedside account list` names them.")
    return row


def account_of(row: dict[str, Any]) -> Account:
    """The account in a row of the table."""
    state = "disabled" if row["disabled_at"] else "active" if row["password"] else "invited"
    return Account(row["name"], frozenset(json.loads(row["roles"])), state, row["factor"] is not None)


def _still_an_administrator(write: AccessWrite, before: Account) -> None:
    """Raises `StudyError` when the account that was as `before` was the last administrator."""
    if "administrator" in before.roles and before.state != "disabled" and not _has_administrator(write):
        raise StudyError("Somebody has to be the administrator; make another one first.")


def _has_administrator(read: AccessWrite) -> bool:
    """Whether somebody is the administrator, or is invited to be."""
    accounts = [account_of(row) for row in read.rows("SELECT * FROM account")]
    return any("administrator" in one.roles and one.state != "disabled" for one in accounts)


def plain(name: str) -> str:
    """A name as it is kept, however it was typed."""
    return unicodedata.normalize("NFC", " ".join(name.split()))


def _checked(name: str) -> str:
    name = plain(name)
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise StudyError("A name has 1 to 100 characters.")
    if name.casefold() == "bedside":
        raise StudyError("The log calls what happens by itself bedside; choose another name.")
    return name

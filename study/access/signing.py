"""Signing in with name, password and second factor; who is signed in; and how often somebody may try.

Nobody learns here whether there is an account of a name: every refusal is the same sentence after the same work, and
names that nobody has are counted and made to wait as well.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from study.access import passwords, second_factor
from study.access.accounts import Account, account_of, log, plain
from study.access.store import AccessWrite, reading, token_sha256, writing
from study.errors import RecordError, RecordFull, StudyError, WrongToken
from study.records import stamp
from study.study import Study

__all__ = [
    "ABSOLUTE",
    "IDLE",
    "Place",
    "TooManyFailures",
    "begin",
    "change_password",
    "places",
    "recovery_codes_left",
    "renew_recovery_codes",
    "sign_in",
    "sign_out",
    "sign_out_everywhere",
    "signed_in",
]

IDLE = timedelta(minutes=30)
"""Nobody stays signed in for longer without doing anything."""

ABSOLUTE = timedelta(hours=12)
"""Nobody stays signed in for longer at all."""

NOTED = timedelta(minutes=1)
"""That somebody is still there is written no more often than this."""

FREE_FAILURES = 5
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN = timedelta(hours=24)
"""After so many failures one after another the next try has to wait, twice as long each time, up to the longest; a day
without a failure forgets them. That is fewer than twenty tries in the first hour and four in each later one."""

_WRONG = "The name, the password or the code is not right."

_log = structlog.get_logger()


class TooManyFailures(StudyError):
    """Somebody has to wait before this name is tried again; `seconds` says how long."""

    def __init__(self, wait: timedelta) -> None:
        self.seconds = int(wait.total_seconds()) + 1
        minutes = -(-self.seconds // 60)
        said = f"{minutes} minutes" if minutes > 1 else f"{self.seconds} seconds"
        super().__init__(f"There were too many failures with this name. Please wait {said}, then try again.")


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere an account is signed in."""

    id: str
    began_at: datetime
    seen_at: datetime
    here: bool


def sign_in(
    study: Study, name: str, password: str, code: str, *, address: str, factor: bool = True, instead_of: str = ""
) -> str:
    """The token of somebody who gave the right password and, where a second `factor` is needed, a right code.

    The sign-in of the token `instead_of`, which the browser still had, ends. Raises `WrongToken` and `TooManyFailures`.
    """
    name = plain(name)
    now = study.clock.now()
    with writing(study) as write:
        _may_try(write, name, now)
        # Counted before it is looked at: two hundred guesses at the same moment are two hundred failures.
        failures = _count_failure(write, name, now)
        row = write.row("SELECT * FROM account WHERE name = ? AND disabled_at IS NULL", name)
    right = passwords.is_right(password, row["password"] if row else None)
    used = None
    with writing(study) as write:
        if right and row and factor:
            used = second_factor.take(write, study.key, row["name"], code, now)
        account = row["name"] if row else None
        if account and right and (used or not factor):
            write.execute("DELETE FROM failure WHERE name_sha256 = ?", _name_hash(name))
            write.execute("DELETE FROM sign_in WHERE token_sha256 = ?", token_sha256(instead_of))
            token = begin(study, account, write=write)
            log(study, account, "signed in", account, address=address, factor=used or "none")
            return token
        log(study, account or "nobody", "sign-in failed", account or "a name that nobody has", address=address)
        wait = _wait_after(failures)
        if wait:
            seconds = int(wait.total_seconds())
            log(study, "bedside", "sign-in locked", account or "a name that nobody has", seconds=seconds)
    raise WrongToken(_WRONG)


def begin(study: Study, name: str, *, write: AccessWrite | None = None) -> str:
    """A new token of the account `name`, whose holder has proved who they are."""
    if write is None:
        with writing(study) as write:
            return begin(study, name, write=write)
    now = study.clock.now()
    token = secrets.token_urlsafe(32)
    write.execute("DELETE FROM sign_in WHERE seen_at < ? OR began_at < ?", stamp(now - IDLE), stamp(now - ABSOLUTE))
    write.execute("INSERT INTO sign_in VALUES (?, ?, ?, ?)", token_sha256(token), name, stamp(now), stamp(now))
    return token


def signed_in(study: Study, token: str, *, active: bool = True) -> Account | None:
    """Whose token this is, while it is good. `active`: a person did something, not a page that renews itself."""
    if not token:
        return None
    now = study.clock.now()
    with reading(study) as read:
        row = read.row(
            "SELECT account.*, sign_in.began_at, sign_in.seen_at FROM sign_in JOIN account"
            " ON account.name = sign_in.account WHERE token_sha256 = ? AND disabled_at IS NULL",
            token_sha256(token),
        )
    if row is None:
        return None
    seen = datetime.fromisoformat(row["seen_at"])
    if seen < now - IDLE or datetime.fromisoformat(row["began_at"]) < now - ABSOLUTE:
        return None
    if active and now - seen >= NOTED:
        try:
            with writing(study) as write:
                write.execute("UPDATE sign_in SET seen_at = ? WHERE token_sha256 = ?", stamp(now), token_sha256(token))
        except (RecordError, RecordFull) as error:
            # On a full disk one must still be able to look at what there is.
            _log.error("it could not be noted that somebody is still signed in", reason=str(error))
    return account_of(row)


def sign_out(study: Study, token: str) -> None:
    with writing(study) as write:
        row = write.row("SELECT account FROM sign_in WHERE token_sha256 = ?", token_sha256(token))
        if row:
            write.execute("DELETE FROM sign_in WHERE token_sha256 = ?", token_sha256(token))
            log(study, row["account"], "signed out", row["account"])


def places(study: Study, name: str, token: str) -> list[Place]:
    """Where an account is signed in now; `token` is the one of who asks."""
    now = study.clock.now()
    with reading(study) as read:
        rows = read.rows("SELECT * FROM sign_in WHERE account = ? ORDER BY began_at DESC", name)
    found = [
        Place(
            row["token_sha256"],
            datetime.fromisoformat(row["began_at"]),
            datetime.fromisoformat(row["seen_at"]),
            row["token_sha256"] == token_sha256(token),
        )
        for row in rows
    ]
    return [one for one in found if one.seen_at >= now - IDLE and one.began_at >= now - ABSOLUTE]


def sign_out_everywhere(study: Study, name: str, *, place: str | None = None) -> None:
    """End where an account is signed in: everywhere, or at one place."""
    with writing(study) as write:
        write.execute("DELETE FROM sign_in WHERE account = ? AND token_sha256 = ifnull(?, token_sha256)", name, place)
        log(study, name, "signed out elsewhere" if place else "signed out everywhere", name)


def change_password(study: Study, name: str, old: str, new: str, *, token: str) -> None:
    """Another password for somebody who knows the one there is; ends every other sign-in.

    Raises `WrongToken`, `TooManyFailures`, and `StudyError` for a password that is not taken.
    """
    _prove(study, name, old)
    passwords.check(new, name, study.protocol.title)
    kept = passwords.hashed(new)
    with writing(study) as write:
        write.execute("UPDATE account SET password = ? WHERE name = ?", kept, name)
        write.execute("DELETE FROM sign_in WHERE account = ? AND token_sha256 <> ?", name, token_sha256(token))
        log(study, name, "password changed", name)


def renew_recovery_codes(study: Study, name: str, password: str) -> list[str]:
    """Ten new recovery codes for somebody who knows their password; the old ones are good no more."""
    _prove(study, name, password)
    with writing(study) as write:
        codes = second_factor.new_recovery_codes(write, name)
        log(study, name, "recovery codes renewed", name)
    return codes


def recovery_codes_left(study: Study, name: str) -> int:
    with reading(study) as read:
        return len(read.rows("SELECT 1 FROM recovery_code WHERE account = ?", name))


def _prove(study: Study, name: str, password: str) -> None:
    """That somebody who is signed in knows their password; failures count as they do at the door."""
    now = study.clock.now()
    with writing(study) as write:
        _may_try(write, name, now)
        _count_failure(write, name, now)
        row = write.row("SELECT password FROM account WHERE name = ?", name)
    if not passwords.is_right(password, row["password"] if row else None):
        log(study, name, "password not right", name)
        raise WrongToken("The password you have now is not right.")
    with writing(study) as write:
        write.execute("DELETE FROM failure WHERE name_sha256 = ?", _name_hash(name))


def _may_try(write: AccessWrite, name: str, now: datetime) -> None:
    row = write.row("SELECT wait_until FROM failure WHERE name_sha256 = ?", _name_hash(name))
    if row and row["wait_until"] and datetime.fromisoformat(row["wait_until"]) > now:
        raise TooManyFailures(datetime.fromisoformat(row["wait_until"]) - now)


def _count_failure(write: AccessWrite, name: str, now: datetime) -> int:
    write.execute("DELETE FROM failure WHERE last_at < ?", stamp(now - FORGOTTEN))
    row = write.row("SELECT count FROM failure WHERE name_sha256 = ?", _name_hash(name))
    count = (row["count"] if row else 0) + 1
    wait = _wait_after(count)
    write.execute(
        "INSERT OR REPLACE INTO failure VALUES (?, ?, ?, ?)",
        _name_hash(name),
        count,
        stamp(now),
        stamp(now + wait) if wait else None,
    )
    return count


def _wait_after(failures: int) -> timedelta | None:
    if failures < FREE_FAILURES:
        return None
    doublings = min(failures - FREE_FAILURES, 20)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def _name_hash(name: str) -> str:
    """What was typed as a name may be a password typed in the wrong place, so it is not kept as it is."""
    return hashlib.sha256(name.casefold().encode()).hexdigest()

"""Who the participants are: names, e-mail addresses and telephone numbers, kept apart from the record.

They are in `identity.enc` in the study's folder, encrypted with a key that is not in that folder, so a copy of the
folder names nobody. The log says who looked at or changed an identity, and when; never what it is.
"""

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from study.errors import IdentityError
from study.study import Study

__all__ = ["FIELDS", "contact", "everyone", "forget", "key_path", "known", "remember"]

FIELDS = ("name", "email", "phone")

VARIABLE = "BEDSIDE_IDENTITY_KEY"
"""The environment variable that holds the key, where it is not in a file."""

_FILE = "identity.enc"


def remember(study: Study, code: str, *, by: str, **fields: str) -> None:
    """Keep what is given of a person's identity, beside what is known already. A rehearsal keeps nothing.

    Raises `IdentityError` when the file or its key can't be used, and for a field that is not in `FIELDS`.
    """
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown:
        raise IdentityError(f"{unknown[0]} is no part of an identity; allowed: {', '.join(FIELDS)}.")
    fields = {name: value.strip() for name, value in fields.items() if value.strip()}
    if study.rehearsal or not fields:
        return
    study.person(code)
    with _locked(study):
        people = _read(study)
        people[code] = {**people.get(code, {}), **fields}
        _write(study, people)
    _log(study, by, "identity kept", code, fields=sorted(fields))


def contact(study: Study, code: str) -> dict[str, str]:
    """What is known of somebody's name, email and phone, for sending a message; empty when nothing is."""
    return known(study).get(code, {})


def known(study: Study) -> dict[str, dict[str, str]]:
    """The identities of all, for the study's own work with many; nobody sees them, so no look is recorded."""
    return {} if study.rehearsal or not (study.folder / _FILE).exists() else _read(study)


def everyone(study: Study, *, by: str, why: str, code: str | None = None) -> dict[str, dict[str, str]]:
    """The identities of all, or of one, for somebody who says why. The look is recorded before anything is shown."""
    if not why.strip():
        raise IdentityError("Say why you look: --why REASON.")
    if code is not None:
        study.person(code)
    _log(study, by, "identity seen", code or "everyone", person=code, why=why)
    people = _read(study) if (study.folder / _FILE).exists() else {}
    return {one: fields for one, fields in people.items() if code in (None, one)}


def forget(study: Study, code: str, *, by: str, why: str) -> bool:
    """Delete somebody's identity; whether there was one."""
    if study.rehearsal or not (study.folder / _FILE).exists():
        return False
    with _locked(study):
        people = _read(study)
        if people.pop(code, None) is None:
            return False
        _write(study, people)
    _log(study, by, "identity deleted", code, why=why)
    return True


def key_path(study: Study) -> Path:
    """Where the key is kept when the environment does not hold it: in the user's own configuration, one a study.

    The name follows from the study's key, so a folder that is moved or restored finds its own again.
    """
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return home / "bedside" / f"{study.key.token('identity', 'name')}.key"


def _cipher(study: Study, make: bool) -> Fernet:
    given = os.environ.get(VARIABLE)
    if given is not None:
        return _fernet(given, f"The environment variable {VARIABLE}")
    path = key_path(study)
    if study.folder.resolve() in path.resolve().parents:
        raise IdentityError(
            f"{path} is inside the study's folder, where the key must not be; set {VARIABLE} or XDG_CONFIG_HOME."
        )
    if make and not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _replace(path, Fernet.generate_key() + b"\n")
        except OSError as error:
            raise IdentityError(f"{path} cannot be written: {error.strerror}; or set {VARIABLE}.") from None
    try:
        return _fernet(path.read_text().strip(), str(path))
    except FileNotFoundError:
        raise IdentityError(
            f"{path}, the key of {study.folder / _FILE}, is not there; put it back, or set {VARIABLE}."
        ) from None
    except (OSError, UnicodeDecodeError):
        raise IdentityError(f"{path} cannot be read as a key; put the right file back, or set {VARIABLE}.") from None


def _fernet(key: str, where: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        raise IdentityError(f"{where} holds no identity key; it is 44 characters of base64.") from None


def _read(study: Study) -> dict[str, dict[str, str]]:
    path = study.folder / _FILE
    if not path.exists():
        return {}
    try:
        people: dict[str, dict[str, str]] = json.loads(_cipher(study, make=False).decrypt(path.read_bytes()))
    except InvalidToken:
        raise IdentityError(f"{path} cannot be opened: it is damaged, or its key is another one.") from None
    except OSError as error:
        raise IdentityError(f"{path} cannot be read: {error.strerror}.") from None
    return people


def _write(study: Study, people: dict[str, dict[str, str]]) -> None:
    plain = json.dumps(people, ensure_ascii=False, sort_keys=True).encode()
    _replace(study.folder / _FILE, _cipher(study, make=True).encrypt(plain))


def _replace(path: Path, content: bytes) -> None:
    """Put `content` in place of the file as a whole, on the disk when this returns, and readable by its owner alone."""
    draft = path.with_name(path.name + ".next")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _locked(study: Study) -> Iterator[None]:
    with (study.folder / "identity.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _log(study: Study, by: str, what: str, subject: str, *, person: str | None = "", **detail: object) -> None:
    with study.records.write() as write:
        about = subject if person == "" else person
        write.log(study.clock.now(), by, what, subject, person=about, **detail)

"""Backup while the study runs, and restoring it.

A backup is one tar file: the protocol, the record as it stood at one moment, the accounts and devices, the study's key,
the encrypted identities, the study's own measures, what its audit found, and a manifest with the hash of each. The key
of the identities is not in it, nor are the audit's logs.
"""

import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from study import auditing
from study.errors import StudyError
from study.hashing import file_sha256
from study.records import Records, stamp
from study.study import Study
from study.verify import Verdict, verify

__all__ = ["Backup", "backup", "restore"]

ACCESS = "access.sqlite"
"""Who may come in (`study.access.store`)."""

_MANIFEST = "manifest.json"
_FORMAT = "bedside backup 1"
_LARGEST_MANIFEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    files: int
    events: int
    head: str
    """The hash of the log's last event at that moment."""


def backup(study: Study, path: Path, progress: Callable[[int, int], None] | None = None) -> Backup:
    """Write a backup of the study into the file `path`, which appears whole or not at all.

    Others may write meanwhile; what was confirmed before this began is in it. Raises `StudyError` when `path` exists or
    cannot be written, or when the record does not verify: a backup of a broken record would hide that it is broken.
    """
    if path.exists():
        raise StudyError(f"{path} is there already; a backup is never overwritten.")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".backup-") as draft:
            copy = Path(draft) / "study.sqlite"
            _copy(study.records.path, copy)
            records = Records(copy, study.records.kind)
            verdict = verify(records, progress)
            records.close()
            if verdict.mistakes:
                raise StudyError(f"{study.folder} does not verify, so no backup was made: {verdict.mistakes[0]}")
            sources = {"study.sqlite": copy, **_others(study.folder, Path(draft))}
            if (access := study.folder / ACCESS).exists():
                sources[ACCESS] = Path(draft) / ACCESS
                _copy(access, sources[ACCESS])
            hashes = {name: file_sha256(source) for name, source in sources.items()}
            said = {
                "format": _FORMAT,
                "made_at": stamp(study.clock.now()),
                "events": verdict.events,
                "head": verdict.head,
                "files": hashes,
            }
            whole = Path(draft) / "whole.tar"
            handle = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                with tarfile.open(fileobj=file, mode="w") as tar:
                    _add(tar, _MANIFEST, json.dumps(said, indent=1).encode())
                    for name, source in sources.items():
                        tar.add(source, name, filter=_plain)
                file.flush()
                os.fsync(file.fileno())
            whole.replace(path)
    except OSError as error:
        raise StudyError(f"{path} cannot be written: {error.strerror}.") from None
    with study.records.write() as write:
        write.log(study.clock.now(), "bedside", "backed up", path.name, head=verdict.head)
    return Backup(len(hashes), verdict.events, verdict.head)


def restore(path: Path, folder: Path, progress: Callable[[int, int], None] | None = None) -> Backup:
    """Put the backup in the file `path` back as the study's folder `folder`, which must not exist yet.

    Every hash is compared and the record verified before the folder appears. Raises `StudyError` for a file that is no
    whole, unaltered backup.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StudyError(f"{folder} holds something already; choose a folder that is new or empty.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".restore-") as draft:
            new = Path(draft) / "study"
            new.mkdir(mode=0o700)
            said = _unpack(path, new)
            verdict = _checked(path, new, said, progress)
            if folder.exists():
                folder.rmdir()
            shutil.move(new, folder)
    except OSError as error:
        raise StudyError(f"{error.filename or path} cannot be used: {error.strerror}.") from None
    return Backup(len(said["files"]), verdict.events, verdict.head)


def _copy(database: Path, copy: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        # All in one step: a copy of one moment, while others go on writing into the write-ahead log.
        source.backup(target)


def _others(folder: Path, draft: Path) -> dict[str, Path]:
    """Copies in `draft` of what is no database: a file that is replaced meanwhile must keep the hash it was given."""
    names = [
        "study.toml",
        "study.key",
        "identity.enc",
        auditing.FILE,
        *(f"measures/{one.name}" for one in folder.glob("measures/*.toml")),
    ]
    found = {name: draft / name for name in names if (folder / name).is_file()}
    for name, copy in found.items():
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(folder / name, copy)
    return found


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = _plain(tarfile.TarInfo(name))
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _unpack(path: Path, new: Path) -> dict[str, Any]:
    no_backup = StudyError(f"{path} is no backup of a study, or it is damaged.")
    try:
        with tarfile.open(path, "r:") as tar:
            first = tar.next()
            if first is None or first.name != _MANIFEST or first.size > _LARGEST_MANIFEST:
                raise no_backup
            source = tar.extractfile(first)
            said = json.loads(source.read() if source else b"")
            if said["format"] != _FORMAT:
                raise StudyError(f"{path} is a backup of a kind that this version of Bedside does not read.")
            while (member := tar.next()) is not None:
                # Only what the manifest names, and nothing that could come to lie outside the folder.
                inside = PurePosixPath(member.name)
                if (
                    not member.isfile()
                    or member.name not in said["files"]
                    or inside.is_absolute()
                    or ".." in inside.parts
                ):
                    raise no_backup
                target = new / member.name
                target.parent.mkdir(exist_ok=True)
                content = tar.extractfile(member)
                with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    shutil.copyfileobj(content, file)  # type: ignore[arg-type] # a file has content
    except FileNotFoundError:
        raise StudyError(f"{path} does not exist.") from None
    except (tarfile.TarError, ValueError, KeyError, TypeError, FileExistsError, EOFError):
        raise no_backup from None
    return said  # type: ignore[no-any-return]


def _checked(path: Path, new: Path, said: dict[str, Any], progress: Callable[[int, int], None] | None) -> Verdict:
    for name, sha256 in said["files"].items():
        if not (new / name).is_file() or file_sha256(new / name) != sha256:
            raise StudyError(f"{path}: {name} is missing or altered; nothing was restored.")
    records = Records(new / "study.sqlite")
    verdict = verify(records, progress)
    records.close()
    if verdict.mistakes or verdict.head != said["head"]:
        reason = verdict.mistakes[0] if verdict.mistakes else "The log does not end as the manifest says."
        raise StudyError(f"{path}: the record does not verify; nothing was restored. {reason}")
    return verdict

"""Exports that are made while the portal serves: one at a time, in a thread, into a private folder beside the record.

A file is there for whoever asked for it, once, and for an hour. That it was made stands in the record's log, with its
hash, before anybody can fetch it. What an export that is under way, or its file, knows of itself is in this process
alone: after a restart it is asked for anew.
"""

import secrets
import shutil
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import structlog

from study.blinding import Role
from study.errors import StudyError
from study.export import Format, export
from study.hashing import file_sha256
from study.study import Study

__all__ = ["KEPT", "Choice", "Exports", "Job"]

log = structlog.get_logger()

KEPT = timedelta(hours=1)
"""How long a file waits to be fetched."""

_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody wants."""

    role: Role | None
    """For whom it is made: `analyst` for whoever may not see arms."""
    formats: tuple[Format, ...]
    deidentified: bool = False
    with_tests: bool = False

    @property
    def name(self) -> str:
        """The name of the folder in the file."""
        return "-".join(["bedside", "blinded" if self.role else "whole", *["deidentified"] * self.deidentified])


@dataclass(slots=True)
class Job:
    """One export, on its way or made."""

    id: str
    account: str
    choice: Choice
    asked_at: datetime
    state: Literal["waiting", "running", "ready", "failed", "fetched", "over"] = "waiting"
    what: str = ""
    """The table that is being written."""
    done: int = 0
    of: int = 0
    """Rows written, and rows in all."""
    size: int = 0
    sha256: str = ""
    """Of the file."""
    mistake: str = ""
    """Why it failed, in words."""
    ready_at: datetime | None = None
    path: Path | None = field(default=None, repr=False)


class Exports:
    """All exports of this portal."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._folder = study.records.path.with_name(study.records.path.name + ".exports")
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._one = threading.Lock()
        """Held by the export that is being made: two at once would slow visits down."""
        self._clear_leftovers()

    def start(self, account: str, choice: Choice) -> Job:
        """Begin an export; asked for again while the same is under way or ready, it is that one."""
        with self._lock:
            self._expire()
            for known in self._jobs.values():
                if (known.account, known.choice) == (account, choice) and known.state in (
                    "waiting",
                    "running",
                    "ready",
                ):
                    return known
            job = Job(secrets.token_urlsafe(16), account, choice, self._study.clock.now())
            self._jobs[job.id] = job
        threading.Thread(target=self._make, args=(job,), daemon=True, name="export").start()
        return job

    def find(self, number: str, account: str) -> Job | None:
        """This job, if it is this account's."""
        with self._lock:
            self._expire()
            job = self._jobs.get(number)
        return job if job is not None and job.account == account else None

    def of(self, account: str) -> list[Job]:
        """The account's jobs, the newest first."""
        with self._lock:
            self._expire()
            return [job for job in reversed(self._jobs.values()) if job.account == account]

    def fetch(self, job: Job) -> Iterator[bytes] | None:
        """The file of a job in pieces; None when it is not there. It is deleted once the last piece was taken."""
        with self._lock:
            self._expire()
            if job.state != "ready" or job.path is None:
                return None
            file = job.path.open("rb")

        def pieces() -> Iterator[bytes]:
            with file:
                while piece := file.read(_CHUNK):
                    yield piece
            with self._lock:
                self._drop(job, "fetched")

        return pieces()

    def _make(self, job: Job) -> None:
        place = self._folder / job.id
        try:
            with self._one:
                job.state = "running"
                self._folder.mkdir(mode=0o700, exist_ok=True)
                place.mkdir(mode=0o700)
                choice = job.choice
                out = place / choice.name

                def progress(what: str, done: int, of: int) -> None:
                    job.what, job.done, job.of = what, done, of

                export(
                    self._study,
                    out,
                    role=choice.role,
                    deidentified=choice.deidentified,
                    with_tests=choice.with_tests,
                    formats=choice.formats,
                    progress=progress,
                )
                job.what = "packing"
                packed = place / f"{choice.name}.zip"
                _pack(out, packed)
                shutil.rmtree(out)
                job.sha256, job.size = file_sha256(packed), packed.stat().st_size
                self._tell(job)
            with self._lock:
                job.path, job.ready_at, job.state = packed, self._study.clock.now(), "ready"
            timer = threading.Timer(KEPT.total_seconds(), self._over, [job])
            timer.daemon = True
            timer.start()
        except Exception as error:
            shutil.rmtree(place, ignore_errors=True)
            expected = isinstance(error, StudyError | OSError)
            job.mistake = str(error) if isinstance(error, StudyError) else "The file could not be written."
            job.state = "failed"
            log.error("an export failed", reason=str(error) if expected else repr(error))
        finally:
            self._study.records.close()

    def _tell(self, job: Job) -> None:
        """Say in the record's log that it was made: who, when, what, and the file's hash."""
        with self._study.records.write() as write:
            write.log(
                self._study.clock.now(),
                job.account,
                "exported",
                job.choice.name,
                formats=list(job.choice.formats),
                tests=job.choice.with_tests,
                bytes=job.size,
                sha256=job.sha256,
            )

    def _over(self, job: Job) -> None:
        with self._lock:
            if job.state == "ready":
                self._drop(job, "over")

    def _expire(self) -> None:
        now = self._study.clock.now()
        for job in list(self._jobs.values()):
            if job.state == "ready" and job.ready_at is not None and now - job.ready_at >= KEPT:
                self._drop(job, "over")
            elif job.state in ("failed", "fetched", "over") and now - job.asked_at >= 24 * KEPT:
                del self._jobs[job.id]

    def _drop(self, job: Job, state: Literal["fetched", "over"]) -> None:
        if job.path is not None:
            shutil.rmtree(job.path.parent, ignore_errors=True)
        job.path, job.state = None, state

    def _clear_leftovers(self) -> None:
        """Delete what a process left that was killed."""
        for left in self._folder.glob("*") if self._folder.exists() else ():
            if time.time() - left.stat().st_mtime > KEPT.total_seconds():
                shutil.rmtree(left, ignore_errors=True)


def _pack(folder: Path, path: Path) -> None:
    """A zip file of `folder`, its files in a fixed order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                packed.write(file, Path(folder.name) / file.relative_to(folder))

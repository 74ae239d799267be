"""The record: one SQLite file, and the one way to write to it.

Every write is a `BEGIN IMMEDIATE` transaction with full synchronisation: when `write()` returns, the change is on
the disk, and a killed process leaves either all of it or nothing. Beside each change stands a row of the event log,
whose hash covers the row before, so that a later alteration shows.
"""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from sqlite_utils import Database

from study.errors import RecordError, RecordFull

__all__ = ["RecordKind", "Records", "stamp"]

RecordKind = Literal["study", "rehearsal"]

_APPLICATION = {"study": 0x42454453, "rehearsal": 0x42454452}
"""SQLite's application id, in the file's header: "BEDS" and "BEDR". A rehearsal can't be opened as a study."""

_SCHEMA_VERSION = 1


def stamp(moment: datetime) -> str:
    """A moment as the record writes it: ISO 8601, UTC, milliseconds."""
    return moment.isoformat(timespec="milliseconds")


class Records:
    """An open record. Safe to use from several threads: each has a connection of its own."""

    def __init__(self, path: Path, kind: RecordKind = "study") -> None:
        """Open the record in `path`, creating it when there is none.

        Raises `RecordError` when the file is no record, or one of the other kind.
        """
        self.path = path
        self.kind: RecordKind = kind
        self._local = threading.local()
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise RecordError(f"{path} cannot be used as a record: {error}.") from error

    @property
    def db(self) -> Database:
        """This thread's connection, for reading. Writing goes through `write`."""
        if not hasattr(self._local, "db"):
            connection = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._local.db = Database(connection)
        return self._local.db  # type: ignore[no-any-return]

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        return list(self.db.query(sql, values))

    def row(self, sql: str, *values: object) -> dict[str, Any] | None:
        """The first row that `sql` gives, or None."""
        return next(iter(self.db.query(sql, values)), None)

    @contextmanager
    def write(self) -> Iterator[Database]:
        """One durable transaction. Raises `RecordFull` when the disk has no room; then nothing was written."""
        db = self.db
        try:
            # IMMEDIATE, because a plain BEGIN that reads first and writes later fails at once in WAL mode when
            # another thread wrote in between, whatever the time-out.
            db.conn.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.conn.in_transaction:
                    db.conn.execute("ROLLBACK")
                raise
            else:
                db.conn.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if db.conn.in_transaction:
                db.conn.execute("ROLLBACK")
            if error.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise RecordFull(
                    f"The disk that holds {self.path.name} is full, so nothing could be saved. Free some space."
                ) from error
            raise

    def log(self, db: Database, at: datetime, actor: str, what: str, subject: str, **detail: object) -> None:
        """Append one row to the event log, inside the transaction of the change it describes.

        `detail` is what changed, without a participant's words.
        """
        last = next(iter(db.query("SELECT hash FROM event ORDER BY id DESC LIMIT 1")), None)
        row = {
            "at": stamp(at),
            "actor": actor,
            "what": what,
            "subject": subject,
            "detail": json.dumps(detail, sort_keys=True, ensure_ascii=False),
            "previous": last["hash"] if last else "",
        }
        db.table("event").insert({**row, "hash": _chain(row)})

    def broken_event(self) -> int | None:
        """The id of the first event whose hash does not fit, or None when the chain is whole."""
        previous = ""
        for row in self.db.query("SELECT * FROM event ORDER BY id"):
            body = {key: row[key] for key in ("at", "actor", "what", "subject", "detail", "previous")}
            if row["previous"] != previous or row["hash"] != _chain(body):
                return int(row["id"])
            previous = row["hash"]
        return None

    def close(self) -> None:
        """Close this thread's connection. Those of other threads close when their threads end."""
        if hasattr(self._local, "db"):
            self._local.db.conn.close()
            del self._local.db

    def _prepare(self) -> None:
        application = self.db.conn.execute("PRAGMA application_id").fetchone()[0]
        version = self.db.conn.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not self.db.table_names():
            # Several processes may come first together; the schema's own transaction lets one of them win.
            with self.write() as db:
                if not db.table_names():
                    for statement in _statements(files("study").joinpath("schema.sql").read_text()):
                        db.conn.execute(statement)
                    db.conn.execute(f"PRAGMA application_id = {_APPLICATION[self.kind]}")
                    db.conn.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
                    db.table("meta").insert({"key": "kind", "value": self.kind})
            application = _APPLICATION[self.kind]
            version = _SCHEMA_VERSION
        if application != _APPLICATION[self.kind]:
            other = next((kind for kind, number in _APPLICATION.items() if number == application), None)
            what = f"the record of a {other}" if other else "no Bedside record"
            raise RecordError(f"{self.path} is {what}, so it cannot be opened as a {self.kind}.")
        if version != _SCHEMA_VERSION:
            raise RecordError(
                f"{self.path} was written by another version of Bedside (schema {version}, this one "
                f"reads {_SCHEMA_VERSION}); use the version that wrote it."
            )


def _chain(row: dict[str, Any]) -> str:
    canonical = json.dumps(row, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _statements(script: str) -> Iterator[str]:
    """The statements of `script` one by one: `executescript` would commit the transaction around it."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

"""The record: one SQLite file, and the one way to write to it.

Every write is a `BEGIN IMMEDIATE` transaction with full synchronisation: when `write()` returns, the change is on
the disk, and a killed process leaves either all of it or nothing. Beside each change stands an event of the log, which
says who did what and why, holds the hash of every row it wrote and the old and new values of what it changed, and is
itself hashed over the event before. `study.verify` reads it back.
"""

import hashlib
import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from study.errors import RecordError, RecordFull, StudyError

if TYPE_CHECKING:
    from sqlite_utils import Database

__all__ = [
    "FREE_TEXT",
    "KEYS",
    "SCHEMA",
    "Answers",
    "RecordKind",
    "Records",
    "Write",
    "chain",
    "primary_code",
    "row_hash",
    "schema_of_a_record",
    "stamp",
    "statements",
]

RecordKind = Literal["study", "rehearsal"]

_APPLICATION = {"study": 0x42454453, "rehearsal": 0x42454452}
"""SQLite's application id, in the file's header: "BEDS" and "BEDR". A rehearsal can't be opened as a study."""

_SCHEMA_VERSION = 4

KEYS = {
    "protocol": "version",
    "person": "code",
    "consent": "id",
    "participant": "code",
    "allocation_list": "rowid",
    "visit": "id",
    "rating": "id",
    "form": "id",
    "answer": "id",
    "correction": "id",
    "turn": "id",
    "first_sound": "id",
    "draft": "id",
    "takeover": "id",
    "safety_event": "id",
    "halt": "id",
    "withdrawal": "participant",
    "unblinding": "id",
    "message": "id",
}
"""Every table but the log itself, with the column that names a row of it in the log."""

FREE_TEXT = {("turn", "text"), ("draft", "text"), ("safety_event", "description"), ("withdrawal", "reason")}
"""Columns in which a person's own words stand: the log has their hash and never the words."""

_SECRET = {
    ("allocation_list", "sealed"),
    ("turn", "provenance"),
    ("protocol", "text"),
    ("halt", "why"),
    ("halt", "lifted_why"),
}
"""Columns that are too long, or too secret, to be repeated in the log; or that it has already."""


def stamp(moment: datetime) -> str:
    """A moment as the record writes it: ISO 8601, UTC, milliseconds."""
    return moment.isoformat(timespec="milliseconds")


def row_hash(salt: str, row: Mapping[str, Any]) -> str:
    """The hash by which the log knows a row. `salt` is the event's, so that a short row can't be guessed from it."""
    # No column is bytes, but in a damaged file a text may read as such.
    canonical = json.dumps(dict(row), sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=bytes.hex)
    return hashlib.sha256(f"{salt}{canonical}".encode()).hexdigest()


def chain(event: Mapping[str, Any]) -> str:
    """The hash of an event: over what it says, the hash of its detail, and the hash of the event before."""
    said = [event[name] for name in ("at", "actor", "what", "subject", "person", "detail_sha256", "previous")]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


class Answers:
    """A connection that answers with rows as dictionaries."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        return _rows(self.connection, sql, values)

    def row(self, sql: str, *values: object) -> dict[str, Any] | None:
        """The first row that `sql` gives, or None."""
        return next(iter(self.rows(sql, *values)), None)

    def value(self, sql: str, *values: object) -> Any:
        """The first column of the first row that `sql` gives, or None."""
        found = self.connection.execute(sql, values).fetchone()
        return found[0] if found else None


class Write(Answers):
    """One transaction. Whatever is written has to be told to the log before the transaction ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._written: dict[str, dict[str, Any] | None] = {}
        self._changes: dict[str, dict[str, list[Any]]] = {}

    def insert(self, table: str, row: Mapping[str, Any]) -> Any:
        """Insert `row` and return its key. Raises `sqlite3.IntegrityError` when a constraint forbids it."""
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        # Tables and columns are named by this package's own code, never by anybody's input.
        cursor = self.connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608
            list(row.values()),
        )
        key = row.get(KEYS[table], cursor.lastrowid)
        # What is not given is empty: no column has a default. So the row need not be read back to be hashed.
        whole: dict[str, Any] = {**dict.fromkeys(_columns()[table]), **row}
        if KEYS[table] in whole:
            whole[KEYS[table]] = key
        self._written[f"{table}/{key}"] = whole
        return key

    def update(self, table: str, key: object, changes: Mapping[str, Any]) -> None:
        """Change columns of one row. The log gets their old and new values, but for words that are somebody's own."""
        before = self._stored(table, key)
        settings = ", ".join(f"{name} = ?" for name in changes)
        self.connection.execute(
            f"UPDATE {table} SET {settings} WHERE {KEYS[table]} = ?",  # noqa: S608
            [*changes.values(), key],
        )
        name = f"{table}/{key}"
        self._written[name] = self._stored(table, key)
        told = self._changes.setdefault(name, {})
        for column, new in changes.items():
            if (table, column) not in FREE_TEXT | _SECRET:
                told[column] = [before[column], new]

    def delete(self, table: str, key: object) -> None:
        self.connection.execute(f"DELETE FROM {table} WHERE {KEYS[table]} = ?", [key])  # noqa: S608
        self._written[f"{table}/{key}"] = None

    def keep(self, table: str, key: object) -> None:
        """Tell the log once more how a row stands that is not changed."""
        self._written[f"{table}/{key}"] = self._stored(table, key)

    def log(
        self, at: datetime, actor: str, what: str, subject: str, *, person: str | None = None, **detail: object
    ) -> None:
        """Append one event: who, when, what, and in `detail` the particulars (such as why), without anybody's words.

        The rows written since the last event belong to this one. `person` is the code of whom it is about.
        """
        if not actor.strip():
            raise StudyError("Say who it is: --by NAME.")
        salt = secrets.token_hex(8)
        detail["salt"] = salt
        if self._written:
            detail["rows"] = {name: row_hash(salt, row) if row else None for name, row in self._written.items()}
        if self._changes:
            detail["changes"] = self._changes
        text = json.dumps(detail, sort_keys=True, ensure_ascii=False)
        row: dict[str, Any] = {
            "at": stamp(at),
            "actor": actor,
            "what": what,
            "subject": subject,
            "person": person,
            "detail": text,
            "detail_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "previous": self.value("SELECT hash FROM event ORDER BY id DESC LIMIT 1") or "",
        }
        row["hash"] = chain(row)
        self.connection.execute(
            f"INSERT INTO event ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608
            list(row.values()),
        )
        self._written, self._changes = {}, {}

    def close(self) -> None:
        """Every change must have been told to the log."""
        if self._written:
            raise AssertionError(f"written and not logged: {sorted(self._written)}")

    def _stored(self, table: str, key: object) -> dict[str, Any]:
        """The row as it stands, which is what `study.verify` will read."""
        row = self.row(f"SELECT * FROM {table} WHERE {KEYS[table]} = ?", key)  # noqa: S608
        if row is None:
            raise AssertionError(f"{table} has no row {key}")
        return row


class Records:
    """An open record. Safe to use from several threads: each has a connection of its own."""

    def __init__(self, path: Path, kind: RecordKind = "study") -> None:
        """Open the record in `path`, creating it when there is none.

        Raises `RecordError` when the file is no record, or one of the other kind.
        """
        self.path = path
        self.kind: RecordKind = kind
        self._local = threading.local()
        self._writing = (
            threading.RLock()
        )  # one that is taken twice fails at its second BEGIN, rather than wait for itself
        _make_private(path)
        try:
            self._prepare()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # a damaged file may give bytes that are no text
            self.close()
            raise RecordError(f"{path} cannot be used as a record: {_reason(path, error)}.") from error

    @property
    def db(self) -> "Database":
        """This thread's connection, for reading. Writing goes through `write`."""
        if not hasattr(self._local, "db"):
            # Here, since it imports pandas wherever that is installed, and most of what imports this opens no record.
            from sqlite_utils import Database

            connection = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            # Each of the portal's threads has a connection; the system keeps the file in memory once for all of them.
            connection.execute("PRAGMA cache_size = -512")  # KiB
            connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
            self._local.db = Database(connection)
        return self._local.db  # type: ignore[no-any-return]

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        return _rows(self.db.conn, sql, values)

    def row(self, sql: str, *values: object) -> dict[str, Any] | None:
        """The first row that `sql` gives, or None."""
        return next(iter(self.rows(sql, *values)), None)

    @contextmanager
    def write(self) -> Iterator[Write]:
        """One durable transaction. Raises `RecordFull` when the disk has no room; then nothing was written."""
        connection = self.db.conn
        # The threads of this process queue here. SQLite's own way to wait for another writer is to sleep, longer each
        # time, and to look again: with many threads some would look at the wrong moment for seconds.
        with self._writing:
            yield from self._transaction(connection)

    def _transaction(self, connection: sqlite3.Connection) -> Iterator[Write]:
        try:
            # IMMEDIATE, because a plain BEGIN that reads first and writes later fails at once in WAL mode when
            # another thread wrote in between, whatever the time-out.
            connection.execute("BEGIN IMMEDIATE")
            try:
                write = Write(connection)
                yield write
                write.close()
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            else:
                connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            code = primary_code(error)
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise RecordFull(
                    f"The disk that holds {self.path.name} is full, so nothing could be saved. Free some space."
                ) from error
            if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY):
                raise RecordError(f"{self.path} cannot be written: {_reason(self.path, error)}.") from error
            raise

    def empty_log_file(self) -> None:
        """Leave nothing in SQLite's write-ahead log, where old pages stand after what was in them is overwritten.

        Raises `RecordError` when somebody reads all the time, so that it can't be emptied.
        """
        until = time.monotonic() + 30
        while self.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > until:
                raise RecordError(f"{self.path.name}-wal is being read and could not be emptied; try again.")
            time.sleep(0.05)

    def close(self) -> None:
        """Close this thread's connection. Those of other threads close when their threads end."""
        if hasattr(self._local, "db"):
            self._local.db.conn.close()
            del self._local.db

    def _prepare(self) -> None:
        connection = self.db.conn
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not self.db.table_names():
            # Several processes may come first together; the schema's own transaction lets one of them win.
            connection.execute("BEGIN IMMEDIATE")
            if not self.db.table_names():
                for statement in statements(files("study").joinpath("schema.sql").read_text()):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION[self.kind]}")
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            connection.execute("COMMIT")
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


def _make_private(path: Path) -> None:
    """Make an empty file `path`, its owner's alone, unless there is one. SQLite gives -wal and -shm the same mode."""
    with suppress(OSError):  # whatever keeps it from being made, SQLite finds and `Records` says
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _rows(connection: sqlite3.Connection, sql: str, values: Sequence[object]) -> list[dict[str, Any]]:
    """The rows that `sql` gives. sqlite-utils' own `query` puts a savepoint around each, two statements more."""
    cursor = connection.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def primary_code(error: Exception) -> int:
    """SQLite's number of an error, without the particulars of an extended one; 0 for another kind of error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _reason(path: Path, error: Exception) -> str:
    """What keeps a record from being used, in words for whoever has to put it right."""
    code = primary_code(error)
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return "its folder does not exist"
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return f"the file or its folder {path.parent} may not be written to"
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return "the disk is full or fails"
    if code == sqlite3.SQLITE_BUSY:
        return "another process has been writing to it for half a minute; try again"
    return str(error)


SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
"""Asks a database for its tables, indexes and triggers, with their words."""


@cache
def schema_of_a_record() -> list[tuple[str, str, str, str | None]]:
    """The tables, indexes and triggers that every record has, as `SCHEMA` asks for them."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements(files("study").joinpath("schema.sql").read_text()):
            connection.execute(statement)
        return connection.execute(SCHEMA).fetchall()


@cache
def _columns() -> dict[str, list[str]]:
    """The columns of every table, from the schema."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(files("study").joinpath("schema.sql").read_text())
        return {table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in KEYS}


def statements(script: str) -> Iterator[str]:
    """The statements of `script` one by one: `executescript` would commit the transaction around it."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

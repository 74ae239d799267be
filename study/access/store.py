"""`access.sqlite`: one small SQLite file beside the record.

Each thread keeps its connection while the study is open: to open SQLite anew for every question, and to clear its
write-ahead log away each time, costs more than a page. Whoever writes here and into the record begins here.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from weakref import WeakKeyDictionary

from study.errors import RecordError, RecordFull
from study.records import Answers, primary_code, statements
from study.study import Study

__all__ = ["AccessWrite", "path_of", "reading", "token_sha256", "writing"]

_VERSION = 1

_connections: WeakKeyDictionary[Study, threading.local] = WeakKeyDictionary()


class AccessWrite(Answers):
    """A connection by which rows are read and changed."""

    def execute(self, sql: str, *values: object) -> int:
        """Change rows; returns how many."""
        return self.connection.execute(sql, values).rowcount


@contextmanager
def reading(study: Study) -> Iterator[AccessWrite]:
    """Read who may come in. Raises `RecordError` when the file cannot be used."""
    with _said(study):
        yield AccessWrite(_connection(study))


@contextmanager
def writing(study: Study) -> Iterator[AccessWrite]:
    """One durable transaction. Raises `RecordFull` or `RecordError`; then nothing was written."""
    with _said(study):
        connection = _connection(study)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield AccessWrite(connection)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def token_sha256(token: str) -> str:
    """A token as it is kept. It has 256 bits of chance, so no salt and no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def path_of(study: Study) -> Path:
    """Beside the record; a rehearsal has one of its own."""
    return study.records.path.with_name("access.sqlite" if not study.rehearsal else f"{study.records.path.name}.access")


def _connection(study: Study) -> sqlite3.Connection:
    """This thread's connection."""
    local = _connections.setdefault(study, threading.local())
    if not hasattr(local, "connection"):
        local.connection = _open(path_of(study))
    return local.connection  # type: ignore[no-any-return]


@contextmanager
def _said(study: Study) -> Iterator[None]:
    """What the disk refuses, in words for whoever has to put it right."""
    path = path_of(study)
    try:
        yield
    except sqlite3.OperationalError as error:
        code = primary_code(error)
        local = _connections.get(study)
        if local is not None and hasattr(local, "connection") and local.connection.in_transaction:
            local.connection.execute("ROLLBACK")
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise RecordFull(f"The disk that holds {path.name} is full, so nothing could be saved.") from error
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY):
            raise RecordError(f"{path} cannot be written: {error}.") from error
        raise
    except sqlite3.DatabaseError as error:
        if primary_code(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        raise RecordError(f"{path} is damaged; restore it from a backup.") from error


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}.") from None
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    if not connection.execute("PRAGMA user_version").fetchone()[0]:
        _make(connection)
    if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        raise RecordError(f"{path} was written by another version of Bedside; use the version that wrote it.")
    return connection


def _make(connection: sqlite3.Connection) -> None:
    """The tables, unless another thread or process was faster."""
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        for statement in statements(files("study").joinpath("access", "schema.sql").read_text()):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")

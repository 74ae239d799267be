"""`access.sqlite`: one small SQLite file beside the record, opened anew for each use."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from study.study import Study

__all__ = ["AccessWrite", "reading", "writing"]


class AccessWrite:
    """A connection that answers with rows as dictionaries."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        cursor = self.connection.execute(sql, values)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def row(self, sql: str, *values: object) -> dict[str, Any] | None:
        return next(iter(self.rows(sql, *values)), None)

    def execute(self, sql: str, *values: object) -> int:
        """Change rows; returns how many."""
        return self.connection.execute(sql, values).rowcount


@contextmanager
def reading(study: Study) -> Iterator[AccessWrite]:
    """Read who may come in."""
    with closing(_open(study)) as connection:
        yield AccessWrite(connection)


@contextmanager
def writing(study: Study) -> Iterator[AccessWrite]:
    """One durable transaction."""
    with closing(_open(study)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield AccessWrite(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def path_of(study: Study) -> Path:
    """Beside the record; a rehearsal has one of its own."""
    return study.records.path.with_name("access.sqlite" if not study.rehearsal else f"{study.records.path.name}.access")


def _open(study: Study) -> sqlite3.Connection:
    path = path_of(study)
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        connection.executescript(
            "BEGIN IMMEDIATE;" + files("study").joinpath("access", "schema.sql").read_text() + "COMMIT;"
        )
    return connection

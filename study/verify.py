"""Reading the record back: whether every row is what the log says, and the log a whole chain."""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from study.records import KEYS, SCHEMA, Records, chain, row_hash, schema_of_a_record

__all__ = ["Verdict", "verify"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was read, and what is wrong with it: one line each, nothing when all is well."""

    events: int
    rows: int
    head: str
    """The hash of the last event. Kept elsewhere, it shows later whether the log was cut short or written anew."""
    mistakes: list[str]


def verify(records: Records, progress: Callable[[int, int], None] | None = None, limit: int = 20) -> Verdict:
    """Check the whole record. `progress` is told of rows done and rows in all; at most `limit` mistakes are named.

    Found are: any change of a row's value, rows added or taken away, any change of the log, damage to the file.
    """
    reader = _Reader(records, progress or (lambda done, of: None), limit)
    try:
        return reader.read()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        return Verdict(0, 0, "", [f"{records.path.name} is damaged: {error}."])


class _Reader:
    def __init__(self, records: Records, progress: Callable[[int, int], None], limit: int) -> None:
        self._path = records.path
        self._progress = progress
        self._limit = limit
        self.mistakes: list[str] = []

    def read(self) -> Verdict:
        # A connection of its own, because the index of what the log says goes into a temporary table, which for two
        # million rows is better on the disk than in memory.
        connection = sqlite3.connect(
            f"{self._path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=30
        )
        try:
            connection.execute("PRAGMA temp_store = FILE")
            connection.execute("BEGIN")
            for (line,) in connection.execute("PRAGMA integrity_check(5)"):
                if line != "ok":
                    self._wrong(f"the file is damaged: {line}")
            if not self._has_its_schema(connection):
                return Verdict(0, 0, "", self.mistakes[: self._limit])
            self._total = sum(
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - ours
                for table in ("event", *KEYS)
            )
            self._done = 0
            events, head = self._read_log(connection)
            rows = self._read_rows(connection)
            return Verdict(events, rows, head, self.mistakes[: self._limit])
        finally:
            connection.close()

    def _has_its_schema(self, connection: sqlite3.Connection) -> bool:
        """Compare tables, indexes and triggers with those of every record; whether the tables can be read as such."""
        expected = {(kind, name): rest for kind, name, *rest in schema_of_a_record()}
        found = {(kind, name): rest for kind, name, *rest in connection.execute(SCHEMA)}
        differing = [one for one in sorted({*expected, *found}) if found.get(one) != expected.get(one)]
        for kind, name in differing:
            how = "is missing" if (kind, name) not in found else "was altered or added"
            self._wrong(f"the {kind} {name} {how}")
        return all(kind != "table" for kind, _ in differing)

    def _read_log(self, connection: sqlite3.Connection) -> tuple[int, str]:
        connection.execute("CREATE TEMP TABLE said (name TEXT PRIMARY KEY, salt TEXT, hash TEXT) WITHOUT ROWID")
        connection.execute("CREATE TEMP TABLE erased (person TEXT PRIMARY KEY)")
        connection.execute("INSERT INTO erased SELECT participant FROM withdrawal WHERE erased_at IS NOT NULL")
        erased = {person for (person,) in connection.execute("SELECT person FROM erased")}
        previous, count, last = "", 0, 0
        names = [column[1] for column in connection.execute("PRAGMA table_info(event)")]
        for values in connection.execute("SELECT * FROM event ORDER BY id"):
            event = dict(zip(names, values, strict=True))
            count += 1
            if event["id"] != last + 1:
                self._wrong(f"event {last + 1} is missing")
            last = event["id"]
            if event["previous"] != previous or event["hash"] != chain(event):
                self._wrong(f"event {event['id']} does not fit the one before it")
            previous = event["hash"]
            self._index(connection, event, erased)
            self._step()
        return count, previous

    def _index(self, connection: sqlite3.Connection, event: dict[str, Any], erased: set[str]) -> None:
        if event["detail"] is None:
            if event["person"] not in erased:
                self._wrong(f"the detail of event {event['id']} is gone, and nobody's data were erased")
            return
        if hashlib.sha256(str(event["detail"]).encode()).hexdigest() != event["detail_sha256"]:
            self._wrong(f"the detail of event {event['id']} was altered")
            return
        detail = json.loads(event["detail"])
        said = [(name, detail["salt"], value) for name, value in detail.get("rows", {}).items()]
        connection.executemany("INSERT OR REPLACE INTO said VALUES (?, ?, ?)", said)

    def _read_rows(self, connection: sqlite3.Connection) -> int:
        count = 0
        for table, key in KEYS.items():
            cursor = connection.execute(f"SELECT {key} AS row_key, * FROM {table}")  # noqa: S608 - ours
            names = [column[0] for column in cursor.description][1:]
            for row_key, *values in cursor:
                count += 1
                name = f"{table}/{row_key}"
                said = connection.execute("SELECT salt, hash FROM said WHERE name = ?", [name]).fetchone()
                if said is None or said[1] is None:
                    self._wrong(f"{table} {row_key} is in no event of the log")
                elif row_hash(said[0], dict(zip(names, values, strict=True))) != said[1]:
                    self._wrong(f"{table} {row_key} was altered")
                self._step()
        kept = connection.execute("SELECT count(*) FROM said WHERE hash IS NOT NULL").fetchone()[0]
        if kept > count:
            self._wrong(f"{kept - count} rows of which the log tells are missing")
        return count

    def _step(self) -> None:
        self._done += 1
        if self._done % 10_000 == 0 or self._done == self._total:
            self._progress(self._done, self._total)

    def _wrong(self, line: str) -> None:
        if len(self.mistakes) < self._limit:
            self.mistakes.append(line[0].upper() + line[1:] + ".")

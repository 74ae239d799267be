"""Reading the record for an export: one connection, one transaction, one view of who is in it under which name."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from study import blinding
from study.export.dictionary import Table
from study.export.variants import Variant, expression
from study.protocol import Protocol, parse
from study.study import Study

__all__ = ["Reading", "reading"]

_FROM = {
    "protocol": "protocol t",
    "person": "person t JOIN people p ON p.code = t.code",
    "consent": "consent t JOIN people p ON p.code = t.person",
    "participant": "participant t JOIN people p ON p.code = t.code",
    "visit": "visit t JOIN visits v ON v.id = t.id JOIN people p ON p.code = t.participant",
    "rating": "rating_now t JOIN visits v ON v.id = t.visit JOIN people p ON p.code = v.person",
    "form": "form t JOIN forms f ON f.id = t.id JOIN people p ON p.code = t.person"
    " LEFT JOIN visits v ON v.id = t.visit",
    "answer": "answer_now t JOIN forms f ON f.id = t.form JOIN people p ON p.code = f.person",
    "correction": "correction t JOIN people p ON p.code = t.person"
    " LEFT JOIN visits v ON v.id = t.visit LEFT JOIN forms f ON f.id = t.form",
    "turn": "turn_timed t JOIN visits v ON v.id = t.visit JOIN people p ON p.code = v.person",
    "first_sound": "first_sound t JOIN visits v ON v.id = t.visit JOIN people p ON p.code = v.person",
    "draft": "draft t JOIN visits v ON v.id = t.visit JOIN people p ON p.code = v.person",
    "takeover": "takeover t JOIN visits v ON v.id = t.visit JOIN people p ON p.code = v.person",
    "safety_event": "safety_event t JOIN people p ON p.code = t.participant LEFT JOIN visits v ON v.id = t.visit",
    "halt": "halt t LEFT JOIN people p ON t.scope = 'participant' AND p.code = t.target"
    " WHERE t.scope != 'participant' OR p.code IS NOT NULL",
    "withdrawal": "withdrawal t JOIN people p ON p.code = t.participant",
    "unblinding": "unblinding t LEFT JOIN people p ON p.code = t.participant"
    " WHERE t.participant IS NULL OR p.code IS NOT NULL",
    "message": "message t LEFT JOIN people p ON p.code = t.participant LEFT JOIN visits v ON v.id = t.visit"
    " WHERE t.participant IS NULL OR p.code IS NOT NULL",
    "event": "event t LEFT JOIN people p ON p.code = t.person WHERE t.person IS NULL OR p.code IS NOT NULL",
}
"""How each table is read: joined with its person, visit and form, which also leaves out who is not in the export."""

_ORDER = {
    "visit": "v.new",
    "rating": "v.new, t.id",
    "form": "f.new",
    "answer": "f.new, t.id",
    "turn": "v.new, t.number",
    "first_sound": "v.new, t.reply_to",
}
"""The order in a de-identified export. In the record's own order the rows would tell who came when."""

_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class Reading:
    """The record as one export sees it, for as long as it takes."""

    connection: sqlite3.Connection
    variant: Variant
    protocols: tuple[Protocol, ...]
    """Every version, the newest last."""
    arms: dict[str, str]
    """What each arm is called in this export."""

    def select(self, table: Table, person: str = "") -> sqlite3.Cursor:
        """The rows of `table`, its columns in their order; with a `person`'s own code, those about this person."""
        columns = ", ".join(expression(self.variant, column) for column in table.columns)
        source = _FROM[table.name]
        if person:
            source += f" {'AND' if 'WHERE' in source else 'WHERE'} p.code = ?"
        order = "t.id" if table.name in ("rating", "answer", "turn") else "t.rowid"  # a view has no rowid
        if self.variant.deidentified:
            order = _ORDER.get(table.name, "p.place, t.rowid" if " p " in source else order)
        # Tables and columns come from dictionary.toml and from above, which are ours.
        return self.connection.execute(
            f"SELECT {columns} FROM {source} ORDER BY {order}",  # noqa: S608
            [person] if person else [],
        )

    def count(self, table: str) -> int:
        """How many rows `table` has before anybody is left out, for showing progress."""
        return int(self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - ours


@contextmanager
def reading(study: Study, variant: Variant) -> Iterator[Reading]:
    """Everything is read in one transaction, so it fits together even while participants are writing."""
    connection = sqlite3.connect(
        f"{study.records.path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=30
    )
    try:
        connection.execute("PRAGMA temp_store = FILE")  # sorting two million rows is better done on the disk
        connection.execute("PRAGMA cache_size = -65536")  # 64 MiB: turns are read once in order, once visit by visit
        connection.execute("BEGIN")
        rows = connection.execute("SELECT text FROM protocol ORDER BY version").fetchall()
        protocols = tuple(parse(text) for (text,) in rows) or (study.protocol,)
        names = dict.fromkeys(arm.name for protocol in protocols for arm in protocol.arms)
        masked = blinding.labels(study, variant.role) if variant.blinded and variant.role else {}
        arms = {name: masked[name] if variant.blinded else name for name in names}
        _prepare(connection, variant, arms)
        yield Reading(connection, variant, protocols, arms)
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection, variant: Variant, arms: dict[str, str]) -> None:
    """Temporary tables of who is in the export, and of the names and numbers under which they are."""
    kinds = "" if variant.with_tests else " WHERE kind = 'participant'"
    people = connection.execute(f"SELECT code, came_at FROM person{kinds} ORDER BY rowid").fetchall()  # noqa: S608
    new = _new_codes(len(people)) if variant.deidentified else [code for code, _ in people]
    place = {code: number for number, code in enumerate(sorted(new) if variant.deidentified else new)}
    connection.execute("CREATE TEMP TABLE arms (arm TEXT PRIMARY KEY, shown TEXT)")
    connection.executemany("INSERT INTO arms VALUES (?, ?)", arms.items())
    connection.execute(
        "CREATE TEMP TABLE people"
        " (code TEXT PRIMARY KEY, new TEXT, came_at TEXT, place INTEGER, arm TEXT) WITHOUT ROWID"
    )
    connection.executemany(
        "INSERT INTO people VALUES (?1, ?2, ?3, ?4,"
        " (SELECT shown FROM participant JOIN arms ON arms.arm = participant.arm WHERE participant.code = ?1))",
        [(code, other, came, place[other]) for (code, came), other in zip(people, new, strict=True)],
    )
    numbered = "row_number() OVER (ORDER BY p.place, t.day)" if variant.deidentified else "t.id"
    connection.execute("CREATE TEMP TABLE visits (id INTEGER PRIMARY KEY, new INTEGER, person TEXT)")
    connection.execute(
        f"INSERT INTO visits SELECT t.id, {numbered}, t.participant"  # noqa: S608 - ours
        " FROM visit t JOIN people p ON p.code = t.participant"
    )
    numbered = "row_number() OVER (ORDER BY p.place, t.id)" if variant.deidentified else "t.id"
    connection.execute("CREATE TEMP TABLE forms (id INTEGER PRIMARY KEY, new INTEGER, person TEXT)")
    connection.execute(
        f"INSERT INTO forms SELECT t.id, {numbered}, t.person FROM form t JOIN people p ON p.code = t.person"  # noqa: S608
    )


def _new_codes(count: int) -> list[str]:
    """As many new codes, all different. Which belongs to whom is kept nowhere."""
    found: set[str] = set()
    while len(found) < count:
        found.add("".join(secrets.choice(_LETTERS) for _ in range(8)))
    codes = list(found)
    secrets.SystemRandom().shuffle(codes)
    return codes

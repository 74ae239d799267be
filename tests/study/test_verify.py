"""`bedside verify`: one changed byte of anything recorded is found."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from study import halting, safety, visits
from study.errors import RecordError, StudyError
from study.records import KEYS, SCHEMA, Records
from study.study import Study
from study.turns import TurnKeeper
from study.verify import verify
from study.withdrawal import withdraw
from tests.study.test_withdrawal import a_visit
from tests.trial import join


@pytest.fixture
def record(whole: Study, tmp_path: Path) -> Path:
    """A record with rows in nearly every table, closed, as a file of its own."""
    for number in range(3):
        person = join(whole, ucla3=number % 2)
        a_visit(whole, person)
    safety.report(whole, person.code, by="Dr Okafor", description="fell from the ladder")
    number = halting.halt(whole, "arm", "chat", by="Dr Okafor", why="to be looked at")
    halting.lift(whole, number, by="Dr Okafor", why="looked at")
    withdraw(whole, person.code, by="researcher", reason="moved away")
    assert verify(whole.records).mistakes == []
    whole.records.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = tmp_path / "kept.sqlite"
    shutil.copy(whole.records.path, path)
    return path


def tampered(record: Path, *statements: str) -> list[str]:
    """What `verify` says after somebody with all rights on the file did this."""
    copy = record.with_name("tampered.sqlite")
    for left in record.parent.glob("tampered.sqlite*"):
        left.unlink()
    shutil.copy(record, copy)
    with closing(sqlite3.connect(copy)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()
    return mistakes_in(copy)


def mistakes_in(path: Path) -> list[str]:
    records = Records(path)
    try:
        return verify(records).mistakes
    finally:
        records.close()


def test_an_untouched_record_is_clean(record: Path) -> None:
    assert tampered(record) == []


def test_one_changed_character_of_any_value_in_any_row_is_found(record: Path) -> None:
    connection = sqlite3.connect(record)
    tried = set()
    for table in (*KEYS, "event"):
        names = [column[1] for column in connection.execute(f"PRAGMA table_info({table})")]
        for rowid, *values in connection.execute(f"SELECT rowid, * FROM {table} LIMIT 4").fetchall():
            for name, value in zip(names, values, strict=True):
                if value is None:
                    change = f"UPDATE {table} SET {name} = 'x' WHERE rowid = {rowid}"
                elif isinstance(value, int):
                    change = f"UPDATE {table} SET {name} = {name} + 1000 WHERE rowid = {rowid}"
                else:
                    middle = len(value) // 2 + 1
                    changed = f"substr({name}, 1, {middle - 1}) || char((unicode(substr({name}, {middle}, 1)) | 1) + 2)"
                    change = (
                        f"UPDATE {table} SET {name} = {changed} || substr({name}, {middle + 1}) WHERE rowid = {rowid}"
                    )
                try:
                    assert tampered(record, change), change
                except sqlite3.IntegrityError:
                    continue  # the database itself refuses this value
                tried.add((table, name))
    written = {table for table in KEYS if connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]}
    assert {table for table, _ in tried} == written | {"event"}
    assert len(tried) > 100


@pytest.mark.parametrize("table", ["turn", "rating", "answer", "visit", "participant", "consent"])
def test_a_row_taken_away_added_or_exchanged_is_found(record: Path, table: str) -> None:
    key = KEYS[table]
    first = f"(SELECT {key} FROM {table} ORDER BY rowid LIMIT 1)"
    off = "PRAGMA foreign_keys = OFF"
    assert any("missing" in line for line in tampered(record, off, f"DELETE FROM {table} WHERE {key} = {first}"))
    connection = sqlite3.connect(record)
    names = [column[1] for column in connection.execute(f"PRAGMA table_info({table})") if column[1] != key]
    other = {name: name for name in names}
    for name in ("token", "reply_to", "number", "item", "occasion", "day", "code", "position", "version"):
        if name in other:
            other[name] = f"{name} || '9'"
    new_key = "'ZZZZZZ'" if table == "participant" else "99999"
    added = f"INSERT INTO {table} ({key}, {', '.join(names)}) SELECT {new_key}, {', '.join(other.values())} FROM {table} LIMIT 1"
    found = tampered(record, off, "PRAGMA ignore_check_constraints = ON", added)
    assert any("in no event" in line for line in found), found


def test_a_log_that_is_renumbered_cut_or_emptied_is_found(record: Path) -> None:
    assert tampered(record, "DELETE FROM event WHERE id = 5")
    assert tampered(record, "DELETE FROM event WHERE id > 20")
    assert tampered(record, "DELETE FROM event")
    assert tampered(record, "UPDATE event SET id = id + 1 WHERE id = (SELECT max(id) FROM event)")
    assert tampered(record, "UPDATE event SET detail = NULL WHERE id = 7")


def test_a_log_written_anew_is_known_by_the_hash_that_was_kept(whole: Study) -> None:
    join(whole)
    kept = verify(whole.records).head
    join(whole)
    assert whole.records.row("SELECT 1 FROM event WHERE hash = ?", kept) is not None
    assert verify(whole.records).head != kept


def test_whatever_byte_of_the_file_is_flipped_nothing_recorded_changes_unnoticed(record: Path) -> None:
    """Also where SQLite keeps its own books: then either nothing that is recorded is other, or it is said."""
    dice = random.Random(20260301)
    whole = record.read_bytes()
    before = said(record)
    flipped = record.with_name("flipped.sqlite")
    noticed = 0
    for _ in range(400):
        changed = bytearray(whole)
        place = dice.randrange(100, len(whole))
        changed[place] ^= 1 << dice.randrange(8)
        flipped.write_bytes(bytes(changed))
        try:
            clean = mistakes_in(flipped) == []
        except RecordError:
            clean = False
        if clean:
            assert said(flipped) == before, place
        else:
            noticed += 1
        for left in (flipped, *record.parent.glob("flipped.sqlite-*")):
            left.unlink(missing_ok=True)
    assert noticed > 30


def said(path: Path) -> list[object]:
    """Everything that is recorded, and the tables, indexes and triggers themselves."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(SCHEMA).fetchall() + [
            connection.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall() for table in (*KEYS, "event")
        ]
    finally:
        connection.close()


def test_a_transaction_that_tells_the_log_nothing_is_not_kept(whole: Study) -> None:
    person = join(whole)
    with pytest.raises(AssertionError, match="written and not logged"), whole.records.write() as write:
        write.update("participant", person.code, {"arm": "x"})
    assert whole.participant(person.code).arm == person.arm


def test_the_log_says_who_when_what_old_new_and_why(whole: Study) -> None:
    person = join(whole)
    number = safety.report(whole, person.code, by="nurse", description="a fall", severity="mild")
    safety.assess(whole, number, by="Dr Okafor", why="the fracture showed later", severity="severe")
    event = whole.records.row("SELECT * FROM event ORDER BY id DESC")
    assert event is not None
    assert (event["actor"], event["what"], event["subject"]) == (
        "Dr Okafor",
        "safety event assessed",
        f"event {number}",
    )
    assert event["at"] == "2026-03-02T09:00:00.000+00:00"
    assert '"severity": ["mild", "severe"]' in event["detail"]
    assert "the fracture showed later" in event["detail"]


def test_words_stand_in_no_event(whole: Study) -> None:
    visit = a_visit(whole, join(whole))
    visits.save_draft(whole, visit, "thoughts", "another half of a thought")
    log = "".join(str(row) for row in whole.records.rows("SELECT * FROM event"))
    for turn in TurnKeeper(whole, visit).turns():
        assert turn.text not in log
    assert "half" not in log


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP TRIGGER event_is_never_changed", "The trigger event_is_never_changed is missing."),
        ("DROP INDEX form_once", "The index form_once is missing."),
        ("CREATE TABLE notes (text TEXT)", "The table notes was altered or added."),
        (
            "CREATE TRIGGER sly AFTER INSERT ON rating BEGIN SELECT 1; END",
            "The trigger sly was altered or added.",
        ),
        ("ALTER TABLE draft RENAME COLUMN text TO words", "The table draft was altered or added."),
    ],
)
def test_a_table_an_index_or_a_trigger_that_is_other_than_in_every_record_is_found(
    whole: Study, change: str, said: str
) -> None:
    join(whole)
    whole.records.db.conn.execute(change)
    assert said in verify(whole.records).mistakes


def test_nobody_without_a_name_does_anything(whole: Study) -> None:
    person = join(whole)
    events = whole.records.rows("SELECT * FROM event")
    for name in ("", "  "):
        for act in (
            lambda by: safety.report(whole, person.code, by=by, description="a fall"),
            lambda by: halting.halt(whole, "study", "", by=by, why="to be looked at"),
            lambda by: withdraw(whole, person.code, by=by, erase=True),
        ):
            with pytest.raises(StudyError, match="--by NAME"):
                act(name)
    assert whole.records.rows("SELECT * FROM event") == events
    assert whole.participant(person.code).status == "active"


def test_a_record_that_another_process_holds_is_said_in_one_line(whole: Study) -> None:
    whole.records.db.conn.execute("PRAGMA busy_timeout = 10")
    person = join(whole)
    with closing(sqlite3.connect(whole.records.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordError, match="another process has been writing"):
            safety.report(whole, person.code, by="nurse", description="a fall")

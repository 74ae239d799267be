"""A record that a killed process left, with a write-ahead log that somebody or something has changed."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from study import safety
from study.records import Records
from study.study import Study
from study.verify import verify
from study.wal import damage
from tests.trial import join

FRAME = 24 + 4096


@pytest.fixture
def left(whole: Study, tmp_path: Path) -> Path:
    """A record as `kill -9` leaves it, copied while its log is full."""
    whole.records.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    person = join(whole)
    for number in range(3):
        safety.report(whole, person.code, by="nurse", description=f"fall {number}")
    path = tmp_path / "left" / "study.sqlite"
    path.parent.mkdir()
    for end in ("", "-wal"):
        shutil.copy(f"{whole.records.path}{end}", f"{path}{end}")
    return path


def log_of(record: Path) -> Path:
    return record.with_name("study.sqlite-wal")


def flip(record: Path, place: int) -> None:
    content = bytearray(log_of(record).read_bytes())
    content[place] ^= 1
    log_of(record).write_bytes(bytes(content))


def falls(record: Path) -> int:
    with closing(sqlite3.connect(record)) as connection:
        return int(connection.execute("SELECT count(*) FROM safety_event").fetchone()[0])


def test_an_untouched_log_is_whole(left: Path, tmp_path: Path) -> None:
    assert log_of(left).stat().st_size > 10 * FRAME
    assert damage(left) is None
    assert falls(left) == 3
    assert damage(tmp_path / "nothing.sqlite") is None


@pytest.mark.parametrize("where", [0, 4, 10, 16, 20, 24, 1000, FRAME - 1], ids=str)
def test_a_flip_that_hides_what_was_confirmed_after_it_is_found(left: Path, where: int) -> None:
    """In each field of a frame's header and in its page: SQLite itself opens the record and says nothing."""
    flip(left, 32 + 2 * FRAME + where)
    found = damage(left)
    assert found is not None
    assert "is damaged in frame 3, so what was confirmed after that cannot be read" in found
    assert falls(left) < 3
    records = Records(left)
    assert verify(records).mistakes == []  # what is left fits together: only the log shows that something is gone
    records.close()


@pytest.mark.parametrize("where", [0, 9, 17, 25])
def test_a_flip_in_the_logs_own_header_is_found(left: Path, where: int) -> None:
    flip(left, where)
    assert "is damaged at its beginning" in (damage(left) or "")
    assert falls(left) == 0


@pytest.mark.parametrize("kept", [10, 24, 25, FRAME - 1])
def test_a_last_transaction_that_was_cut_short_is_no_damage(left: Path, kept: int) -> None:
    content = log_of(left).read_bytes()
    log_of(left).write_bytes(content[: len(content) - FRAME + kept])
    assert damage(left) is None
    log_of(left).write_bytes(content[: len(content) - FRAME + kept] + bytes(FRAME - kept))
    assert damage(left) is None


def test_frames_of_an_earlier_round_are_no_damage(whole: Study) -> None:
    """After a checkpoint SQLite writes the log anew from its beginning, over what stood there."""
    person = join(whole)
    for number in range(10):
        safety.report(whole, person.code, by="nurse", description=f"fall {number}")
    whole.records.db.conn.execute("PRAGMA wal_checkpoint(RESTART)")
    before = log_of(whole.records.path).stat().st_size
    safety.report(whole, person.code, by="nurse", description="another fall")
    assert log_of(whole.records.path).stat().st_size == before
    assert damage(whole.records.path) is None

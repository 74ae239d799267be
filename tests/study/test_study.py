"""Enrolment, links and the lock of the protocol."""

import json
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from study.allocation import sequence
from study.enrolment import take_in
from study.errors import RecordError, StudyError, UnknownCode, WrongToken
from study.keys import StudyKey
from study.records import Records
from study.study import Study, create
from study.verify import verify
from tests.conftest import HandClock


def test_arms_are_balanced_after_each_block(study: Study) -> None:
    arms = [take_in(study).arm.name for _ in range(9)]
    for block in (arms[0:3], arms[3:6], arms[6:9]):
        assert sorted(block) == ["chat", "robot", "worksheet"]


def test_simultaneous_enrolments_use_up_every_place_once(folder: Path) -> None:
    study = Study.open(folder)
    barrier = threading.Barrier(8)

    def enrol() -> None:
        barrier.wait()
        for _ in range(6):
            take_in(study)

    threads = [threading.Thread(target=enrol) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = study.records.rows("SELECT position, arm FROM participant ORDER BY position")
    assert [row["position"] for row in rows] == list(range(48))
    assert set(Counter(row["arm"] for row in rows).values()) == {16}
    assert verify(study.records).mistakes == []


def test_the_next_allocation_cannot_be_computed_from_the_protocol(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "study.toml").write_text((folder / "study.toml").read_text())
    here, there = Study.open(folder), Study.open(other)
    assert [take_in(here).arm.name for _ in range(30)] != [take_in(there).arm.name for _ in range(30)]


def test_nothing_in_the_record_tells_an_allocation_that_is_not_made(study: Study) -> None:
    take_in(study)
    kept = json.dumps([study.records.rows(f"SELECT * FROM {table}") for table in study.records.db.table_names()])
    assert study.key.allocation_seed(str(study.protocol.allocation.seed)) not in kept
    assert study.records.rows("SELECT count(*) AS n FROM participant")[0]["n"] == 1


def test_a_study_is_its_owners_alone_from_the_first_moment(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    before = os.umask(0o002)  # as generous as it comes
    try:
        create(folder)
        study = Study.open(folder)
        take_in(study)
        rehearsal = Study.open(folder, rehearsal=tmp_path / "rehearsal.sqlite")
        take_in(rehearsal)
        made = [folder, *folder.glob("study.sqlite*"), *tmp_path.glob("rehearsal.sqlite*")]
        assert {path.name for path in made} >= {"study.sqlite", "study.sqlite-wal", "study.sqlite-shm"}
        assert {path.name for path in made} >= {"rehearsal.sqlite", "rehearsal.sqlite-wal", "rehearsal.sqlite-shm"}
        assert [path.name for path in made if path.stat().st_mode & 0o077] == []
        study.close()
        rehearsal.close()
    finally:
        os.umask(before)


def test_what_a_group_shares_on_purpose_stays_shared(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o770)
    create(folder)
    Study.open(folder).close()
    record = folder / "study.sqlite"
    record.chmod(0o660)
    study = Study.open(folder)
    take_in(study)
    assert folder.stat().st_mode & 0o777 == 0o770
    assert {path.stat().st_mode & 0o777 for path in folder.glob("study.sqlite*")} == {0o660}
    study.close()


def test_a_rehearsal_does_not_use_up_the_list(folder: Path, tmp_path: Path, clock: HandClock) -> None:
    first = Study.open(folder, clock=clock)
    plan = first.protocol.allocation
    seed = first.key.allocation_seed(str(plan.seed))
    arms = first.protocol.arms
    slots = sequence(seed, "all", [arm.name for arm in arms], [arm.ratio for arm in arms], plan.block_sizes)
    expected = [slot.arm for slot in islice(slots, 6)]
    rehearsal = Study.open(folder, clock=clock, rehearsal=tmp_path / "rehearsal.sqlite")
    assert all(take_in(rehearsal).code.startswith("SIM-") for _ in range(6))
    assert [take_in(first).arm.name for _ in range(6)] == expected


def test_a_rehearsal_cannot_be_opened_as_a_study_nor_a_study_as_a_rehearsal(folder: Path, study: Study) -> None:
    rehearsal = folder / "rehearsal.sqlite"
    Study.open(folder, rehearsal=rehearsal).close()
    study.close()
    (folder / "study.sqlite").rename(folder / "kept.sqlite")
    rehearsal.rename(folder / "study.sqlite")
    with pytest.raises(StudyError, match="record of a rehearsal"):
        Study.open(folder)
    with pytest.raises(StudyError, match="record of a study"):
        Study.open(folder, rehearsal=folder / "kept.sqlite")


def test_a_rehearsal_is_read_by_its_own_protocol_whatever_the_file_says_by_now(folder: Path, clock: HandClock) -> None:
    record = folder / "rehearsal.sqlite"
    path = folder / "study.toml"
    text = path.read_text()
    Study.open(folder, clock=clock, rehearsal=record).close()
    path.write_text(text.replace("days = 15 ", "days = 14 "))
    rehearsal = Study.open(folder, clock=clock, rehearsal=record)
    assert rehearsal.protocol.days == 14, "before anybody came it is on the file"
    take_in(rehearsal)
    rehearsal.close()
    for edited in (text, "days ="):
        path.write_text(edited)
        rehearsal = Study.open(folder, clock=clock, rehearsal=record)
        assert (rehearsal.protocol.days, rehearsal.participants()[0].protocol.days) == (14, 14)
        assert take_in(rehearsal).version == 1
        rehearsal.close()
    path.write_text(text)
    assert Study.open(folder, clock=clock, rehearsal=folder / "another.sqlite").protocol.days == 15
    with pytest.raises(StudyError, match="bedside init"):
        Study.open(folder / "nowhere", rehearsal=record)


def test_a_file_that_is_no_record_is_refused(folder: Path) -> None:
    (folder / "study.sqlite").write_text("my shopping list, which is long enough to be no database" * 50)
    with pytest.raises(StudyError, match="cannot be used as a record"):
        Study.open(folder)


def test_a_link_opens_its_own_page_and_no_other(study: Study) -> None:
    one, two = take_in(study), take_in(study)
    _, _, code, token, _ = study.participant_path(one.code).split("/")
    assert study.by_link(code, token).code == one.code
    for wrong in ("", token[:-1], token.upper(), token + "a", "ü" * 26):
        with pytest.raises(WrongToken):
            study.by_link(code, wrong)
    with pytest.raises(WrongToken):
        study.by_link(two.code, token)
    with pytest.raises(UnknownCode):
        study.participant("NOBODY")


def test_the_key_is_the_owners_alone_and_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "study.key"
    token = StudyKey.open(path).token("participant", "A")
    assert path.stat().st_mode & 0o777 == 0o600
    assert StudyKey.open(path).token("participant", "A") == token
    path.write_text("not a key")
    with pytest.raises(StudyError, match="not a study key"):
        StudyKey.open(path)


def test_a_folder_in_the_place_of_the_key_is_said(tmp_path: Path) -> None:
    (tmp_path / "study.key").mkdir()
    with pytest.raises(StudyError, match=r"study\.key cannot be used as the study's key: Is a directory"):
        StudyKey.open(tmp_path / "study.key")


def test_processes_that_make_the_key_at_once_get_the_same(tmp_path: Path) -> None:
    path = tmp_path / "study.key"
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: StudyKey.open(path).fingerprint, range(64)))
    assert len(set(keys)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["study.key"]


def test_without_its_own_key_a_study_is_not_gone_on_with(folder: Path, study: Study, tmp_path: Path) -> None:
    """With another key the allocation would go on with another sequence, and nobody would notice."""
    path = folder / "study.key"
    own = path.read_bytes()
    path.unlink()
    Study.open(folder).close()  # nobody came yet
    path.write_bytes(own)
    take_in(study)
    path.unlink()
    with pytest.raises(StudyError, match=r"study\.key is missing, and people have come already"):
        Study.open(folder)
    with pytest.raises(StudyError, match="is missing"):
        Study.open(folder, rehearsal=tmp_path / "rehearsal.sqlite")
    assert not path.exists()
    StudyKey.open(path)
    with pytest.raises(StudyError, match="is the key of another study"):
        Study.open(folder)
    path.write_bytes(own)
    Study.open(folder).close()


def test_a_record_that_cannot_be_opened_is_said_with_the_reason(folder: Path) -> None:
    path = folder / "study.sqlite"
    path.mkdir()
    with pytest.raises(RecordError, match=r"cannot be used as a record: it is a folder\."):
        Records(path)
    path.rmdir()
    with pytest.raises(RecordError, match=r"its folder does not exist\."):
        Records(folder / "elsewhere" / "study.sqlite")
    path.symlink_to(folder / "elsewhere" / "study.sqlite")  # can be opened as little as a file of somebody else's
    with pytest.raises(RecordError, match=r"the file or its folder .* may not be written to\."):
        Records(path)
    path.unlink()
    (folder / "study.sqlite-wal").mkdir()  # nothing can be put beside the record, as on a full disk
    with pytest.raises(RecordError, match=r"the disk is full or fails\."):
        Records(path)


def test_the_protocol_is_locked_by_the_first_enrolment(folder: Path, study: Study) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("days = 15 ", "days = 14 "))
    Study.open(folder).close()  # nobody enrolled: still free to change
    path.write_text(path.read_text().replace("days = 14 ", "days = 15 "))
    take_in(study)
    path.write_text(path.read_text() + "\n# a comment may still change\n")
    Study.open(folder).close()
    path.write_text(path.read_text().replace("days = 15 ", "days = 14 "))
    with pytest.raises(StudyError, match="changed after it was locked"):
        Study.open(folder)


def test_init_never_overwrites(folder: Path) -> None:
    with pytest.raises(StudyError, match="is there already"):
        create(folder)


def test_an_altered_event_shows(study: Study) -> None:
    for _ in range(3):
        take_in(study)
    assert verify(study.records).mistakes == []
    db = study.records.db
    db.conn.execute("DROP TRIGGER event_is_never_changed")
    db.conn.execute("UPDATE event SET actor = 'somebody else' WHERE id = 2")
    assert verify(study.records).mistakes[:2] == [
        "The trigger event_is_never_changed is missing.",
        "Event 2 does not fit the one before it.",
    ]


def test_the_record_refuses_to_change_its_log(study: Study) -> None:
    take_in(study)
    for statement in ("UPDATE event SET actor = 'x'", "DELETE FROM event"):
        with pytest.raises(Exception, match="append-only"):
            study.records.db.conn.execute(statement)

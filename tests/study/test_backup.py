"""A backup made while participants write, and what comes back."""

import io
import json
import tarfile
import threading
from pathlib import Path

import pytest

from study import identity, visits
from study.access import accounts
from study.backup import backup, restore
from study.enrolment import take_in
from study.errors import StudyError
from study.hashing import file_sha256
from study.study import Study
from study.verify import verify
from tests.conftest import HandClock


def test_a_backup_restores_to_the_same_study(folder: Path, study: Study, tmp_path: Path, clock: HandClock) -> None:
    code = take_in(study).code
    identity.remember(study, code, by=code, name="Maya")
    (folder / "measures").mkdir()
    (folder / "measures" / "own.toml").write_text("title = 'x'")
    (folder / "audit").mkdir()
    (folder / "audit" / "audit.json").write_text("{}")
    token = accounts.add(study, "Dr Okafor", ["analyst"], by="test")
    made = backup(study, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    back = restore(tmp_path / "b.tar", tmp_path / "again")
    assert back == made
    again = Study.open(tmp_path / "again", clock=clock)
    assert verify(again.records).mistakes == []
    assert again.participant(code) == study.participant(code)
    assert again.participant_path(code) == study.participant_path(code)
    assert identity.contact(again, code) == {"name": "Maya"}
    assert (tmp_path / "again" / "measures" / "own.toml").exists()
    assert (tmp_path / "again" / "audit" / "audit.json").exists()
    assert [one.name for one in accounts.everybody(again)] == ["Dr Okafor"]
    assert accounts.invitation(again, token) == accounts.invitation(study, token)
    assert token.encode() not in (tmp_path / "b.tar").read_bytes()
    arms = [take_in(again).arm.name for _ in range(5)]
    assert arms == [take_in(study).arm.name for _ in range(5)]  # the sequence goes on as it would have


def test_a_backup_made_while_others_write_has_all_that_was_confirmed(
    folder: Path, study: Study, tmp_path: Path
) -> None:
    confirmed: list[str] = []
    stop = threading.Event()

    def write() -> None:
        own = Study.open(folder)
        while not stop.is_set():
            person = take_in(own)
            visit = visits.today(own, person)
            assert visit is not None
            visits.rate(own, visit, "before", 50)
            confirmed.append(person.code)
        own.close()

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(5):
            while len(confirmed) < 5 * (number + 1):
                stop.wait(0.01)
            before = set(confirmed)
            backup(study, tmp_path / f"{number}.tar")
            restore(tmp_path / f"{number}.tar", tmp_path / f"back{number}")
            back = Study.open(tmp_path / f"back{number}")
            rated = {
                row["participant"]
                for row in back.records.rows("SELECT participant FROM visit JOIN rating ON visit.id = rating.visit")
            }
            assert before <= rated
            assert verify(back.records).mistakes == []
            back.close()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_file_that_is_replaced_while_the_backup_is_made_is_in_it_as_it_was(
    folder: Path, study: Study, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = take_in(study).code
    identity.remember(study, code, by=code, name="Maya")

    def and_then_it_is_replaced(path: Path) -> str:
        found = file_sha256(path)
        if path.name == "identity.enc":
            identity.remember(study, code, by=code, name="Maya Lindqvist")
        return found

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("study.backup.file_sha256", and_then_it_is_replaced)
        backup(study, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "again")
    assert identity.contact(Study.open(tmp_path / "again", clock=clock), code) == {"name": "Maya"}


def test_neither_a_backup_nor_a_study_is_overwritten(folder: Path, study: Study, tmp_path: Path) -> None:
    backup(study, tmp_path / "b.tar")
    with pytest.raises(StudyError, match="never overwritten"):
        backup(study, tmp_path / "b.tar")
    with pytest.raises(StudyError, match="holds something already"):
        restore(tmp_path / "b.tar", folder)


def test_a_record_that_does_not_verify_is_not_backed_up(study: Study, tmp_path: Path) -> None:
    take_in(study)
    study.records.db.conn.execute("UPDATE participant SET arm = 'x'")
    with pytest.raises(StudyError, match="no backup was made: Participant"):
        backup(study, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


@pytest.fixture
def good(study: Study, tmp_path: Path) -> Path:
    for _ in range(3):
        take_in(study)
    backup(study, tmp_path / "good.tar")
    return tmp_path / "good.tar"


def test_a_damaged_backup_is_refused_wherever_the_damage_is(good: Path, tmp_path: Path) -> None:
    whole = good.read_bytes()
    bad = tmp_path / "bad.tar"
    for place in range(0, len(whole), 997):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        bad.write_bytes(bytes(changed))
        try:
            restore(bad, tmp_path / "again")
        except StudyError:
            assert not (tmp_path / "again").exists()
        else:
            # Padding of the tar file: nothing of the study is other than it was.
            back = Study.open(tmp_path / "again")
            assert verify(back.records).mistakes == []
            back.close()
            (tmp_path / "again").rename(tmp_path / f"again{place}")


@pytest.mark.parametrize("length", [0, 100, 512, 1024, 5000, 20_000])
def test_a_backup_that_was_cut_short_is_refused(good: Path, tmp_path: Path, length: int) -> None:
    bad = tmp_path / "bad.tar"
    bad.write_bytes(good.read_bytes()[:length])
    with pytest.raises(StudyError, match=r"no backup of a study|missing or altered"):
        restore(bad, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_other_files_are_no_backups(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="does not exist"):
        restore(tmp_path / "nothing.tar", tmp_path / "again")
    (tmp_path / "list.txt").write_text("milk\n" * 500)
    with pytest.raises(StudyError, match="no backup of a study"):
        restore(tmp_path / "list.txt", tmp_path / "again")
    with pytest.raises(StudyError, match="cannot be used"):
        restore(tmp_path, tmp_path / "again")


def test_a_backup_cannot_write_outside_the_folder(tmp_path: Path) -> None:
    for name in ("../outside", "/outside-of-a-study"):
        bad = tmp_path / "bad.tar"
        with tarfile.open(bad, "w") as tar:
            manifest = json.dumps({"format": "bedside backup 1", "files": {name: "0"}, "head": ""}).encode()
            for member, content in (("manifest.json", manifest), (name, b"x")):
                entry = tarfile.TarInfo(member)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        with pytest.raises(StudyError, match="no backup of a study"):
            restore(bad, tmp_path / "again")
        bad.unlink()
    assert not (tmp_path / "outside").exists()


def test_a_backup_is_recorded(study: Study, tmp_path: Path, clock: HandClock) -> None:
    take_in(study)
    made = backup(study, tmp_path / "b.tar")
    row = study.records.row("SELECT * FROM event ORDER BY id DESC")
    assert row is not None
    assert row["what"] == "backed up"
    assert made.head in row["detail"]

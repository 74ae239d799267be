"""An allocation list made elsewhere."""

import hashlib
import json
from itertools import cycle, islice, product
from pathlib import Path

import pytest

from study.allocation_list import upload
from study.amendment import amend
from study.enrolment import come, enrol, take_in
from study.errors import Excluded, StudyError
from study.keys import StudyKey
from study.study import Study
from study.verify import verify
from tests import trial
from tests.conftest import HandClock
from tests.trial import FIT, join

ORDER = ["chat", "robot", "robot", "worksheet", "chat"]


@pytest.fixture
def listed(folder: Path, clock: HandClock) -> Study:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("block_sizes = [3] ", 'method = "list" '))
    return Study.open(folder, clock=clock)


def a_list(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_places_are_given_in_the_order_of_the_list(listed: Study, tmp_path: Path) -> None:
    assert upload(listed, a_list(tmp_path, "arm\n" + "\n".join(ORDER)), by="Trial unit") == {"all": 5}
    assert [take_in(listed).arm.name for _ in ORDER] == ORDER
    people = listed.records.rows("SELECT * FROM person")
    with pytest.raises(StudyError, match="no place 6 in the stratum 'all', so nobody can be enrolled"):
        take_in(listed)
    assert listed.records.rows("SELECT * FROM person") == people, "and nobody is left half-way"
    assert verify(listed.records).mistakes == []


def test_each_stratum_has_a_list_of_its_own(folder: Path, clock: HandClock, tmp_path: Path) -> None:
    trial.write(folder, ("block_sizes = [3] ", 'method = "list" '))
    study = Study.open(folder, clock=clock)
    lines = ["stratum,arm"]
    for sex in ("female", "male"):
        lines += [
            f'"sex: {sex}; k10: below 20",{arm}' for arm in islice(cycle(ORDER if sex == "male" else ["chat"]), 5)
        ]
    upload(study, a_list(tmp_path, "\n".join(lines)), by="Trial unit")
    assert [join(study, {**FIT, "sex": "male"}).arm.name for _ in ORDER] == ORDER
    assert join(study).arm.name == "chat"


def test_what_is_kept_is_sealed_and_every_seal_looks_alike(listed: Study, tmp_path: Path) -> None:
    upload(listed, a_list(tmp_path, "arm\n" + "\n".join(ORDER)), by="Trial unit")
    sealed = [row["sealed"] for row in listed.records.rows("SELECT sealed FROM allocation_list")]
    assert len({len(one) for one in sealed}) == 1
    assert len(set(sealed)) == len(sealed)
    kept = json.dumps(sealed) + json.dumps(listed.records.rows("SELECT * FROM event"))
    assert not any(arm in kept for arm in ("robot", "chat", "worksheet"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("arm\nrobot\nvideo\n", "line 3: 'video' is no arm; allowed: robot, chat, worksheet"),
        ("arm\nrobot\n\n,\n", "line 4: '' is no arm"),
        ("treatment\nrobot\n", "line 1: there is no column arm"),
        ("stratum,arm\nwomen,robot\n", "line 2: 'women' is no stratum of the protocol; allowed: all"),
        ("arm\n", "has no places"),
        ("arm,arm\nrobot,chat\n", "line 1: there are two columns arm"),
        ('arm\nrobot\n"chat\n', "line 3: this is no CSV"),
        ('arm\n"chat"x\n', "line 2: this is no CSV"),
        ("arm\n" + "x" * 200_000, "line 2: this is no CSV"),
        ("arm;stratum\nrobot;all\n", "line 1: there is no column arm; write the columns stratum and arm"),
        ("stratum,arm\nall\n", "line 2: '' is no arm"),
        ("", "there is no column arm"),
        (b"arm\nr\xff\n", "not UTF-8"),
        (b"\x00\x01\x02", "there is no column arm"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(listed: Study, tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(StudyError) as refused:
        upload(listed, a_list(tmp_path, content), by="Trial unit")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert listed.records.rows("SELECT * FROM allocation_list") == []


def test_a_list_saved_by_a_spreadsheet_is_taken(listed: Study, tmp_path: Path) -> None:
    """With a byte order mark, the line ends of Windows, spaces, empty lines and columns of the trial unit's own."""
    text = "\ufeffnumber, arm \r\n1,chat\r\n\r\n2, robot\r\n"
    assert upload(listed, a_list(tmp_path, text), by="Trial unit") == {"all": 2}
    assert [take_in(listed).arm.name for _ in range(2)] == ["chat", "robot"]


def test_strata_are_those_that_somebody_may_be_in(folder: Path, clock: HandClock, tmp_path: Path) -> None:
    """A score may be missing, an answer to the screening may not; a stratum without places is told of."""
    trial.write(folder, ("block_sizes = [3] ", 'method = "list" '))
    study = Study.open(folder, clock=clock)
    with pytest.raises(StudyError, match="line 2: 'sex: unknown; k10: below 20' is no stratum of the protocol"):
        upload(study, a_list(tmp_path, 'stratum,arm\n"sex: unknown; k10: below 20",chat\n'), by="Trial unit")
    with pytest.raises(StudyError, match="line 2: 'all' is no stratum"):
        upload(study, a_list(tmp_path, "arm\nchat\n"), by="Trial unit")
    said = upload(study, a_list(tmp_path, 'stratum,arm\n"sex: male; k10: unknown",chat\n'), by="Trial unit")
    assert said.pop("sex: male; k10: unknown") == 1
    assert said == {f"sex: {sex}; k10: {k10}": 0 for sex in trial.SEXES for k10 in ("below 20", "20 or more")}


def test_seals_look_alike_also_when_the_stratum_has_a_long_name(folder: Path, clock: HandClock, tmp_path: Path) -> None:
    long = "other " + "word " * 90
    trial.write(folder, ("block_sizes = [3] ", 'method = "list" '), ('"male", "other"]', f'"male", "{long}"]'))
    study = Study.open(folder, clock=clock)
    lines = [f'"sex: {long}; k10: below 20",{arm}' for arm in ("chat", "worksheet")]
    upload(study, a_list(tmp_path, "stratum,arm\n" + "\n".join([*lines, '"sex: male; k10: below 20",robot'])), by="x")
    assert len({len(row["sealed"]) for row in study.records.rows("SELECT sealed FROM allocation_list")}) == 1


def test_the_log_has_no_hash_by_which_a_short_list_could_be_found(listed: Study, tmp_path: Path) -> None:
    """Whoever tries all 3 ** 5 lists of five places finds none with a hash that is in the record."""
    upload(listed, a_list(tmp_path, "arm\n" + "\n".join(ORDER)), by="Trial unit")
    kept = json.dumps(
        [listed.records.rows("SELECT * FROM event"), listed.records.rows("SELECT * FROM allocation_list")]
    )
    for arms in product(("robot", "chat", "worksheet"), repeat=5):
        assert hashlib.sha256(("arm\n" + "\n".join(arms)).encode()).hexdigest() not in kept


def test_a_list_is_not_begun_anew_by_amending_away_from_it_and_back(
    listed: Study, folder: Path, clock: HandClock, tmp_path: Path
) -> None:
    upload(listed, a_list(tmp_path, "arm\n" + "\n".join(ORDER)), by="Trial unit")
    take_in(listed)
    path = folder / "study.toml"
    text = path.read_text()
    path.write_text(text.replace('method = "list" ', "block_sizes = [3] "))
    amend(folder, by="x", why="y", clock=clock)
    path.write_text(text)
    with pytest.raises(StudyError, match="cannot be used again"):
        amend(folder, by="x", why="y", clock=clock)


def test_a_list_locks_the_protocol_that_it_was_made_for(
    listed: Study, folder: Path, clock: HandClock, tmp_path: Path
) -> None:
    upload(listed, a_list(tmp_path, "arm\n" + "\n".join(ORDER)), by="Trial unit")
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("seed = 20260301", "seed = 20260302"))
    with pytest.raises(StudyError, match="changed after it was locked"):
        Study.open(folder, clock=clock)


def test_whoever_came_before_the_last_edit_uses_up_the_same_list(
    listed: Study, folder: Path, clock: HandClock, tmp_path: Path
) -> None:
    early = come(listed)
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("seed = 20260301", "seed = 20260302"))
    study = Study.open(folder, clock=clock)
    upload(study, a_list(tmp_path, "arm\n" + "\n".join(ORDER)), by="Trial unit")
    later = come(study)
    assert [enrol(study, one.code).arm.name for one in (early, later, come(study))] == ORDER[:3]


def test_who_is_excluded_on_paper_is_recorded_though_the_list_has_no_place(
    folder: Path, clock: HandClock, tmp_path: Path
) -> None:
    trial.write(folder, ("block_sizes = [3] ", 'method = "list" '))
    study = Study.open(folder, clock=clock)
    upload(study, a_list(tmp_path, "stratum,arm\nsex: female; k10: below 20,robot\n"), by="Trial unit")
    with pytest.raises(Excluded):
        take_in(study, answers={**FIT, "age": 15, "sex": "male"}, scores={"k10": trial.answers(study, "k10")})
    assert [row["state"] for row in study.records.rows("SELECT state FROM person")] == ["ineligible"]


def test_a_list_that_is_no_file_is_refused(listed: Study, tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(StudyError, match="cannot be read"):
            upload(listed, path, by="Trial unit")


def test_a_list_is_uploaded_once(listed: Study, tmp_path: Path) -> None:
    path = a_list(tmp_path, "arm\nrobot\n")
    upload(listed, path, by="Trial unit")
    with pytest.raises(StudyError, match="uploaded before"):
        upload(listed, path, by="Trial unit")


def test_another_method_wants_no_list(study: Study, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r'allocation\.method is not "list"'):
        upload(study, a_list(tmp_path, "arm\nrobot\n"), by="Trial unit")


def test_a_list_under_another_key_or_altered_gives_nobody_an_arm(listed: Study, folder: Path, tmp_path: Path) -> None:
    upload(listed, a_list(tmp_path, "arm\n" + "\n".join(ORDER)), by="Trial unit")
    path = folder / "study.key"
    key = path.read_text()
    path.write_text("0" * 64 + "\n")
    with pytest.raises(StudyError, match=r"study\.key is the key of another study"):
        Study.open(folder)
    own, listed.key = listed.key, StudyKey.open(path)  # as in a record that does not know its key
    with pytest.raises(StudyError, match=r"study\.key is not the one it was uploaded with"):
        take_in(listed)
    listed.key = own
    path.write_text(key)
    listed.records.db.conn.execute(
        "UPDATE allocation_list SET sealed = (SELECT sealed FROM allocation_list WHERE position = 3) WHERE position = 0"
    )
    with pytest.raises(StudyError, match="was altered"):
        take_in(listed)

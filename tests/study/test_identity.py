"""Identities: apart from the record, encrypted, and no look at them unrecorded."""

import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from study import identity
from study.enrolment import take_in
from study.errors import IdentityError
from study.study import Study
from study.verify import verify
from tests.conftest import HandClock

MAYA = {"name": "Maya Lindqvist", "email": "maya@example.org", "phone": "+46 70 123 45 67"}


def test_an_identity_is_kept_and_found_again(folder: Path, study: Study) -> None:
    code, other = take_in(study).code, take_in(study).code
    identity.remember(study, code, by=code, name=MAYA["name"], email=MAYA["email"])
    identity.remember(study, code, by=code, phone=MAYA["phone"])
    assert identity.contact(Study.open(folder), code) == MAYA
    assert identity.contact(study, other) == {}


def test_no_file_of_the_folder_names_anybody(folder: Path, study: Study) -> None:
    code = take_in(study).code
    identity.remember(study, code, by=code, **MAYA)
    identity.everyone(study, by="Dr Okafor", why="a letter")
    for file in folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(value.encode() in content for value in MAYA.values()), file
    assert (folder / "identity.enc").stat().st_mode & 0o777 == 0o600


def test_the_key_is_outside_the_folder_and_its_owners_alone(folder: Path, study: Study) -> None:
    code = take_in(study).code
    identity.remember(study, code, by=code, **MAYA)
    path = identity.key_path(study)
    assert path.exists()
    assert folder not in path.parents
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_inside_the_folder_is_refused(folder: Path, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "configuration"))
    code = take_in(study).code
    with pytest.raises(IdentityError, match="inside the study's folder"):
        identity.remember(study, code, by=code, **MAYA)


def test_the_key_can_come_from_the_environment(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEDSIDE_IDENTITY_KEY", Fernet.generate_key().decode())
    code = take_in(study).code
    identity.remember(study, code, by=code, **MAYA)
    assert not identity.key_path(study).exists()
    assert identity.contact(study, code) == MAYA
    monkeypatch.setenv("BEDSIDE_IDENTITY_KEY", Fernet.generate_key().decode())
    with pytest.raises(IdentityError, match="damaged, or its key is another one"):
        identity.contact(study, code)
    monkeypatch.setenv("BEDSIDE_IDENTITY_KEY", "short")
    with pytest.raises(IdentityError, match="holds no identity key"):
        identity.contact(study, code)


def test_a_lost_key_or_a_damaged_file_is_said_in_one_line(folder: Path, study: Study) -> None:
    code = take_in(study).code
    identity.remember(study, code, by=code, **MAYA)
    kept = (folder / "identity.enc").read_bytes()
    (folder / "identity.enc").write_bytes(kept[:50] + bytes([kept[50] ^ 1]) + kept[51:])
    with pytest.raises(IdentityError, match="damaged"):
        identity.contact(study, code)
    (folder / "identity.enc").write_bytes(kept)
    identity.key_path(study).unlink()
    with pytest.raises(IdentityError, match="is not there; put it back"):
        identity.contact(study, code)


def test_every_look_and_every_change_is_recorded_without_what_was_seen(study: Study) -> None:
    code = take_in(study).code
    identity.remember(study, code, by=code, **MAYA)
    with pytest.raises(IdentityError, match="Say why"):
        identity.everyone(study, by="Dr Okafor", why=" ")
    assert identity.everyone(study, by="Dr Okafor", why="safety event 3", code=code) == {code: MAYA}
    assert identity.forget(study, code, by="Dr Okafor", why="asked for it")
    assert not identity.forget(study, code, by="Dr Okafor", why="asked for it")
    events = study.records.rows("SELECT * FROM event WHERE what LIKE 'identity%' ORDER BY id")
    assert [(event["actor"], event["what"]) for event in events] == [
        (code, "identity kept"),
        ("Dr Okafor", "identity seen"),
        ("Dr Okafor", "identity deleted"),
    ]
    assert "Maya" not in json.dumps(events)
    assert verify(study.records).mistakes == []


def test_an_unknown_field_is_refused(study: Study) -> None:
    code = take_in(study).code
    with pytest.raises(IdentityError, match="allowed: name, email, phone"):
        identity.remember(study, code, by=code, address="x")


def test_a_rehearsal_keeps_nobodys_identity(folder: Path, tmp_path: Path, clock: HandClock) -> None:
    rehearsal = Study.open(folder, clock=clock, rehearsal=tmp_path / "rehearsal.sqlite")
    code = take_in(rehearsal).code
    identity.remember(rehearsal, code, by=code, **MAYA)
    assert identity.contact(rehearsal, code) == {}
    assert not (folder / "identity.enc").exists()

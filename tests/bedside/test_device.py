"""`bedside device`, as one types it."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from study.access import devices
from study.errors import WrongToken
from study.study import Study
from tests.bedside.test_trial_commands import ok, refused


def token_in(said: str) -> str:
    return re.findall(r"^BEDSIDE_DEVICE_TOKEN=(\S+) bedside robot http", said, re.MULTILINE)[0]


def test_a_token_is_issued_once_and_then_rotated_and_revoked(folder: Path) -> None:
    study = Study.open(folder)
    first = token_in(ok("device", folder, "robot-2", "--url", "http://192.0.2.7:8000"))
    assert devices.by_token(study, first).device == "robot-2"
    assert "robot-2 rotate` puts another in its place" in refused("device", folder, "robot-2")
    said = ok("device", folder, "robot-2", "rotate", "--grace", "0")
    assert "The token before is good until" in said
    with pytest.raises(WrongToken):
        devices.by_token(study, first)
    assert devices.by_token(study, token_in(said)).device == "robot-2"
    assert "No token of robot-2 is good any more" in ok("device", folder, "robot-2", "revoke", "--by", "Dr Okafor")
    with pytest.raises(WrongToken):
        devices.by_token(study, token_in(said))
    assert study.records.rows("SELECT actor FROM event ORDER BY id DESC LIMIT 1") == [{"actor": "Dr Okafor"}]
    assert token_in(ok("device", folder, "robot-2"))
    study.close()


def test_a_screen_beside_the_robot_gets_a_token_that_reads_and_ends(folder: Path) -> None:
    study = Study.open(folder)
    ok("device", folder)
    token = token_in(ok("device", folder, "robot-1", "--scope", "read", "--expires", "15"))
    caller = devices.by_token(study, token)
    assert caller.scopes == {"read"}
    assert caller.expires_at is not None
    left = caller.expires_at - datetime.now(caller.expires_at.tzinfo)
    assert timedelta(days=15) - left < timedelta(minutes=5)
    assert "say which to rotate" in refused("device", folder, "robot-1", "rotate")
    assert token_in(ok("device", folder, "robot-1", "rotate", "--scope", "read"))
    assert "--expires is for a new one" in refused("device", folder, "robot-1", "rotate", "--expires", "3")
    study.close()


def test_the_list_says_who_is_there(folder: Path) -> None:
    assert "no device yet" in ok("device", folder, "list")
    study = Study.open(folder)
    devices.by_token(study, devices.issue(study, "robot-1", by="test"))
    devices.report(study, "robot-1", battery=0.42)
    devices.issue(study, "robot-2", by="test", scopes=("read",))
    devices.revoke(study, "robot-2", by="test")
    lines = [" ".join(line.split()) for line in ok("device", folder, "list").splitlines()]
    assert lines[1] == "robot-1 connected visits, read, telemetry 42%"
    assert lines[2] == "robot-2 never none"
    study.close()


def test_a_name_that_is_none_is_refused(folder: Path) -> None:
    assert "letters, digits and - only" in refused("device", folder, "robot 1")
    assert "There is no device robot-9" in refused("device", folder, "robot-9", "revoke")
    assert "no token that could be rotated" in refused("device", folder, "robot-9", "rotate")

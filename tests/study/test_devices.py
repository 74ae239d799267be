"""Devices and their tokens."""

import json
import sqlite3
from datetime import timedelta

import pytest

from study.access import devices
from study.access.store import path_of
from study.errors import StudyError, UnknownCode, WrongToken
from study.study import Study
from tests.conftest import HandClock


def good(study: Study, token: str) -> bool:
    try:
        devices.by_token(study, token)
    except WrongToken:
        return False
    return True


def test_a_token_names_its_device_and_no_other_does(study: Study) -> None:
    token = devices.issue(study, "robot-1", by="test")
    caller = devices.by_token(study, token)
    assert (caller.device, caller.scopes) == ("robot-1", {"visits", "read", "telemetry"})
    devices.issue(study, "robot-2", by="test")
    for wrong in ("", "robot-1", token.replace("robot-1", "robot-2"), token[:-1], token + "a", "robot-1.ü\ud800", "."):
        assert not good(study, wrong)


def test_nothing_that_is_kept_opens_anything(study: Study) -> None:
    """Neither the token nor its secret part is in `access.sqlite` or in the record, with its log."""
    token = devices.issue(study, "robot-1", by="test")
    token = devices.rotate(study, "robot-1", by="test")
    secret = token.partition(".")[2]
    kept = b"".join(
        file.read_bytes() for path in (path_of(study), study.records.path) for file in path.parent.glob(path.name + "*")
    )
    assert b"robot-1" in kept
    assert secret.encode() not in kept
    with sqlite3.connect(path_of(study)) as connection:
        assert {len(row[0]) for row in connection.execute("SELECT token_sha256 FROM device_token")} == {64}


def test_a_rotation_leaves_the_token_before_good_for_its_grace_and_no_longer(study: Study, clock: HandClock) -> None:
    old = devices.issue(study, "robot-1", by="test")
    new = devices.rotate(study, "robot-1", by="test", grace=timedelta(minutes=10))
    clock.forward(minutes=9, seconds=59)
    assert good(study, old)
    assert good(study, new)
    assert [token.replaced for token in devices.all(study)[0].tokens] == [True, False]
    clock.forward(seconds=1)
    assert not good(study, old)
    assert good(study, new)


def test_a_rotated_token_lives_as_long_as_the_one_before(study: Study, clock: HandClock) -> None:
    devices.issue(study, "robot-1", by="test", lifetime=timedelta(days=15))
    clock.forward(days=10)
    new = devices.rotate(study, "robot-1", by="test")
    clock.forward(days=14)
    assert good(study, new)
    clock.forward(days=1)
    assert not good(study, new)


def test_a_grace_never_outlives_the_token(study: Study, clock: HandClock) -> None:
    old = devices.issue(study, "robot-1", by="test", lifetime=timedelta(minutes=5))
    devices.rotate(study, "robot-1", by="test", grace=timedelta(minutes=10))
    clock.forward(minutes=5)
    assert not good(study, old)


def test_tokens_with_other_scopes_stay_when_one_is_rotated(study: Study, clock: HandClock) -> None:
    screen = devices.issue(study, "robot-1", by="test", scopes=("read",))
    devices.issue(study, "robot-1", by="test")
    with pytest.raises(StudyError, match="say which"):
        devices.rotate(study, "robot-1", by="test")
    devices.rotate(study, "robot-1", by="test", scopes=("telemetry", "read", "visits"), grace=timedelta(0))
    assert good(study, screen)
    with pytest.raises(UnknownCode):
        devices.rotate(study, "robot-1", by="test", scopes=("telemetry",))


def test_a_revoked_device_is_out_at_once_with_all_its_tokens(study: Study) -> None:
    tokens = [devices.issue(study, "robot-1", by="test"), devices.issue(study, "robot-1", by="test", scopes=("read",))]
    other = devices.issue(study, "robot-2", by="test")
    caller = devices.by_token(study, tokens[0])
    assert devices.is_good(study, caller)
    devices.revoke(study, "robot-1", by="test")
    assert not devices.is_good(study, caller)
    assert [good(study, token) for token in (*tokens, other)] == [False, False, True]
    with pytest.raises(UnknownCode):
        devices.rotate(study, "robot-1", by="test")
    with pytest.raises(UnknownCode):
        devices.revoke(study, "robot-9", by="test")
    assert good(study, devices.issue(study, "robot-1", by="test"))


def test_a_lent_token_ends_with_what_it_was_lent_for(study: Study) -> None:
    own = devices.issue(study, "robot-1", by="test")
    with devices.lent(study, "robot-1", by="test") as lent:
        assert good(study, lent)
    assert not good(study, lent)
    assert good(study, own)


def test_what_is_done_to_tokens_is_in_the_log_with_who_did_it(study: Study) -> None:
    devices.issue(study, "robot-1", by="Dr Okafor", scopes=("read",), lifetime=timedelta(days=1))
    devices.rotate(study, "robot-1", by="Dr Okafor")
    devices.revoke(study, "robot-1", by="administrator")
    rows = study.records.rows("SELECT actor, what, subject, detail FROM event ORDER BY id")
    assert [(row["actor"], row["what"], row["subject"]) for row in rows] == [
        ("Dr Okafor", "device token issued", "device robot-1"),
        ("Dr Okafor", "device token rotated", "device robot-1"),
        ("administrator", "device revoked", "device robot-1"),
    ]
    assert json.loads(rows[0]["detail"])["scopes"] == ["read"]


def test_a_name_or_a_scope_that_is_none_is_refused(study: Study) -> None:
    for name in ("", "robot 1", "r" * 41, "róbot", "a/b", "a.b"):
        with pytest.raises(StudyError, match="letters, digits"):
            devices.issue(study, name, by="test")
    for scopes in ((), ("everything",)):
        with pytest.raises(StudyError, match="visits, read, telemetry"):
            devices.issue(study, "robot-1", by="test", scopes=scopes)  # type: ignore[arg-type]
    assert devices.all(study) == []


def test_a_device_is_seen_by_any_call_and_not_written_down_more_than_every_ten_seconds(
    study: Study, clock: HandClock
) -> None:
    token = devices.issue(study, "robot-1", by="test")
    assert devices.all(study)[0].seen_at is None
    assert devices.online(study) == frozenset()
    first = clock.now()
    devices.by_token(study, token)
    clock.forward(seconds=9)
    devices.by_token(study, token)
    assert devices.all(study)[0].seen_at == first
    clock.forward(seconds=1)
    devices.by_token(study, token)
    assert devices.all(study)[0].seen_at == clock.now()
    clock.forward(seconds=29)
    assert devices.online(study) == {"robot-1"}
    clock.forward(seconds=1)
    assert devices.online(study) == frozenset()


def test_a_device_that_may_hold_no_visit_or_was_revoked_is_no_robot_that_is_ready(study: Study) -> None:
    dock = devices.issue(study, "dock-1", by="test", scopes=("telemetry",))
    devices.by_token(study, dock)
    assert devices.all(study)[0].online
    assert devices.online(study) == frozenset()
    robot = devices.issue(study, "robot-1", by="test")
    devices.by_token(study, robot)
    assert devices.online(study) == {"robot-1"}
    devices.revoke(study, "robot-1", by="test")
    assert devices.online(study) == frozenset()


def test_what_a_device_said_last_is_kept(study: Study, clock: HandClock) -> None:
    devices.issue(study, "robot-1", by="test")
    assert devices.all(study)[0].report is None
    devices.report(study, "robot-1", battery=0.8, latency_ms=12.5, state="code", version="0.1.0")
    clock.forward(seconds=10)
    devices.report(study, "robot-1", state="idle")
    report = devices.all(study)[0].report
    assert report == devices.Report(clock.now(), None, None, "idle", None)
    assert devices.all(study)[0].seen_at == clock.now()

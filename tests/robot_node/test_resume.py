"""Which visit a robot held when its process died."""

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from robot_node.resume import FRESH_S, Resume, state_file

HERE, ELSEWHERE = "http://127.0.0.1:8000", "http://192.0.2.7:8000"


def test_a_visit_is_remembered_until_it_is_over(tmp_path: Path) -> None:
    path = str(tmp_path / "state" / "robot.json")
    Resume(path, HERE).remember("481516", 12)
    assert (Resume(path, HERE).code(), Resume(path, HERE).visit()) == ("481516", 12)
    assert (Resume(path, ELSEWHERE).code(), Resume(path, ELSEWHERE).visit()) == (None, None)
    Resume(path, HERE).forget()
    assert Resume(path, HERE).code() is None


def test_after_a_while_somebody_else_may_stand_there(tmp_path: Path) -> None:
    path = tmp_path / "robot.json"
    Resume(str(path), HERE).remember("481516")
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"at": kept["at"] - FRESH_S - 1}))
    assert Resume(str(path), HERE).code() is None


def test_a_file_that_makes_no_sense_is_as_good_as_none(tmp_path: Path) -> None:
    path = tmp_path / "robot.json"
    for text in ("", "[]", "{}", '{"code": "1", "at": "noon", "url": ""}'):
        path.write_text(text)
        assert Resume(str(path), HERE).code() is None
    Resume("", HERE).remember("481516")
    assert Resume("", HERE).code() is None


def test_no_two_robots_of_one_machine_remember_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    files = set()
    for domain in ("", "0", "7"):
        monkeypatch.setenv("ROS_DOMAIN_ID", domain)
        files |= {state_file(namespace) for namespace in ("", "/", "robot", "left", "/left/", "left/front")}
    # The empty domain is 0, and slashes around a namespace say nothing.
    assert len(files) == 2 * 4
    assert all(file.parent == tmp_path / "bedside" for file in files)


def test_a_visit_that_takes_long_is_remembered_from_its_last_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("robot_node.resume.time.time", lambda: now[0])
    path = str(tmp_path / "robot.json")
    robot = Resume(path, HERE)
    robot.keep()
    assert Resume(path, HERE).code() is None
    robot.remember("481516")
    now[0] += FRESH_S
    robot.keep()
    now[0] += FRESH_S - 1
    assert Resume(path, HERE).code() == "481516"
    robot.forget()
    robot.keep()
    assert Resume(path, HERE).code() is None


def test_a_full_disk_is_logged_once_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    robot = Resume(str(tmp_path / "robot.json"), HERE)
    with capture_logs() as logs, monkeypatch.context() as full:

        def no_room(*_: object) -> None:
            raise OSError(28, "No space left on device")

        full.setattr("robot_node.resume.json.dump", no_room)
        robot.remember("481516", 12)
        robot.keep()
    assert [entry["event"] for entry in logs] == ["the visit cannot be remembered"]
    assert "481516" not in str(logs)
    robot.keep()
    assert Resume(str(tmp_path / "robot.json"), HERE).visit() == 12

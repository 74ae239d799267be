"""A robot's nodes as processes, without ROS's launch."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_node.description import NodeDescription, robot_nodes
from robot_node.supervise import Supervisor
from study.access import devices
from tests.robot import wait_until
from tests.robot_node.test_dialogue import Desk


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    desk = Desk(folder)
    yield desk
    desk.switch_off()
    desk.app.extensions["bedside"].close()
    desk.study.close()


def command_lines() -> str:
    """The command lines of all processes of this machine."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)


def test_a_node_that_was_killed_is_started_again_and_the_token_is_no_secret_of_the_process_list(
    desk: Desk, ros_domain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(ros_domain))
    token = devices.issue(desk.study, "robot-1", by="test")
    told: list[str] = []
    companion = {"url": f"http://127.0.0.1:{desk.port}", "token": token}
    with Supervisor(robot_nodes("none", sound=False), {"companion": companion}, "left", tell=told.append) as robot:
        first = robot.pids()["companion"]
        wait_until(lambda: "robot_node.main companion" in command_lines(), 5, "not started")
        assert token not in command_lines()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: robot.watch() is None and robot.pids().get("companion", first) != first, 10, str(told))
        second = robot.pids()["companion"]
    assert any("companion: died (status -9)" in line for line in told)
    assert not Path(f"/proc/{second}").exists()


def test_what_a_user_has_to_put_right_is_said_and_not_tried_again(
    ros_domain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(ros_domain))
    told: list[str] = []
    wrong = (NodeDescription("body", {"driver": "strings"}),)
    with Supervisor(wrong, {}, tell=told.append) as robot:
        status = None
        limit = time.monotonic() + 20
        while status is None and time.monotonic() < limit:
            status = robot.watch()
            time.sleep(0.1)
        assert status == 2
        wait_until(lambda: any("Error: body: the parameter driver" in line for line in told), 5, str(told))


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -9)])
def test_whatever_ends_the_command_ends_all_nodes(
    desk: Desk, ros_domain: int, how: signal.Signals, status: int
) -> None:
    environment = {**os.environ, "ROS_DOMAIN_ID": str(ros_domain), "PYTHONUNBUFFERED": "1"}
    environment["BEDSIDE_DEVICE_TOKEN"] = devices.issue(desk.study, "robot-1", by="test")
    command = [
        sys.executable,
        "-m",
        "bedside",
        "robot",
        f"http://127.0.0.1:{desk.port}",
        "--body",
        "none",
        "--no-sound",
    ]
    process = subprocess.Popen(
        [*command, "--namespace", f"domain{ros_domain}"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "Starting companion" in process.stdout.readline()
    wait_until(lambda: f"__ns:=/domain{ros_domain}" in command_lines(), 10, "no node was started")
    process.send_signal(how)
    assert process.wait(20) == status
    wait_until(lambda: f"__ns:=/domain{ros_domain}" not in command_lines(), 20, "a node is left")


def test_a_node_that_is_told_to_end_again_and_again_ends_in_order(
    ros_domain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-C in a terminal, which reaches it, and ROS's launch, which passes it on."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(ros_domain))
    process = subprocess.Popen(
        [sys.executable, "-m", "robot_node.main", "body", "--ros-args", "-p", "driver:=none", "-p", "autostart:=true"]
    )
    # Once it catches SIGTERM it catches both; before that it would just die.
    status = Path(f"/proc/{process.pid}/status")
    wait_until(
        lambda: int(status.read_text().partition("SigCgt:")[2].split()[0], 16) >> 14 & 1, 30, "it does not start"
    )
    limit = time.monotonic() + 30
    while process.poll() is None:
        assert time.monotonic() < limit, "it does not end"
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    assert process.returncode == 0

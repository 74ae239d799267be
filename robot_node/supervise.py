"""Starting a robot's nodes without ROS's launch: each a process of its own, started again when it dies."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_node.description import SUPERVISOR, NodeDescription

__all__ = ["Supervisor"]

RESPAWN_S = 1.0
LONGEST_RESPAWN_S = 30.0
"""Between a node's death and its next start; it doubles while the node lives shorter than `LIVED_S`."""
LIVED_S = 30.0

WRONG = 2
"""The exit status of a node that a user has to put right: it is not started again."""

GRACE_S = 8.0
"""A node that has not ended so long after it was asked to is killed."""


@dataclass
class _Process:
    node: NodeDescription
    command: list[str]
    process: "subprocess.Popen[str] | None" = None
    started: float = 0.0
    wait: float = RESPAWN_S
    start_at: float = 0.0


class Supervisor:
    """The nodes of one robot. `with` ends them all."""

    def __init__(
        self,
        nodes: tuple[NodeDescription, ...],
        parameters: dict[str, dict[str, Any]],
        namespace: str = "",
        parameter_file: Path | None = None,
        tell: Callable[[str], None] = print,
    ) -> None:
        """`parameters` has more parameters for each node by name; `parameter_file` is a ROS parameter file of the
        user's, which comes last and wins; `tell` is given each line that a node prints, with its name in front.

        Parameters are given to the nodes in files that only this user can read, since the device token is among them.
        """
        self._tell = tell
        self._folder = tempfile.TemporaryDirectory(prefix="bedside-robot-")
        self._ending = False
        self._processes = [self._described(node, parameters, namespace, parameter_file) for node in nodes]

    def __enter__(self) -> "Supervisor":
        for one in self._processes:
            self._start(one)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        running = [one.process for one in self._processes if one.process is not None]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        limit = time.monotonic() + GRACE_S
        for process in running:
            try:
                process.wait(max(0.0, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()

    def pids(self) -> dict[str, int]:
        """The process of each node that runs."""
        return {
            one.node.name: one.process.pid
            for one in self._processes
            if one.process is not None and one.process.poll() is None
        }

    def watch(self) -> int | None:
        """Start again what died. Returns the exit status of the companion when it has ended for good, else None."""
        for one in self._processes:
            process = one.process
            if process is None:
                if time.monotonic() >= one.start_at:
                    self._start(one)
                continue
            status = process.poll()
            if status is None:
                continue
            if status == WRONG or (one.node.name == "companion" and status == 0):
                return status
            if time.monotonic() - one.started > LIVED_S:
                one.wait = RESPAWN_S
            self._tell(f"{one.node.name}: died (status {status}), started again in {one.wait:.0f} s")
            one.process, one.start_at = None, time.monotonic() + one.wait
            one.wait = min(2 * one.wait, LONGEST_RESPAWN_S)
        return None

    def _described(
        self,
        node: NodeDescription,
        parameters: dict[str, dict[str, Any]],
        namespace: str,
        parameter_file: Path | None,
    ) -> _Process:
        values = {"autostart": True, **node.parameters, **parameters.get(node.name, {})}
        file = Path(self._folder.name) / f"{node.name}.yaml"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as written:
            json.dump({"/**": {"ros__parameters": values}}, written)  # JSON is YAML
        command = [sys.executable, "-m", "robot_node.main", node.name, "--ros-args", "--params-file", str(file)]
        if parameter_file is not None:
            command += ["--params-file", str(parameter_file)]
        if namespace:
            command += ["-r", f"__ns:=/{namespace.strip('/')}"]
        for name, other in node.remappings:
            command += ["-r", f"{name}:={other}"]
        return _Process(node, command)

    def _start(self, one: _Process) -> None:
        one.started = time.monotonic()
        # In a session of its own, so that Ctrl-C reaches this process alone, which then ends them in order.
        one.process = subprocess.Popen(  # noqa: S603 - our own module
            one.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={
                "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                SUPERVISOR: str(os.getpid()),
            },
        )
        threading.Thread(target=self._read, args=(one.node.name, one.process), daemon=True).start()

    def _read(self, name: str, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in process.stdout:
            if line.strip() and not self._ending:
                self._tell(f"{name}: {line.rstrip()}")

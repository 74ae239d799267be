"""The robot's nodes as processes of their own, as a launch file starts them."""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from tests.soundloop import SoundLoop

__all__ = ["Robot"]


class Robot:
    """Nodes on a ROS domain and a sound loop. `with` ends them; what they logged is in `log(name)`."""

    def __init__(self, loop: SoundLoop, domain: int, namespace: str = "", **parameters: dict[str, Any]) -> None:
        """`parameters` has the nodes to start, each with its parameters; `autostart` is set for all."""
        self._loop = loop
        self._domain = domain
        self._namespace = namespace
        self._parameters = parameters
        self._folder = Path(tempfile.mkdtemp(prefix="bedside-robot-"))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Robot":
        for name in self._parameters:
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()

    def start(self, name: str) -> None:
        """Start a node, or start it again."""
        values = {"autostart": True, **self._parameters[name]}
        file = self._folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": values}}))
        environment = {
            **self._loop.environment,
            "ROS_DOMAIN_ID": str(self._domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "PYTHONUNBUFFERED": "1",
        }
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "robot_node.main", name, "--ros-args", "--params-file", str(file)]
                + (["-r", f"__ns:=/{self._namespace}"] if self._namespace else []),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    def kill(self, name: str) -> None:
        """`kill -9`."""
        self._processes[name].kill()
        self._processes[name].wait()

    def alive(self, name: str) -> bool:
        return self._processes[name].poll() is None

    def memory_mb(self, name: str) -> float:
        """The resident memory of the node's process."""
        status = Path(f"/proc/{self._processes[name].pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()


def wait_until(condition: Any, timeout_s: float, what: str, every_s: float = 0.05) -> None:
    """Wait for a condition. Raises AssertionError, saying what did not happen."""
    limit = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(every_s)

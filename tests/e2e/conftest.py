"""Whole journeys with the real parts: the server as a process, Chromium, ROS, the local model."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from study.enrolment import take_in
from study.study import Study


@pytest.fixture
def phone(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser of the size of a phone, which fails the test when a page's script fails."""
    context = chromium.new_context(viewport={"width": 390, "height": 780}, locale="en-GB")
    context.set_default_timeout(30_000)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert errors == []


@dataclass
class Server:
    """`bedside serve` (or `demo`) as a process; it can be killed and started again at the same port."""

    arguments: list[str]
    port: int
    process: "subprocess.Popen[str] | None" = None
    output: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Server":
        command = [sys.executable, "-m", "bedside", *self.arguments, "--port", str(self.port)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        ready = threading.Event()
        threading.Thread(target=self._read, args=(self.process, ready), daemon=True).start()
        assert ready.wait(120), "".join(self.output)
        found = re.findall(r"Serving .* at http://127\.0\.0\.1:(\d+)", "".join(self.output))
        assert found, "".join(self.output)
        self.port = int(found[-1])
        return self

    def kill(self) -> None:
        """`kill -9` of the server and its worker, as a power cut would end them."""
        assert self.process is not None
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        for pid in [self.process.pid, *map(int, children.stdout.split())]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def _read(self, process: "subprocess.Popen[str]", ready: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output.append(line)
            if line.startswith("Serving "):
                ready.set()
        ready.set()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts a server and stops it after the test."""
    servers: list[Server] = []

    def start(*arguments: str) -> Server:
        servers.append(Server(list(arguments), 0))
        return servers[-1].start()

    yield start
    for server in servers:
        server.stop()


def link_of(folder: Path, server: Server, arm: str) -> str:
    """The link of the first participant in `arm`, enrolling until there is one."""
    study = Study.open(folder)
    try:
        while True:
            for person in study.participants():
                if person.arm.name == arm:
                    return server.url + study.participant_path(person.code)
            take_in(study)
    finally:
        study.close()


def begin(page: Page) -> None:
    """From the page of today to the step of the visit that is due."""
    page.locator("#next").click()


def rate(page: Page, value: int) -> None:
    """Rate distress on the line, by keyboard; begin or go on with the visit first where the page is that of today."""
    if page.locator("#next").count():
        begin(page)
    line = page.locator("#value")
    line.focus()
    page.keyboard.press("Home")
    for _ in range(value):
        page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Continue").click()


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is so."""
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it did not come about"
        time.sleep(0.05)

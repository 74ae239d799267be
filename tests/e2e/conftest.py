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
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from study.access import accounts
from study.access.roles import Role
from study.clock import FileClock
from study.enrolment import take_in
from study.study import Study, create
from tests import trial

if TYPE_CHECKING:
    from tests.e2e.faulty import Site

expect.set_options(timeout=20_000)  # a slow machine that does nine things at once is no fault

MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When the tests of faults begin."""


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
    environment: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[str] | None" = None
    output: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Server":
        command = [sys.executable, "-m", "bedside", *self.arguments, "--port", str(self.port)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **self.environment}
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


PASSWORD = "four quiet lamps beside a harbour"


def sign_in(page: Page, server: Server, folder: Path, *roles: Role) -> str:
    """Make an account with these roles and sign `page` in with it, by the form; returns the account's name."""
    study = Study.open(folder)
    try:
        name = f"{' and '.join(roles)} {len(accounts.everybody(study)) + 1}"
        token = accounts.add(study, name, roles, by="test")
        app = pyotp.TOTP(accounts.invitation(study, token).secret)
        accounts.accept(study, token, PASSWORD, app.now())
    finally:
        study.close()
    page.goto(server.url + "/console/sign-in")
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Your password", exact=True).fill(PASSWORD)
    code = page.locator("#code")
    if code.count():  # no code is taken twice, and that of this half minute set the account up
        code.fill(app.at(datetime.now(UTC), counter_offset=1))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()
    return name


def begin(page: Page) -> None:
    """From the page of today to the step of the visit that is due."""
    page.locator("#next").click()


def rate(page: Page, value: int) -> None:
    """Rate distress on the line, by keyboard; begin or go on with the visit first where the page is that of today."""
    if page.locator("#next").count():
        begin(page)
    line = page.locator("#value[type=range]")  # the number field, once the page's script has made a line of it
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


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Site"]:
    """One study that asks for everything, served on a clock that tests move, for all tests of faults."""
    from tests.e2e.faulty import Site, SlowModel

    model = SlowModel()
    folder = tmp_path_factory.mktemp("faults") / "mystudy"
    path = create(folder)
    engine = f'kind = "openai"\nmodel = "slow"\nbase_url = "{model.url}"'
    text = path.read_text().replace('kind = "transformers"\nmodel = "smollm2"', engine, 1)
    path.write_text(text.replace("timeout_s = 20", "timeout_s = 50"))
    trial.write(folder)
    clock = FileClock(folder / "clock")
    clock.set(MORNING)
    environment = {"XDG_CONFIG_HOME": str(folder.parent)}
    server = Server(["serve", str(folder), "--rehearsal-clock", str(clock.path)], 0, environment).start()
    study = Study.open(folder, clock=clock)
    yield Site(folder, server, study, clock, model)
    study.close()
    model.let()
    server.stop()
    model.shutdown()


@pytest.fixture
def site(house: "Site") -> Iterator["Site"]:
    """The same on the morning of a day, with a line of this test's own."""
    house.clock.set(MORNING)
    with house.on_a_line():
        yield house

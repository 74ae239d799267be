"""What all tests share: a study in a temporary folder, on a clock the test moves; one browser."""

import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from study.study import Study, create
from tests import trial

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("bedside", deadline=None)
settings.load_profile("bedside")

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class HandClock:
    """A clock that stands until the test moves it."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    where = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert where, "make test installs Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=where, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """No test writes its log to the stream of the test before it, as `bedside` run in this process leaves it."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study's folder with the protocol that `bedside init` writes, answered by the 1966 rules for speed."""
    folder = tmp_path / "mystudy"
    path = create(folder)
    text = path.read_text().replace('kind = "transformers"\nmodel = "smollm2"', 'kind = "eliza"')
    path.write_text(text.replace("block_sizes = [3, 6] ", "block_sizes = [3] "))
    return folder


@pytest.fixture
def study(folder: Path, clock: HandClock) -> Iterator[Study]:
    opened = Study.open(folder, clock=clock)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test finds or leaves a key in the configuration of whoever runs it."""
    monkeypatch.delenv("BEDSIDE_IDENTITY_KEY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    return tmp_path / "configuration"


@pytest.fixture
def whole(folder: Path, clock: HandClock) -> Iterator[Study]:
    """A study that asks for everything a protocol can ask for."""
    trial.write(folder)
    opened = Study.open(folder, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def ros_domain() -> int:
    """A ROS domain of the test's own, so that robots of other tests and of this network are not heard."""
    return secrets.randbelow(90) + 10

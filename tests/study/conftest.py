"""A study that asks for everything, and keys of identities that are the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from study.study import Study
from tests.conftest import HandClock
from tests.study import trial


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

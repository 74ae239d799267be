"""A folder for tests that write records."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # noqa: S108 - only looked for; the folder in it is made by tempfile
ENOUGH = 1 << 30


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory, where there is such a place: a record is synchronised at every write, thousands of times.

    What is proved of records is proved by killing processes, not by cutting the power, so nothing is lost by it.
    """
    name = re.sub(r"\W", "_", request.node.name)[:30]
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ENOUGH:
        yield tmp_path_factory.mktemp(name)
        return
    with tempfile.TemporaryDirectory(prefix=f"bedside-{name}-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        yield Path(folder)

"""The figures in the documents come from benchmarks; each of them can be started as the documents say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = sorted(path.name for path in (ROOT / "benchmarks").glob("[!_]*.py") if path.name != "validation.py")
"""validation.py takes no options, and tests/study/statistics/test_against_r.py runs it; what begins with _ is shared."""


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_starts_as_the_documents_say(name: str) -> None:
    assert any(f"benchmarks/{name}" in path.read_text() for path in (ROOT / "docs").glob("*.md"))
    command = [sys.executable, f"benchmarks/{name}", "--help"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert "--" in said.stdout

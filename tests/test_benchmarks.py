"""The figures in the documents come from benchmarks; each of them can be started as the documents say."""

import json
import random
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


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a benchmark's script finds beside it is found by the test, too."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.mark.usefixtures("scripts")
def test_what_the_documents_say_of_the_engine_is_what_was_measured() -> None:
    from figures import PLACE, RESULTS, fill

    page = (ROOT / "docs" / "performance.md").read_text()
    assert fill(page, RESULTS) == page
    assert {path.stem for path in RESULTS.glob("*.json")} <= {place["name"] for place in PLACE.finditer(page)}


@pytest.mark.usefixtures("scripts")
def test_a_table_that_was_measured_anew_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    from figures import fill

    (tmp_path / "one.json").write_text(json.dumps({"table": "| new |"}))
    page = "Before.\n<!-- one -->\n| old |\n<!-- end -->\n<!-- two -->\nstays\n<!-- end -->\n"
    assert fill(page, tmp_path) == page.replace("old", "new")


@pytest.mark.usefixtures("scripts")
@pytest.mark.parametrize(("a_minute", "grows"), [(0.0, False), (5.0, True)])
def test_the_soak_tells_growth_from_noise(a_minute: float, grows: bool) -> None:
    from soak import growth

    chance = random.Random(7)
    seconds = [10.0 * number for number in range(120)]
    memory = [1000 + a_minute * at / 60 + chance.gauss(0, 10) for at in seconds]
    found = growth(seconds, memory)
    assert (found.low > 0) is grows
    assert found.low < a_minute * seconds[-1] / 60 < found.high


@pytest.mark.usefixtures("scripts")
def test_a_soak_of_few_minutes_says_nothing() -> None:
    from soak import growth

    assert growth([0.0, 60.0, 120.0], [1.0, 1.0, 1.0]).high == float("inf")


@pytest.mark.usefixtures("scripts")
def test_an_answer_that_is_half_written_when_time_is_over_counts_by_half() -> None:
    from _chats import Answer

    how = {"first_token_ms": 1000.0, "last_token_ms": 3000.0, "tokens_out": 20}
    answer = Answer(visit=1, reply_to=2, sent=100.0, first_sentence=102.0, whole=103.1, provenance=how)
    assert [answer.tokens_until(moment) for moment in (100.5, 102.0, 103.0, 200.0)] == [0.0, 10.0, 20.0, 20.0]

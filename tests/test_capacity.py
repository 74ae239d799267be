"""The arithmetic of docs/capacity.md."""

import random
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def capacity() -> Any:
    spec = spec_from_file_location("capacity", ROOT / "benchmarks" / "capacity.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_place_is_busy_as_often_as_it_is_taken(capacity: Any) -> None:
    assert capacity.busy(1, 0.7) == pytest.approx(0.7)


def test_the_formula_agrees_with_its_definition(capacity: Any) -> None:
    # Erlang C by its sums, 10 places and a load of 8.
    from math import factorial

    last = 8**10 / factorial(10) * 10 / (10 - 8)
    assert capacity.busy(10, 8) == pytest.approx(last / (sum(8**k / factorial(k) for k in range(10)) + last))


def test_the_formula_agrees_with_a_queue_that_is_played_through(capacity: Any) -> None:
    draw = random.Random(1)
    places, per_second, service = 4, 1.6, 2.0
    free, now, late, many = [0.0] * places, 0.0, 0, 60_000
    for _ in range(many):
        now += draw.expovariate(per_second)
        first = min(range(places), key=free.__getitem__)
        begin = max(now, free[first])
        late += begin - now > 1.0
        free[first] = begin + draw.expovariate(1 / service)
    assert late / many == pytest.approx(capacity.wait_longer_than(1.0, places, per_second, service), abs=0.03)


@pytest.mark.parametrize("places", [1, 2, 8, 32])
def test_one_participant_more_is_too_many(capacity: Any, places: int) -> None:
    most = capacity.participants(answers=10, places=places, service_s=0.9, peak_share=0.2, wait_s=2.0, late_share=0.05)

    def holds(number: int) -> bool:
        per_second = number * 0.2 * 10 / 3600
        late = capacity.wait_longer_than(2.0, places, per_second, 0.9)
        return bool(late <= 0.05 and per_second * 0.9 <= 0.7 * places)

    assert holds(most)
    assert not holds(most + 1)


def test_every_figure_of_the_page_is_what_its_command_prints() -> None:
    page = (ROOT / "docs" / "capacity.md").read_text()
    rows = re.findall(r"\| ([\d ]+) \| `python (benchmarks/capacity\.py [^`]*)` \|", page)
    assert len(rows) >= 3
    for figure, command in rows:
        said = subprocess.run([sys.executable, *command.split()], cwd=ROOT, capture_output=True, text=True, check=True)
        assert said.stdout.startswith(f"{figure.replace(' ', '')} participants a day"), command

"""The sequence for show: rebuilt from docs/allocation.md alone, and never the study's own."""

import csv
import hashlib
import io
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from bedside.cli import main
from study.allocation import sequence
from study.allocation_rehearsal import rehearse
from study.enrolment import take_in
from study.study import Study
from tests import trial
from tests.conftest import HandClock

ARMS = ["robot", "chat", "worksheet"]


def printed(folder: Path, *options: str) -> list[dict[str, str]]:
    done = CliRunner().invoke(main, ["allocation", "simulate", str(folder), *options])
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(io.StringIO(done.output)))


def test_anybody_can_rebuild_it(folder: Path) -> None:
    """An independent reading of docs/allocation.md, in another style than the code's."""
    trial.write(folder, ("block_sizes = [3] ", "block_sizes = [3, 6] "))

    def h(text: str) -> int:
        return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")

    seed = "simulate 007"
    waiting: dict[str, list[tuple[int, str]]] = {}
    next_block: dict[str, int] = {}
    expected = []
    for number in range(1, 201):
        sex = ("female", "male", "other")[h(f"{seed}/participant/{number}/sex") % 3]
        k10 = ("below 20", "20 or more")[h(f"{seed}/participant/{number}/k10") % 2]
        stratum = f"sex: {sex}; k10: {k10}"
        if not waiting.get(stratum):
            block = next_block.get(stratum, 0)
            next_block[stratum] = block + 1
            size = (3, 6)[h(f"{seed}/{stratum}/{block}/size") % 2]
            arms = [ARMS[slot * 3 // size] for slot in range(size)]
            keys = sorted((h(f"{seed}/{stratum}/{block}/{slot}"), arms[slot]) for slot in range(size))
            waiting[stratum] = [(block, arm) for _, arm in keys]
        block, arm = waiting[stratum].pop(0)
        expected.append({"participant": str(number), "stratum": stratum, "block": str(block), "arm": arm})
    assert printed(folder, "--participants", "200", "--seed", "007") == expected
    assert len(waiting) == 6


def test_the_same_seed_gives_the_same_and_another_another(folder: Path) -> None:
    first = printed(folder, "--participants", "60", "--seed", "1")
    assert first == printed(folder, "--participants", "60", "--seed", "1")
    assert first != printed(folder, "--participants", "60", "--seed", "2")


def test_it_is_never_the_studys_own(folder: Path, clock: HandClock) -> None:
    study = Study.open(folder, clock=clock)
    own = [take_in(study).arm.name for _ in range(60)]
    secret = study.key.allocation_seed(str(study.protocol.allocation.seed))
    assert [slot.arm for slot in islice(sequence(secret, "all", ARMS, [1, 1, 1], [3]), 60)] == own
    for seed in (str(study.protocol.allocation.seed), "0", "1", secret):
        assert [one.arm for one in rehearse(study.protocol, seed, 60)] != own
    assert len(study.records.rows("SELECT * FROM participant")) == 60


def test_many_factors_are_no_trouble(folder: Path) -> None:
    """Thirty questions of two answers make a thousand million strata, of which only those that occur are made."""
    names = [f"q{number}" for number in range(30)]
    asked = "".join(f'[[screening]]\nname = "{name}"\nask = "Yes?"\nkind = "yes-no"\n\n' for name in names)
    strata = ", ".join(f'{{ name = "{name}", question = "{name}" }}' for name in names)
    path = folder / "study.toml"
    text = path.read_text().replace("block_sizes = [3] ", f'method = "minimisation"\nstrata = [{strata}] ')
    path.write_text(text.replace("[engine]\n", asked + "[engine]\n", 1))
    assert len(printed(folder, "--participants", "10", "--seed", "1")) == 10


def test_minimisation_has_no_blocks(folder: Path) -> None:
    trial.write(folder, ("block_sizes = [3] ", 'method = "minimisation" '))
    rows = printed(folder, "--participants", "90", "--seed", "1")
    assert {row["block"] for row in rows} == {""}
    assert all(25 <= sum(row["arm"] == arm for row in rows) <= 35 for arm in ARMS)


@pytest.mark.parametrize(
    "options",
    [
        ["--participants", "0", "--seed", "1"],
        ["--participants", "5"],
        ["--seed", "1"],
        ["--participants", "5", "--seed", "x"],
        ["--participants", "5", "--seed", "1_0"],
    ],
)
def test_wrong_options_are_refused(folder: Path, options: list[str]) -> None:
    done = CliRunner().invoke(main, ["allocation", "simulate", str(folder), *options])
    assert done.exit_code == 2

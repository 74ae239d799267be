"""`bedside power`, as one types it."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bedside.cli import main
from study.power.assumptions import Assumptions
from tests.power import quick


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is done in this process: others take seconds to start."""

    def each(function: Callable[[Any], Any], work: Sequence[Any], *, jobs: int) -> Iterator[tuple[int, Any]]:
        return ((place, function(piece)) for place, piece in enumerate(work))

    monkeypatch.setattr("study.power.running.each", each)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return quick(tmp_path / "study")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["power", *(str(one) for one in arguments)])


SMALL = ("--effect", "robot=-9", "--replicates", 4)


def test_it_prints_power_and_what_it_rests_on_and_writes_the_files(study: Path) -> None:
    done = run(study, *SMALL, "--participants", 20, "--participants", "24:32:8", "--scale", 1, "--scale", 0)
    assert done.exit_code == 0, done.output
    for word in (
        "robot - chatbot",
        "at least one",
        "--sd-between",
        "assumption",
        "--dropout",
        "The reference is chatbot",
    ):
        assert word in done.output
    grid = done.output[done.output.index("Power over participants") :].splitlines()
    assert grid[2].split() == ["Contrast", "Effect", "20", "24", "32"]
    folder = study / "power"
    assert {path.name for path in folder.iterdir()} == {
        "power.csv", "power.json", "assumptions.csv", "power.svg", "replicates",
    }  # fmt: skip
    with (folder / "power.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["participants"], row["scale"]) for row in rows[::4]] == [
        (number, scale) for scale in ("1.0", "0.0") for number in ("20", "24", "32")
    ]
    assert {row["replicates"] for row in rows} == {"4"}
    assert [row["effect"] for row in rows[:4]] == ["-9.0", "0.0", "-9.0", ""]


def test_json_is_json_and_the_same_twice(study: Path) -> None:
    once, twice = (run(study, *SMALL, "--participants", 20, "--json").stdout for _ in range(2))
    assert once == twice
    found = json.loads(once)
    assert found == json.loads((study / "power" / "power.json").read_text())
    assert found["assumed"]["effects"] == {"robot": -9.0}
    assert found["replicates"] == 4
    assert [row["contrast"] for row in found["power"]] == [
        "robot - chatbot", "worksheet - chatbot", "robot - worksheet", "any",
    ]  # fmt: skip
    other = json.loads(run(study, *SMALL, "--participants", 20, "--json", "--seed", 2).stdout)
    assert other["power"] != found["power"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--participants", "20"), "Missing option '--effect'."),
        (("--effect", "robot", "--participants", "20"), "'robot' is no NAME=POINTS; write for example robot=-5."),
        (("--effect", "robot=x", "--participants", "20"), "'robot=x' is no NAME=POINTS"),
        (("--effect", "robot=nan", "--participants", "20"), "'robot=nan' is no NAME=POINTS"),
        (("--effect", "robot=1", "--effect", "robot=2", "--participants", "20"), "robot is there twice."),
        (("--effect", "robo=-5", "--participants", "20"), "--effect names the arm 'robo'; allowed: robot, worksheet."),
        (("--effect", "chatbot=-5", "--participants", "20"), "--effect names chatbot, the reference"),
        (("--effect", "robot=-5", "--participants", "1"), "1 is too few participants to compare."),
        (("--effect", "robot=-5", "--participants", "many"), "'many' is no number of participants"),
        (("--effect", "robot=-5", "--participants", "30:20:5"), "'30:20:5' has nothing in it"),
        (("--effect", "robot=-5", "--participants", "20:30:0"), "'20:30:0' has nothing in it"),
        (("--effect", "robot=-5", "--participants", "20", "--scale", "nan"), "nan is no factor"),
        (("--effect", "robot=-5", "--participants", "20", "--dropout", "1.5"), "--dropout is 1.5; it is a share"),
        (("--effect", "robot=-5", "--participants", "20", "--factor", "age=3"), "--factor names 'age'; allowed: severity."),
        (("--effect", "robot=-5", "--participants", "20", "--replicates", "0"), "0 is not in the range"),
    ],
)  # fmt: skip
def test_a_bad_option_is_one_line(study: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(study, *arguments)
    assert done.exit_code == 2, done.output
    lines = [line for line in done.output.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, done.output
    assert said in lines[0]
    assert not (study / "power").exists()


def test_without_a_number_it_is_as_many_as_study_toml_plans(study: Path) -> None:
    path = study / "study.toml"
    text = path.read_text()
    path.write_text(text.replace("participants = 38 ", "participants = 21 "))
    found = json.loads(run(study, *SMALL, "--json").stdout)
    assert {row["participants"] for row in found["power"]} == {21}
    path.write_text(text.replace("participants = 38 ", "# "))
    done = run(study, *SMALL)
    assert (done.exit_code, done.output.count("Error: ")) == (2, 1)
    assert "does not say how many participants are planned: give --participants" in done.output
    path.write_text(text.replace("participants = 38 ", "participants = 1 "))
    assert "plans 1 participants: give --participants, from 2 to 99,999." in run(study, *SMALL).output


def test_a_study_without_a_plan_is_one_line(study: Path) -> None:
    path = study / "study.toml"
    path.write_text(path.read_text()[: path.read_text().index("[analysis]")])
    done = run(study, *SMALL, "--participants", 20)
    assert done.exit_code == 2
    assert "study.toml has no [analysis]" in done.output
    assert "add [analysis] (docs/protocol.md); once somebody came, by `bedside amend`." in done.output


def test_trials_that_cannot_be_analysed_are_told(study: Path) -> None:
    done = run(study, *SMALL, "--participants", 6, "--missed", 0.98)
    assert done.exit_code == 0, done.output
    assert "4 of 4 simulated trials could not be analysed and count as showing nothing." in " ".join(
        done.output.split()
    )


def test_the_options_assume_what_the_simulation_does() -> None:
    """Else a number that was left out would be said to have been chosen."""
    options = {one.name: one.default for one in main.commands["power"].params}
    assumed = {one.name: one.default for one in fields(Assumptions) if one.default is not MISSING}
    assert {name: options[name] for name in assumed} == assumed

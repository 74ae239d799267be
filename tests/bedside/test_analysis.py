"""`bedside analyze`: the plan of a study on its record, and a plan of its own on any table."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bedside.cli import main
from study import blinding, forms, visits
from study.enrolment import take_in
from study.study import Study
from study.withdrawal import withdraw
from tests import exporting
from tests.conftest import HandClock

PLAN = """
[analysis]
primary = { measure = "distress", when = "after", change_from = "before" }
secondary = [{ measure = "k10", when = "day 2", change_from = "baseline" }]
random = "intercept"
covariates = ["where"]
contrasts = [["robot", "chat"], ["worksheet", "chat"]]
imputations = 5
randomisations = 200

[analysis.estimand]
population = "Everybody who was allocated"
treatment = "Fifteen days with the robot, in the chat or on the worksheet"
variable = "Change of distress from before to after each visit"
intercurrent_events = "As if nobody had missed a visit"
summary = "Difference of the mean changes"
"""

NAMES = ("robot", "chat", "worksheet")


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """Twelve participants who came for three days, made through the study's own doors; one withdrew on the second."""
    folder = tmp_path_factory.mktemp("trial") / "study"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "TAIL", exporting.TAIL + PLAN)
        exporting.write_protocol(folder)
    clock = HandClock(exporting.BEGIN)
    study = Study.open(folder, clock=clock)
    joined = []
    for number in range(12):
        clock.forward(minutes=7)
        answers = {"age": 20 + number, "region": ("the north, mostly", "the south")[number % 2]}
        k10: dict[str, int | None] = {str(item): 1 + (number + item) % 3 for item in range(1, 11)}
        joined.append(take_in(study, answers=answers, scores={"k10": k10}))
    fall = {"robot": 22, "chat": 4, "worksheet": 15}
    for day in range(1, 4):
        for number, participant in enumerate(joined):
            clock.forward(minutes=9)
            if number == 5 and day > 1:
                continue
            visit = visits.today(study, participant)
            assert visit is not None
            while (due := forms.due_in_visit(study, visit)) is not None:
                given = {str(item): 1 + (number * item + day) % 2 for item in range(1, 11)}
                forms.submit(study, participant.code, due, given)
            before = 50 + (number * 7 + day * 5) % 23
            visit = visits.rate(study, visit, "before", before)
            visit = visits.finish_exercise(study, visit)
            after = before - fall[participant.arm.name] - (number * 3 + day * 11) % 9
            visit = visits.rate(study, visit, "after", after)
            while (due := forms.due_in_visit(study, visit)) is not None:
                forms.submit(study, participant.code, due, {"1": 1, "2": 2, "3": 1 + number % 3})
        if day == 1:
            withdraw(study, joined[5].code, by="the lab", reason="No time.")
        clock.forward(hours=22)
    yield study
    study.close()


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["analyze", *map(str, arguments)])


@pytest.fixture(scope="module")
def told(trial: Study) -> dict[str, Any]:
    result = run(trial.folder, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def table(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return next(one["rows"] for section in told["sections"] for one in section["tables"] if one["name"] == name)


def test_the_plan_is_run_on_the_record(trial: Study, told: dict[str, Any]) -> None:
    contrasts = table(told, "primary_contrasts")
    assert [(row["arm"], row["compared_with"]) for row in contrasts] == [("robot", "chat"), ("worksheet", "chat")]
    assert contrasts[0]["difference"] == pytest.approx(-18, abs=2)
    assert contrasts[1]["difference"] == pytest.approx(-11, abs=2)
    assert all(row["p_adjusted"] < 0.05 for row in contrasts)
    means = table(told, "primary_means")
    assert sum(row["values"] for row in means) == 12 * 3 - 2
    departures = next(one for one in told["sections"] if one["name"] == "departures")
    assert any("this is an analysis before its end" in one for one in departures["text"])
    assert (told["blinded"], told["rehearsal"]) == (False, False)


def test_the_terminal_has_the_primary_answer_first(trial: Study) -> None:
    result = run(trial.folder)
    assert result.exit_code == 0, result.output
    assert result.output.index("robot and chat differ: robot minus chat is") < result.output.index("Secondary outcomes")
    assert re.search(r"^Data [0-9a-f]{64}$", result.output, re.MULTILINE)
    assert "the analyst is blinded: give them what --as analyst makes" in result.output


def test_out_has_the_results_and_every_table_with_what_it_was_computed_from(
    trial: Study, told: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "analysis"
    assert run(trial.folder, "--out", out).exit_code == 0
    assert json.loads((out / "results.json").read_text()) == told
    names = {one["name"] for section in told["sections"] for one in section["tables"]}
    assert {path.stem for path in out.glob("*.csv")} == names
    for path in out.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                assert row["data_sha256"] == told["data_sha256"]
                assert row["plan_sha256"] == told["plan_sha256"]
                assert row["bedside_version"] == told["version"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    refused = run(trial.folder, "--out", other)
    assert refused.exit_code == 2
    assert "holds something that is no analysis" in refused.output
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


def test_twice_is_the_same_bytes(trial: Study, told: dict[str, Any]) -> None:
    """In a process of its own, with another seed for the order of sets."""
    again = subprocess.run(
        [sys.executable, "-m", "bedside", "analyze", str(trial.folder), "--json"],
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        check=True,
    )
    assert again.stdout.decode() == run(trial.folder, "--json").output


def test_who_is_blinded_gets_the_answer_by_labels_until_the_unblinding(trial: Study, told: dict[str, Any]) -> None:
    result = run(trial.folder, "--as", "analyst", "--json")
    masked = json.loads(result.output)
    assert masked["blinded"] is True
    for name in NAMES:
        assert name not in result.output, result.output[result.output.index(name) - 80 :][:160]
    label = blinding.labels(trial, "analyst")
    shown = {
        frozenset((row["arm"], row["compared_with"])): abs(row["difference"])
        for row in table(masked, "primary_contrasts")
    }
    assert len(shown) == 3  # all pairs: the plan's two would tell which label is the chat
    for row in table(told, "primary_contrasts"):
        pair = frozenset((label[row["arm"]], label[row["compared_with"]]))
        assert shown[pair] == pytest.approx(abs(row["difference"]))
    text = run(trial.folder, "--as", "analyst").output
    assert all(name not in text for name in NAMES)


def test_a_study_without_a_plan_and_a_folder_without_a_study_are_one_line(folder: Path, tmp_path: Path) -> None:
    result = run(folder)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "has no plan of an analysis: add [analysis]" in result.output
    assert run(tmp_path / "nowhere").exit_code == 2


# Any table


ROWS = "subject;arm;day;score\n" + "".join(
    f"s{one};{'ab'[one % 2]};{day};{5 * (one % 3) + 2 * day * (one % 2) + (one * day * 7) % 5}\n"
    for one in range(1, 13)
    for day in (1, 2, 3)
)

TIDY = """
[data]
outcome = "score"
participant = "subject"
arm = "arm"
day = "day"
separator = ";"

[contrasts]
at = { day = 3 }
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "table.csv").write_text(ROWS)
    (tmp_path / "plan.toml").write_text(TIDY)
    return tmp_path / "table.csv", tmp_path / "plan.toml"


def test_any_table_is_analysed_by_a_plan_that_names_its_columns(files: tuple[Path, Path]) -> None:
    result = run("--csv", files[0], "--plan", files[1], "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert {one["name"] for one in found["estimates"]} == {"(Intercept)", "arm[b]", "day", "arm[b]:day"}
    assert set(found["estimates"][0]) == {"name", "value", "se", "df", "statistic", "p", "low", "high"}
    assert set(found) >= {
        "covariance",
        "loglik",
        "reml_criterion",
        "aic",
        "variances",
        "means",
        "contrasts",
        "n_values",
    }
    estimates = {one["name"]: one["value"] for one in found["estimates"]}
    assert found["contrasts"][0]["value"] == pytest.approx(-(estimates["arm[b]"] + 3 * estimates["arm[b]:day"]))
    out = files[0].parent / "out"
    for _ in range(2):  # in place of the earlier one
        assert result.output == run("--csv", files[0], "--plan", files[1], "--json", "--out", out).output
        assert (out / "results.json").read_text() == result.output
    shown = run("--csv", files[0], "--plan", files[1])
    assert "36 values of 12 participants; 0 rows left out." in shown.output
    assert "arm[b]:day" in shown.output


def test_what_is_wrong_with_a_table_or_a_plan_is_one_line(files: tuple[Path, Path]) -> None:
    table_, plan = files
    for text, said in (
        (ROWS.replace("score", "points"), "table.csv has no column 'score'; it has subject, arm, day, points."),
        (ROWS.replace("s1;b;1;", "s1;b;one;"), "table.csv: line 2: day is 'one', which is no number"),
        ("", "table.csv is empty"),
    ):
        table_.write_text(text)
        result = run("--csv", table_, "--plan", plan)
        assert result.exit_code == 2
        assert result.output.startswith(f"Error: {said}")
        assert result.output.count("\n") == 1
    plan.write_text(TIDY + "[modle]\n")
    assert run("--csv", table_, "--plan", plan).output == (
        "Error: plan.toml: modle is not a key of the plan; did you mean model?.\n"
    )
    plan.write_text(TIDY.replace("[data]", "[dta]") + "[modle]\n")
    several = run("--csv", table_, "--plan", plan).output
    assert "modle is not a key of the plan" in several
    assert "dta is not a key of the plan" in several


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name the study's folder, or a table: --csv FILE --plan PLAN.toml."),
        (["--csv", "{table}"], "--csv FILE and --plan PLAN.toml go together."),
        (["--plan", "{plan}"], "--csv FILE and --plan PLAN.toml go together."),
        (["mystudy", "--csv", "{table}", "--plan", "{plan}"], "leave out DIR, --as and --rehearsal"),
    ],
)
def test_a_study_or_a_table_is_asked_for(arguments: list[str], said: str, files: tuple[Path, Path]) -> None:
    result = run(*(one.format(table=files[0], plan=files[1]) for one in arguments))
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_the_example_of_the_help_is_a_plan(tmp_path: Path) -> None:
    from study.analysis.tidy import load_plan

    said = run("--help").output
    lines = said[said.index("    [data]") : said.index("  Example:\n    bedside analyze --csv")].splitlines()
    (tmp_path / "plan.toml").write_text("\n".join(line.strip() for line in lines))
    assert load_plan(tmp_path / "plan.toml").terms == ["bdi.pre", "treatment", "time", "treatment:time"]

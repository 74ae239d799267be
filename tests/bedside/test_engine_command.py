"""`bedside engine probe`: what was measured of a model on this machine, as a table and as data."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bedside.cli import main
from tests.therapist.engines.test_other_models import make


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEDSIDE_CACHE", str(tmp_path / "cache"))
    return make(tmp_path / "model", "llama")


def test_it_shows_every_precision_and_which_is_taken_and_measures_once(folder: Path) -> None:
    run = CliRunner().invoke(main, ["engine", "probe", "--model", str(folder)])
    assert run.exit_code == 0, run.output
    for precision in ("float32", "bfloat16", "int8"):
        assert precision in run.stdout
    assert run.stdout.count("(taken)") == 1
    assert "Measuring" in run.stderr
    again = CliRunner().invoke(main, ["engine", "probe", "--model", str(folder), "--json"])
    found = json.loads(again.stdout)
    assert f"{found['chosen']} (taken)" in run.stdout
    assert [row["precision"] for row in found["rows"]] == ["float32", "bfloat16", "int8"]
    assert again.stderr == ""
    anew = CliRunner().invoke(main, ["engine", "probe", "--model", str(folder), "--json", "--again"])
    assert "Measuring" in anew.stderr


def test_a_model_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["engine", "probe", "--model", str(tmp_path / "nothing")])
    assert run.exit_code != 0
    assert "Traceback" not in run.output

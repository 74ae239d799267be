"""A tiny audit end to end: the real command line, inspect_ai, real engines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log

from audit.results import Key, newest, rows
from tests.audit.machinery import ROOT, Server, bedside


def test_an_audit_of_eliza_with_its_floor_becomes_logs_rows_and_a_summary(tmp_path: Path) -> None:
    ran = bedside("audit", "eliza", "--suite", "tiny", "--limit-items", "6", cwd=tmp_path)
    assert "Wrote audits/audit.json" in ran.communicate(timeout=120)[0]
    assert ran.returncode == 0

    found = newest(tmp_path / "audits")
    assert list(found) == [Key("tiny", "baseline/tiny.constant", "neutral"), Key("tiny", "bedside/eliza", "neutral")]
    table = rows([one.path for one in found.values()])
    constant, eliza = (table[table["model"] == model] for model in ("baseline/tiny.constant", "bedside/eliza"))
    assert list(eliza["item"]) == [f"loss.{number}" for number in range(6)]
    assert list(eliza["held_out"]) == [False, True] * 3
    assert set(eliza["feeling"]) == {"sad"}
    assert (constant["asks"] == 0).all()
    assert 0 < eliza["asks"].mean() < 1, "half of ELIZA's replies are questions"
    assert (eliza["asks.words"] == [len(said[-1][1].split()) for said in eliza["transcript"]]).all()
    assert eliza["transcript"].iloc[0][0][0] == "system", "the persona comes first"

    [pair] = json.loads((tmp_path / "audits" / "audit.json").read_text())["pairs"]
    assert pair["engine"]["model"] == "bedside/eliza"
    assert len(pair["engine"]["sha256"]) == 64
    assert pair["persona"]["name"] == "neutral"
    [held_out] = pair["suites"]["tiny"]["estimates"]["held_out"]
    assert held_out["value"] == eliza[eliza["held_out"]]["asks"].mean()
    assert held_out["n"] == 3
    assert held_out["high"] is None, "what is no number is null"
    assert (tmp_path / "audits" / pair["suites"]["tiny"]["log"]).is_file()

    again = bedside("audit", "eliza", "--suite", "tiny", "--limit-items", "6", cwd=tmp_path)
    assert "2 of 2 parts are done already" in again.communicate(timeout=120)[0]


@pytest.mark.parametrize("then", ["from the same place", "from elsewhere"])
def test_an_audit_that_is_killed_goes_on_where_it_was(tmp_path: Path, then: str) -> None:
    server = Server(answers=12)
    command = ("audit", server.url, "--model", "small", "--persona", "neutral", "--suite", "tiny", "--no-baselines")
    command += ("--folder", str(tmp_path / "audits"))
    ran = bedside(*command, cwd=tmp_path)
    assert server.exhausted.wait(120)
    [folder] = (tmp_path / "audits" / "logs").iterdir()
    while not _kept(folder):
        assert ran.poll() is None, ran.communicate()[0]
    ran.kill()
    ran.wait()
    kept = _kept(folder)
    server.stop()

    after = Server(answers=100, port=server.server_address[1])
    where = tmp_path if then == "from the same place" else ROOT  # seen from there, the task's own file has another path
    said = bedside(*command, cwd=where).communicate(timeout=120)[0]
    after.stop()
    assert f"which goes on after {kept} answers or more" in said
    assert 0 < kept <= 12
    # Of the twelve, inspect_ai also finds those that it had not written into the log yet.
    assert 24 - 12 <= len(after.asked) <= 24 - kept, "what was answered is not asked again"
    [found] = newest(tmp_path / "audits").values()
    assert sorted(rows(found.path)["item"]) == sorted(f"loss.{number}" for number in range(24))


def test_a_suite_runs_by_inspect_ais_own_command_too(tmp_path: Path) -> None:
    """Bedside as it is installed says so by an entry point (pyproject.toml)."""
    command = [sys.executable, "-m", "inspect_ai", "eval", "audit/crisis_screen", "--model", "bedside/eliza"]
    options = ["-T", "limit_items=4", "--log-dir", str(tmp_path), "--display", "none"]
    ran = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [key] = newest(tmp_path)
    assert key == Key("crisis_screen", "bedside/eliza", "neutral")


def _kept(folder: Path) -> int:
    """How many answers are in the logs of `folder`."""
    found = 0
    for log in folder.glob("*.eval"):
        try:
            found += len(read_eval_log(str(log)).samples or [])
        except Exception:  # it is being written
            return 0
    return found

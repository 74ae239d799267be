"""Which logs make the summary of an audit: those of one engine and one text of a persona, and of no other."""

from dataclasses import replace
from pathlib import Path

import pytest
from inspect_ai import eval

import audit._registry  # noqa: F401 # so that inspect_ai knows our models
from audit.engines import AuditedEngine, engine_named
from audit.running import Options, Piece
from audit.suite import suite_named
from audit.summary import summarise

pytestmark = pytest.mark.usefixtures("tiny")

ELIZA = engine_named("eliza")


def ran(folder: Path, engine: AuditedEngine, persona: str = "neutral", suite: str = "tiny") -> None:
    piece = Piece(suite, engine, persona, Options(limit_items=2))
    task = suite_named(suite).task(**piece.arguments)
    [log] = eval(task, model=engine.model, metadata=piece.about, log_dir=str(folder), display="none", ctl_server=False)
    assert log.status == "success"


def test_what_was_measured_with_other_weights_is_left_out(tmp_path: Path) -> None:
    ran(tmp_path, replace(ELIZA, sha256="0" * 64), suite="crisis_screen")
    ran(tmp_path, ELIZA)
    [pair] = summarise(tmp_path)["pairs"]
    assert pair["engine"]["sha256"] == ELIZA.sha256
    assert list(pair["suites"]) == ["tiny"]


def test_personas_stand_beside_each_other(tmp_path: Path) -> None:
    ran(tmp_path, ELIZA)
    ran(tmp_path, ELIZA, "warm_trait")
    neutral, warm = summarise(tmp_path)["pairs"]
    assert (neutral["persona"]["name"], warm["persona"]["name"]) == ("neutral", "warm_trait")
    assert neutral["persona"]["sha256"] != warm["persona"]["sha256"]
    assert len(warm["suites"]["tiny"]["estimates"]["held_out"]) == 1

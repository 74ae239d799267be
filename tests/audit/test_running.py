"""What the pieces of an audit are, and when a result counts as one of today's."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit.engines import AuditedEngine, engine_named
from audit.errors import AuditError
from audit.running import Options, Piece, pieces_of
from bedside.cli import main

SMALL = AuditedEngine("bedside/smollm2", "transformers", "a" * 64)


pytestmark = pytest.mark.usefixtures("tiny")


def test_a_piece_for_each_suite_engine_and_persona() -> None:
    pairs = [(SMALL, "neutral"), (SMALL, "warm_trait"), (SMALL, "neutral"), (engine_named("eliza"), "warm_trait")]
    pieces = pieces_of(pairs, ["tiny"], Options(), baselines=True)
    assert [(piece.engine.name, piece.persona) for piece in pieces] == [
        ("smollm2", "neutral"),
        ("smollm2", "warm_trait"),
        ("eliza", "neutral"),  # it reads no persona
        ("baseline/tiny.constant", "neutral"),
    ]
    assert len({piece.folder for piece in pieces}) == 4


def test_a_suite_that_asks_no_model_is_run_once() -> None:
    pairs = [(SMALL, "neutral"), (SMALL, "warm_trait")]
    [piece] = pieces_of(pairs, ["crisis_screen"], Options(), baselines=False)
    assert (piece.engine.name, piece.persona) == ("eliza", "neutral")


def test_a_suite_that_there_is_not_is_refused() -> None:
    with pytest.raises(AuditError, match=r"allowed: .*tiny"):
        pieces_of([(SMALL, "neutral")], ["tidy"], Options(), baselines=True)


def test_a_result_counts_as_long_as_nothing_that_it_depends_on_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = Piece("tiny", SMALL, "neutral", Options())
    assert piece.folder == Piece("tiny", SMALL, "neutral", Options()).folder
    changed = [
        replace(piece, persona="warm_trait"),
        replace(piece, engine=replace(SMALL, sha256="b" * 64)),
        replace(piece, engine=replace(SMALL, temperature=0.7)),
        replace(piece, options=Options(limit_items=3)),
        replace(piece, options=Options(seed=2)),
        replace(piece, suite="soothing"),
        replace(piece, suite="soothing", options=Options(grader="openai/gpt-4o")),
    ]
    assert len({one.folder for one in (piece, *changed)}) == 8
    before = piece.folder
    monkeypatch.setattr("audit.running.provenance", lambda *_: {"suite_version": "2"})
    assert piece.folder != before


def test_what_a_task_does_not_take_changes_nothing_of_it() -> None:
    """Else a run after patients would make a study's other suites anew, as something that they are not."""
    piece = Piece("crisis_screen", SMALL, "neutral", Options())
    for options in (Options(patients=4), Options(sets="medqa=FILE"), Options(design="fraction")):
        other = replace(piece, options=options)
        assert other.folder == piece.folder
        assert "patients" not in other.about["options"]
    assert Piece("soothing", SMALL, "neutral", Options(patients=4)).about["options"]["patients"] == 4


def test_a_task_gets_the_options_that_it_has() -> None:
    piece = Piece("tiny", SMALL, "warm_trait", Options("open", 3, "fraction", "openai/gpt-4o"))
    assert piece.arguments == {"persona": "warm_trait", "half": "open", "limit_items": 3}


def test_an_option_of_a_few_suites_runs_those_alone_and_is_refused_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr("audit.running.run_pieces", lambda pieces, *_, **__: ran.extend(one.suite for one in pieces))
    monkeypatch.setattr("audit.summary.write", lambda folder: folder)
    command = ["audit", "run", "eliza", "--folder", str(tmp_path), "--no-baselines", "--patients", "2"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert ran == ["soothing", "listening", "clinical_safety"]
    refused = CliRunner().invoke(main, [*command, "--suite", "reliability"])
    assert refused.exit_code == 2
    assert "--patients is for soothing, listening, clinical_safety." in refused.output

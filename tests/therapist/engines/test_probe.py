"""Which precision a machine is given."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.therapist.engines.test_other_models import make
from therapist.engines import _probe
from therapist.engines._probe import FAITHFUL, Measured, choose, probe_model, probed
from therapist.errors import EngineError

ROWS = [
    Measured("float32", alone=10, many=100, prompt=400, agrees=1.0),
    Measured("bfloat16", alone=12, many=95, prompt=390, agrees=0.99),
    Measured("int8", alone=20, many=120, prompt=500, agrees=0.95),
]


def test_the_fastest_is_chosen() -> None:
    assert choose(ROWS).precision == "int8"


def test_what_is_fast_alone_and_slow_with_others_or_with_prompts_is_not() -> None:
    fast = Measured("bfloat16", alone=24, many=26, prompt=60, agrees=1.0)
    assert choose([*ROWS[:1], fast]).precision == "float32"


def test_what_changes_the_model_is_not_chosen_however_fast_it_is() -> None:
    assert choose([*ROWS[:2], replace(ROWS[2], agrees=FAITHFUL - 0.01)]).precision == "bfloat16"


def test_what_could_not_be_measured_is_not_chosen() -> None:
    assert choose([*ROWS[:2], replace(ROWS[2], left_out="it fails here")]).precision == "bfloat16"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small model of its own, with a cache of its own."""
    made = make(tmp_path / "model", "llama")
    monkeypatch.setenv("BEDSIDE_CACHE", str(tmp_path / "cache"))
    return made


def test_every_precision_is_measured_once_and_said_while_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    first = probe_model(str(folder), said.append)
    assert [row.precision for row in first.rows] == ["float32", "bfloat16", "int8"]
    assert all(row.left_out is None and row.alone > 0 and row.many > 0 and row.prompt > 0 for row in first.rows)
    assert first.rows[0].agrees == 1.0
    assert first.rows[2].megabytes < first.rows[0].megabytes
    assert "once" in said[0]
    assert [line.strip().partition(":")[0] for line in said[1:]] == ["float32", "bfloat16", "int8"]
    monkeypatch.setattr(_probe, "_measure", None)  # nothing is measured again
    assert probe_model(str(folder), said.append) == first
    assert len(said) == 4


def test_a_model_that_the_machine_has_no_room_for_is_left_out_and_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_probe, "_memory", lambda: 1 << 20)
    rows = probe_model(str(folder), lambda said: None).rows
    assert all("the machine has 1 MB" in str(row.left_out) for row in rows)
    with pytest.raises(EngineError, match="the machine has 1 MB"):
        probed(folder, "x", None, lambda said: None)
    with pytest.raises(EngineError, match="cannot be used as int8"):
        probed(folder, "x", "int8", lambda said: None)


@pytest.mark.parametrize("broken", ["{", "{}"])
def test_a_measurement_that_cannot_be_read_is_made_again(folder: Path, tmp_path: Path, broken: str) -> None:
    probed(folder, "x", "float32", lambda said: None)
    (note,) = (tmp_path / "cache" / "probes").iterdir()
    note.write_text(broken)
    assert probed(folder, "x", "float32", lambda said: None).alone > 0
    assert note.read_text() != broken

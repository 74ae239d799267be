"""A run: it goes on where it was stopped, however it was stopped, and does not depend on how many are at work."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from study import parallel
from study.errors import StudyError
from study.power.assumptions import Assumptions
from study.power.curves import points
from study.power.planned import replicate
from study.power.replicates import Kept, Replicate
from study.power.result import write
from study.power.running import Request, run
from study.power.trial import simulate
from study.protocol import Protocol, load
from tests.power import kian, quick, two_arms

QUICK = Assumptions(effects={"robot": -9.0})


@pytest.fixture(autouse=True)
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is done in this process, one piece after the other: processes take seconds to start."""

    def each(function: Callable[[Any], Any], work: Sequence[Any], *, jobs: int) -> Iterator[tuple[int, Any]]:
        return ((place, function(piece)) for place, piece in enumerate(work))

    monkeypatch.setattr("study.power.running.each", each)


def asked(replicates: int, *participants: int, scales: tuple[float, ...] = (1.0,), seed: int = 1) -> Request:
    return Request(two_arms(), QUICK, participants, scales, replicates, seed)


def lines(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jsonl"))}


def backwards(patch: pytest.MonkeyPatch) -> None:
    """The work is done in this process, the last piece first."""

    def each(function: Callable[[Any], Any], work: Sequence[Any], *, jobs: int) -> Iterator[tuple[int, Any]]:
        return ((place, function(work[place])) for place in reversed(range(len(work))))

    patch.setattr("study.power.running.each", each)


def test_results_are_the_same_bytes_whoever_and_how_many_made_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(12, 12, 16, scales=(1.0, 0.0))
    three = run(request, tmp_path / "three", jobs=3)
    with monkeypatch.context() as patch:
        backwards(patch)
        alone = run(request, tmp_path / "alone", jobs=1)
    assert alone == three
    for folder, made in ((tmp_path / "alone", alone), (tmp_path / "three", three)):
        write(request, points(request, made), folder)
    for name in ("power.csv", "power.json", "power.svg", "assumptions.csv"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "three" / name).read_bytes()
    # And each is what one gets by asking for it alone.
    assert alone[1][7] == replicate(two_arms(), QUICK, 16, 1.0, 1, 7)
    assert len({one.estimates for cell in alone for one in cell}) == 48  # no two are alike


@pytest.mark.usefixtures("here")
def test_a_run_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    request, told = asked(30, 12), []

    def stop_in_the_middle(done: int, of: int) -> None:
        told.append((done, of))
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(request, tmp_path / "stopped", jobs=1, progress=stop_in_the_middle)
    assert told == [(0, 30), (10, 30), (20, 30)]
    (kept,) = lines(tmp_path / "stopped").values()
    assert kept.count(b"\n") == 20
    made = run(request, tmp_path / "stopped", jobs=1, progress=lambda done, of: told.append((done, of)))
    assert told[3:] == [(20, 30), (30, 30)]
    assert lines(tmp_path / "stopped")[next(iter(lines(tmp_path / "stopped")))].startswith(kept)
    assert made == run(request, tmp_path / "whole", jobs=1)


@pytest.mark.usefixtures("here")
def test_more_replicates_are_added_and_those_there_are_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = run(asked(10, 20), tmp_path, jobs=1)
    more = run(asked(20, 20), tmp_path, jobs=1)
    assert more[0][:10] == few[0]

    def none_is_left(*_: object, **__: object) -> None:
        raise AssertionError("there is nothing left to make")

    monkeypatch.setattr("study.power.running.each", none_is_left)
    assert run(asked(20, 20), tmp_path, jobs=1) == more
    assert run(asked(5, 20), tmp_path, jobs=1)[0] == more[0][:5]


def test_what_replicates_depend_on_is_in_the_key() -> None:
    keys = {
        key
        for request in (
            asked(10, 20, 30, scales=(1.0, 0.5)),
            asked(10, 20, seed=2),
            Request(two_arms(alpha=0.01), QUICK, (20,)),
            Request(kian(), QUICK, (20,)),
            Request(two_arms(), Assumptions(effects={"robot": -9.0}, dropout=0.2), (20,)),
        )
        for key in request.cell_keys()
    }
    assert len(keys) == 8
    assert asked(10, 20).cell_keys() == asked(99, 20).cell_keys()


def otherwise(measure: str | None = None, question: str | None = None) -> Protocol:
    """A study of the rating before the exercise, in strata of gender; without the baseline of a measure, or with
    another answer to a question."""
    data = kian(primary={"measure": "distress", "when": "before"}, secondary=[], covariates=[]).model_dump()
    data["allocation"]["strata"] = [{"name": "gender", "question": "gender"}]
    for one in data["measures"]:
        if one["measure"] == measure:
            one["when"].remove("baseline")
    for one in data["screening"]:
        if one["name"] == question:
            one["options"].append("not said")
    return Protocol.model_validate(data)


def test_a_protocol_that_is_simulated_otherwise_has_another_key() -> None:
    plain, no_baseline, one_more = otherwise(), otherwise("distress"), otherwise(question="gender")
    frames = [simulate(one, QUICK, 38).frame for one in (plain, no_baseline, one_more)]
    assert not frames[0].equals(frames[1])
    assert not frames[0].equals(frames[2])
    keys = {key for one in (plain, no_baseline, one_more) for key in Request(one, QUICK, (38,)).cell_keys()}
    assert len(keys) == 3
    # And what is simulated alike has the same: another measure's occasions are nothing to it.
    other = otherwise("gad7")
    assert simulate(other, QUICK, 38).frame.equals(frames[0])
    assert Request(other, QUICK, (38,)).cell_keys() == Request(plain, QUICK, (38,)).cell_keys()


def test_half_a_line_of_a_process_that_was_killed_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "replicates" / "some.jsonl"
    path.parent.mkdir()
    whole = [Replicate(0, ((1.5, 0.25, 33.25),)), Replicate(1, None, said="No.", fell_back=True)]
    whole.append(Replicate(2, ((0.1 + 0.2, 1e-300, float("inf")),), singular=True))
    path.write_bytes(b"".join(one.line() for one in whole) + b'{"replicate": 3, "estim')
    kept = Kept(path)
    assert kept.first(3) == whole
    assert 3 not in kept.replicates
    kept.add([Replicate(3, None, said="At last.")])
    kept.close()
    again = Kept(path)
    assert again.first(4) == [*whole, Replicate(3, None, said="At last.")]
    with pytest.raises(StudyError, match="Another `bedside power`"):
        Kept(path)
    again.close()


@pytest.mark.usefixtures("here")
def test_a_folder_that_cannot_be_written_to_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="Replicates cannot be kept in"):
        run(asked(10, 20), tmp_path / "file" / "replicates", jobs=1)


def started(folder: Path, out: Path, *more: str) -> "subprocess.Popen[str]":
    """The command as one types it, when it has kept at least ten trials."""
    process = subprocess.Popen(
        command(folder, out, "--replicates", "100000", *more),
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        # What a shell runs in the background ignores Ctrl-C, and so would all that the tests start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 200
    while sum(text.count(b"\n") for text in lines(out / "replicates").values()) < 10:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    return process


def command(folder: Path, out: Path, *more: str) -> list[str]:
    asked = [str(folder), "--effect", "robot=-9", "--participants", "12", "--jobs", "1", "--out", str(out), "--json"]
    return [sys.executable, "-m", "bedside", "power", *asked, *more]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(parallel.__file__).parents[1])}


def test_the_command_goes_on_after_kill_9(tmp_path: Path) -> None:
    folder, out = quick(tmp_path / "study"), tmp_path / "out"
    process = started(folder, out)
    process.kill()
    process.communicate(timeout=60)
    (before,) = lines(out / "replicates").values()
    whole = before[: before.rindex(b"\n") + 1]
    count = str(whole.count(b"\n") + 5)
    done = subprocess.run(
        command(folder, out, "--replicates", count),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    (after,) = lines(out / "replicates").values()
    assert after.startswith(whole)
    numbers = [json.loads(line)["replicate"] for line in after.splitlines()]
    assert len(set(numbers)) == len(numbers), "none is made twice"
    assert set(range(int(count))) <= set(numbers)
    # What was pieced together is what one gets at once.
    protocol = load(folder / "study.toml")[0]
    request = Request(protocol, QUICK, (12,), replicates=int(count))
    at_once = [replicate(protocol, QUICK, 12, 1.0, 1, number) for number in range(int(count))]
    assert json.loads(done.stdout)["power"] == [one.as_json() for one in points(request, [at_once])]


def test_the_command_that_is_interrupted_says_how_to_go_on(tmp_path: Path) -> None:
    folder, out = quick(tmp_path / "study"), tmp_path / "out"
    process = started(folder, out)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == f"Stopped. Finished trials are kept in {out}; the same command goes on from there.\n"
    (kept,) = lines(out / "replicates").values()
    assert kept.endswith(b"\n")

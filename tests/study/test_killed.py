"""Processes killed with -9 while they write: nothing confirmed is lost, and the record verifies."""

import os
import random
import signal
import time
from pathlib import Path

from study import forms, visits
from study.study import Study
from study.turns import TurnKeeper
from study.verify import verify
from study.wal import damage
from tests import trial
from tests.study.test_withdrawal import Said


def write(folder: Path, pipe: int) -> None:
    """Write for ever, and say in `pipe` what was confirmed, after it was."""

    def confirmed(what: str) -> None:
        os.write(pipe, (what + "\n").encode())

    study = Study.open(folder)
    confirmed("ready")
    while True:
        person = trial.join(study)
        confirmed(f"enrolled {person.code} {person.arm.name}")
        visit = visits.today(study, person)
        assert visit is not None
        visit = visits.rate(study, visit, "before", 70)
        confirmed(f"rated {visit.id} before 70")
        for number in range(6):
            turn = Said(token=f"t{number}", text=f"what I think is {number}")
            kept = TurnKeeper(study, visit).add(turn)  # type: ignore[arg-type]
            confirmed(f"said {visit.id} {kept.number} {turn.text}")
        visits.save_draft(study, visit, "thoughts", "half a thought")
        visit = visits.rate(study, visits.finish_exercise(study, visit), "after", 40)
        confirmed(f"rated {visit.id} after 40")
        due = forms.due_in_visit(study, visit)
        assert due is not None
        forms.submit(study, person.code, due, trial.answers(study, due.measure))
        confirmed(f"answered {visit.id} {due.measure}")


def start(folder: Path) -> tuple[int, int]:
    """A process that writes: its number, and what it says. Forked, since starting anew takes a hundred times as long."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.close(reading)
            write(folder, writing)
        finally:
            os._exit(1)
    os.close(writing)
    return process, reading


def test_two_hundred_processes_killed_while_writing_lose_nothing_that_was_confirmed(folder: Path) -> None:
    trial.write(folder)
    dice = random.Random(20260301)
    Study.open(folder).close()
    confirmed: list[str] = []
    kills = 0
    while kills < 200 or len(confirmed) < 500:  # a slow machine writes less between two kills
        # Several at a time, so that they are also killed while they wait for each other.
        writers = [(process, os.fdopen(reading)) for process, reading in (start(folder) for _ in range(4))]
        assert [said.readline() for _, said in writers] == ["ready\n"] * 4
        for process, _ in dice.sample(writers, len(writers)):
            time.sleep(dice.expovariate(1 / 0.04))
            os.kill(process, signal.SIGKILL)
            kills += 1
        for process, said in writers:
            with said:
                confirmed += said.read().splitlines()
            assert os.waitpid(process, 0)[1] == signal.SIGKILL
    assert damage(folder / "study.sqlite") is None
    study = Study.open(folder)
    assert verify(study.records).mistakes == []
    rows = study.records.rows
    arms = {row["code"]: row["arm"] for row in rows("SELECT code, arm FROM participant")}
    ratings = {(row["visit"], row["occasion"]): row["value"] for row in rows("SELECT * FROM rating")}
    turns = {(row["visit"], row["number"]): row["text"] for row in rows("SELECT visit, number, text FROM turn")}
    answered = {(row["visit"], row["measure"]) for row in rows("SELECT visit, measure FROM form")}
    for line in confirmed:
        match line.split(" ", 3):
            case ["enrolled", code, arm]:
                assert arms[code] == arm
            case ["rated", visit, occasion, value]:
                assert ratings[int(visit), occasion] == int(value)
            case ["said", visit, number, text]:
                assert turns[int(visit), int(number)] == text
            case ["answered", visit, measure]:
                assert (int(visit), measure) in answered
            case other:
                raise AssertionError(other)
    # No place of the allocation was lost or used twice by whoever was killed in the middle of an enrolment.
    places = rows("SELECT stratum, position FROM participant ORDER BY stratum, position")
    for stratum in {row["stratum"] for row in places}:
        positions = [row["position"] for row in places if row["stratum"] == stratum]
        assert positions == list(range(len(positions)))
    print(f"{kills} kills, {len(confirmed)} confirmed")

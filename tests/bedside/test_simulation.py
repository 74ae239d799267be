"""A rehearsal: through the real pages and the real ROS topics, into a record that is no study's."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bedside.commands.running import NICE
from bedside.simulated import Character
from study.errors import RecordError
from study.records import Records
from study.study import Study
from study.verify import verify
from tests import trial


def simulate(folder: Path, *more: str) -> tuple[str, Path]:
    command = [sys.executable, "-m", "bedside", "simulate", str(folder), "--engine", "eliza", *more]
    result = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    [record] = (folder / "rehearsals").glob("*.sqlite")
    return result.stdout, record


@pytest.mark.timeout(280)
def test_three_participants_make_three_days_in_all_arms(folder: Path) -> None:
    said, record = simulate(folder, "--participants", "3", "--days", "3", "--seed", "4")
    assert "no difference between the arms is built in" in said
    study = Study.open(folder, rehearsal=record)
    visits = study.records.rows(
        "SELECT participant.arm, visit.day, visit.state, visit.opened_at, visit.ended_at, visit.participant FROM visit"
        " JOIN participant ON participant.code = visit.participant ORDER BY visit.opened_at"
    )
    days = sorted((visit["participant"], visit["day"]) for visit in visits)
    assert days == [(code, day) for code in sorted({code for code, _ in days}) for day in (1, 2, 3)]
    # Whoever did not come has missed the visit, also on the last day, and whether or not the portal saw it open.
    assert {visit["state"] for visit in visits} <= {"done", "missed"}
    assert all(visit["participant"].startswith("SIM-") for visit in visits)
    made = [visit for visit in visits if visit["state"] == "done"]
    assert {visit["arm"] for visit in made} == {"robot", "chat", "worksheet"}
    assert f"{len(made)} visits made, {len(visits) - len(made)} missed" in said
    assert all(visit["opened_at"] < visit["ended_at"] for visit in made)
    assert study.records.rows("SELECT count(*) AS n FROM rating") == [{"n": 2 * len(made)}]
    assert verify(study.records).mistakes == []
    study.close()
    with pytest.raises(RecordError, match="record of a rehearsal"):
        Records(record)
    own = Study.open(folder)
    assert own.participants() == []
    own.close()


@pytest.mark.timeout(120)
def test_a_rehearsal_gives_way_to_whatever_else_the_machine_does(folder: Path) -> None:
    """Itself and the portal that it starts, which inherits it before it has done anything."""
    command = [sys.executable, "-m", "bedside", "simulate", str(folder), "--engine", "eliza", "--participants", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        children: list[int] = []
        while not children:
            assert process.poll() is None
            found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
            children = [int(one) for one in found.stdout.split()]
            time.sleep(0.05)
        own = min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICE)
        assert {os.getpriority(os.PRIO_PROCESS, one) for one in (process.pid, *children)} == {own}
    finally:
        process.terminate()
        process.wait(30)


def test_the_same_seed_is_the_same_person() -> None:
    def days(seed: str) -> list[object]:
        person = Character.draw(seed)
        return [(person.comes_today(), person.rate_before(), person.answer("thought", 0)) for _ in range(5)]

    assert days("4/1") == days("4/1") != days("4/2")


def test_the_screen_stays_quiet_over_everything_the_simulated_say() -> None:
    from bedside.simulated import _phrases
    from therapist.screen import Screen

    screen = Screen.load()
    for phrases in _phrases().values():
        for phrase in phrases:
            assert screen.check(phrase, "participant") is None, phrase


@pytest.mark.timeout(280)
def test_a_whole_trial_is_rehearsed_through_the_door(folder: Path) -> None:
    """Screening, consent, baseline, days with measures, the follow-up; without the robot, whose days take their time."""
    trial.write(folder, ("days = 15 ", "days = 2  "), ('"day 8", "day 15", "follow-up"', '"day 2", "follow-up"'))
    path = folder / "study.toml"
    text = path.read_text().replace('when = ["baseline", "day 15"]', 'when = ["baseline", "day 2"]')
    path.write_text(text.replace('name = "robot"\nmedium = "robot"', 'name = "robot"\nmedium = "chat"'))
    said, record = simulate(folder, "--participants", "6", "--seed", "3")
    study = Study.open(folder, rehearsal=record)
    people = study.people()
    assert sum(person.state == "enrolled" for person in people) == 6
    assert "visits made" in said
    given = study.records.rows("SELECT DISTINCT measure, occasion FROM form")
    assert {(row["measure"], row["occasion"]) for row in given} >= {
        ("screening", "screening"),
        ("k10", "screening"),
        ("phq9", "baseline"),
        ("k10", "day 2"),
        ("ucla3", "after"),
        ("k10", "follow-up"),
    }
    assert study.records.rows("SELECT * FROM consent")
    assert verify(study.records).mistakes == []
    study.close()

"""The allocation that is run again is that of a real record, with its schemes, strata and levels."""

from pathlib import Path

import numpy as np

from study.amendment import amend
from study.analysis.data import load
from study.analysis.reallocating import procedure_in_words, reallocations
from study.enrolment import enrol, take_in
from study.study import Study
from tests import trial
from tests.conftest import HandClock

PLAN = """
[analysis]
primary = { measure = "distress", when = "after", change_from = "before" }

[analysis.estimand]
population = "Everybody allocated"
treatment = "As allocated"
variable = "Change of distress"
intercurrent_events = "None"
summary = "Difference of means"
"""


def plan(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text() + PLAN)


def edit(folder: Path, *changes: tuple[str, str]) -> None:
    path = folder / "study.toml"
    text = path.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text)


def test_blocks_of_each_scheme_of_a_real_record_are_kept(folder: Path, study: Study, clock: HandClock) -> None:
    """Seven in blocks of three under two versions that allocate alike, then seven in blocks of six: whoever shares a
    block in the record has each arm as often in every draw as the block has it."""
    study.close()
    plan(folder)
    study = Study.open(folder, clock=clock)
    for _ in range(4):
        take_in(study)
    study.close()
    edit(folder, ("days = 15 ", "days = 14 "))
    amend(folder, by="Dr Okafor", why="shorter", clock=clock)
    study = Study.open(folder, clock=clock)
    for _ in range(3):
        take_in(study)
    study.close()
    edit(folder, ("block_sizes = [3] ", "block_sizes = [6] "))
    amend(folder, by="Dr Okafor", why="larger blocks", clock=clock)
    study = Study.open(folder, clock=clock)
    for _ in range(7):
        take_in(study)
    take_in(study, kind="test")
    data = load(study)
    drawn, made = reallocations(data, 400, np.random.default_rng(1))
    assert drawn.shape == (400, 14)
    assert "permuted blocks of 3; after an amendment, permuted blocks of 6" in procedure_in_words(data)
    for (scheme, _), own in data.participants.groupby(["scheme", "block"]):
        size = 3 if scheme == 0 else 6
        for row in [made, *drawn]:
            counts = np.bincount(row[own.index], minlength=3)
            assert counts.max() <= size // 3
            assert len(own) < size or counts.min() == size // 3
    assert len({tuple(row) for row in drawn.tolist()}) > 300
    study.close()


def test_minimisation_of_a_real_record_has_the_levels_of_its_participants(folder: Path, clock: HandClock) -> None:
    """With a chance near one, whoever is of a level that one arm lacks comes to it: the second of a sex in a place of
    their own never shares the arm of the first, in the record as in the draws."""
    trial.write(folder, ("block_sizes = [3] ", 'method = "minimisation"\nchance = 0.999 '))
    plan(folder)
    study = Study.open(folder, clock=clock)
    for sex, low in (("female", 0), ("male", 2), ("female", 0), ("other", 0), ("male", 2), ("female", 0)):
        person = trial.fill(study, trial.enrolment.come(study).code, trial.FIT | {"sex": sex}, k10=low)
        enrol(study, person.code)
    data = load(study)
    drawn, made = reallocations(data, 400, np.random.default_rng(2))
    assert "minimisation over sex and k10" in procedure_in_words(data)
    levels = data.participants[list(data.factors)]
    assert levels.iloc[0].tolist() == levels.iloc[2].tolist() != levels.iloc[1].tolist()
    assert np.mean(drawn[:, 0] != drawn[:, 2]) > 0.98
    assert np.mean(drawn[:, 1] != drawn[:, 4]) > 0.98
    # After three women, one in each arm: the third differs from both before her.
    assert np.mean((drawn[:, 5] != drawn[:, 0]) & (drawn[:, 5] != drawn[:, 2])) > 0.8
    assert made[0] != made[2]
    study.close()

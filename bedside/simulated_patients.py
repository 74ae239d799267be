"""Simulated participants that are patients of the audit: what they say and rate follows what they are answered.

A patient's emotion (0-100, higher is better) is moved by each reply, by the rules of `audit.patients`. What it rates is
100 less that, with a little noise. Here arms may differ, since replies do: whether a difference means anything is the
audit's question and no rehearsal's.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self

from audit.patients import Patient, Trajectory, load_profiles
from audit.patients.plot import trajectories_svg
from bedside.simulated import Character, within
from study.study import Participant
from therapist.exercise import exercise_names, load_exercise

__all__ = ["PatientCharacter", "write_courses"]

NOISE = 3.0
"""The standard deviation of a rating around what is felt."""


@dataclass
class PatientCharacter(Character):
    """A participant whose words and ratings are a patient's. When they come, and the questionnaires, are as ever."""

    patient: Patient = field(init=False)
    courses: list[Trajectory] = field(init=False, default_factory=list)
    """Of each visit that was made, in order."""

    @classmethod
    def draw(cls, seed: str) -> Self:
        """The participant that belongs to `seed`, and the patient that it is."""
        character = super().draw(seed)
        profiles = load_profiles().items
        profile = random.Random(f"{seed}/patient").choice(profiles)  # noqa: S311 # to be drawn again, no secret
        character.patient = Patient(profile, seed, stays=True)
        character.distress = 100.0 - character.patient.emotion
        return character

    def rate_before(self) -> int:
        """A visit begins: half of what the last one moved is gone."""
        if self.patient.said:
            self.patient.next_day()
        return self._rate()

    def rate_after(self, before: int) -> int:
        """What is felt after the exercise; the visit is over."""
        self.courses.append(self.patient.trajectory)
        return self._rate()

    def answer(self, step: str, before: int) -> str:
        """What the patient says next, as it stands; with a number where the step asks for one."""
        words = self.patient.says() if self.patient.said else self.patient.opens()
        if step not in _numbered():
            return words
        felt = self.patient.emotion if step == "confidence" else 100 - self.patient.emotion
        number = f"About {felt}."
        return number if before else f"{words} {number}"

    def hears(self, reply: str, to: str) -> None:
        """The reply moves the emotion."""
        said = next((one for one in reversed(self.patient.said) if to.startswith(one)), None)
        self.patient.hears(reply, said)

    def _rate(self) -> int:
        self.distress = 100.0 - self.patient.emotion
        return within(self.random.gauss(self.distress, NOISE))


def write_courses(record: Path, people: Sequence[tuple[Participant, Character]]) -> list[Path]:
    """Write beside a rehearsal's record how its patients went, as JSON and as a figure by arm; both paths."""
    rows = []
    by_arm: dict[str, list[Trajectory]] = {}
    for person, character in people:
        if isinstance(character, PatientCharacter):
            visits = [{"visit": number, **one.as_dict()} for number, one in enumerate(character.courses, 1)]
            rows.append({"participant": person.code, "arm": person.arm.name, "visits": visits})
            by_arm.setdefault(person.arm.name, []).extend(character.courses)
    courses, figure = record.with_suffix(".patients.json"), record.with_suffix(".patients.svg")
    courses.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    figure.write_text(
        trajectories_svg(dict(sorted(by_arm.items())), "patients", "Emotion of simulated patients, visit by visit"),
        encoding="utf-8",
    )
    return [courses, figure]


@cache
def _numbered() -> frozenset[str]:
    """The steps that a number answers."""
    return frozenset(step.id for name in exercise_names() for step in load_exercise(name).steps if step.done.number)

"""Simulated participants that are patients: their words and ratings follow what they are answered."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bedside.simulated import Character
from bedside.simulated_patients import PatientCharacter
from study.study import Study

KIND = "You sound worn out, and it took patience to go on. What was it like?"
COLD = "That is not so bad. Stop complaining."


def visit(person: PatientCharacter, reply: str) -> tuple[int, int, list[str]]:
    """One visit of three steps, each answered alike but for a word of the person's own; both ratings and its words."""
    before, words = person.rate_before(), []
    for step in ("situation", "thought", "feeling"):
        said = person.answer(step, 0)
        words.append(said)
        own = max(said.rstrip(".").split(), key=len)
        person.hears(f"{own}, you say. {reply}", said)
    return before, person.rate_after(before), words


def test_the_same_seed_and_replies_are_the_same_visits() -> None:
    def visits(seed: str) -> list[object]:
        person = PatientCharacter.draw(seed)
        return [visit(person, KIND) for _ in range(3)]

    assert visits("4/1") == visits("4/1") != visits("4/2")


@pytest.mark.parametrize("seed", ["1/0", "1/1", "1/2", "1/3"])
def test_what_is_rated_follows_the_emotion(seed: str) -> None:
    kind, cold = PatientCharacter.draw(seed), PatientCharacter.draw(seed)
    kindly, coldly = visit(kind, KIND), visit(cold, COLD)
    assert kindly[0] == coldly[0]  # nobody has said anything yet
    assert kindly[1] < coldly[1]
    assert coldly[1] > coldly[0]
    for person in (kind, cold):
        assert abs(person.distress - (100 - person.patient.emotion)) < 1e-9


def test_overnight_half_of_what_a_visit_moved_is_gone_and_no_line_comes_back() -> None:
    person = PatientCharacter.draw("2/0")
    first = visit(person, COLD)
    end, start = person.patient.emotion, person.patient.profile.start
    assert end < start
    second = visit(person, COLD)
    assert person.courses[1].start == max(10, round((end + start) / 2))
    assert not set(first[2]) & set(second[2])
    assert [len(course.turns) for course in person.courses] == [3, 3]


def test_a_step_that_asks_for_a_number_is_given_the_one_that_is_felt() -> None:
    person = PatientCharacter.draw("3/0")
    person.rate_before()
    assert f"About {100 - person.patient.emotion}." in person.answer("feeling", 0)
    assert person.answer("feeling", 1) == f"About {100 - person.patient.emotion}."
    assert "About" not in person.answer("thought", 0)


def test_an_ordinary_participant_is_the_same_whatever_it_hears() -> None:
    def days(hears: bool) -> list[object]:
        person = Character.draw("4/1")
        found: list[object] = []
        for _ in range(5):
            said = person.answer("thought", 0)
            if hears:
                person.hears(COLD, said)
            found += [said, person.rate_before(), person.comes_today()]
        return found

    assert days(True) == days(False)


@pytest.mark.timeout(200)
def test_a_rehearsal_with_patients_writes_how_they_went(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace('medium = "robot"', 'medium = "chat"'))
    command = [sys.executable, "-m", "bedside", "simulate", str(folder), "--engine", "eliza", "--patients"]
    command += ["--participants", "3", "--days", "2", "--seed", "5"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=190, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "follows how rules move a patient" in result.stdout
    [courses] = (folder / "rehearsals").glob("*.patients.json")
    [figure] = (folder / "rehearsals").glob("*.patients.svg")
    people = json.loads(courses.read_text())
    assert ET.fromstring(figure.read_text()).tag.endswith("svg")  # noqa: S314
    [record] = (folder / "rehearsals").glob("*.sqlite")
    study = Study.open(folder, rehearsal=record)
    try:
        made = study.records.rows(
            "SELECT visit.participant, visit.day, rating_now.value FROM rating_now JOIN visit ON visit.id = rating_now.visit"
            " WHERE rating_now.occasion = 'after' ORDER BY visit.participant, visit.day"
        )
        said = {row["text"] for row in study.records.rows("SELECT text FROM turn WHERE speaker = 'participant'")}
    finally:
        study.close()
    visits = [
        (one["participant"], course)
        for one in sorted(people, key=lambda one: one["participant"])
        for course in one["visits"]
    ]
    assert len(visits) == len(made) > 0
    for (code, course), row in zip(visits, made, strict=True):
        assert code == row["participant"]
        assert course["turns"]
        assert abs((100 - course["turns"][-1]["emotion"]) - row["value"]) <= 15  # what is felt, and some noise
        assert all(
            turn["said"] in said or any(one.startswith(turn["said"]) for one in said) for turn in course["turns"]
        )


def test_patients_are_refused_in_a_language_that_they_do_not_speak(folder: Path) -> None:
    from bedside.simulation import simulate
    from study.errors import StudyError

    path = folder / "study.toml"
    text = path.read_text()
    server = 'kind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "any"'
    text = re.sub(r'^kind = "eliza"$', server, text, flags=re.MULTILINE)
    path.write_text(text.replace('language = "en"', 'language = "de"'))
    with pytest.raises(StudyError, match="speak English"):
        simulate(folder, 1, None, 1, 1, patients=True)

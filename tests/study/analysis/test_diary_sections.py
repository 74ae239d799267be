"""Adherence, diary, engagement, harms and dimensions: whatever the data lack, a sentence says so, and nothing is NaN."""

import importlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from study.analysis.data import AnalysisData
from study.analysis.results import Section
from tests.analysing import synthetic

SECTIONS = ("adherence", "diary", "engagement", "harms", "dimensions")


def section(name: str, data: AnalysisData) -> Section:
    made: Section = importlib.import_module(f"study.analysis.sections.{name}").section(data)
    return made


def empty_of(data: AnalysisData, *names: str) -> AnalysisData:
    return replace(data, **{name: getattr(data, name).iloc[:0] for name in names})


def constant(data: AnalysisData) -> AnalysisData:
    turns = data.turns.assign(participant_words=100, participant_turns=8, minutes=10.0, first_sentence_s=1.0)
    return replace(data, scores=data.scores.assign(score=50.0), turns=turns)


def without_ratings_after(data: AnalysisData) -> AnalysisData:
    return replace(data, scores=data.scores[data.scores.occasion != "after"])


def silent(data: AnalysisData) -> AnalysisData:
    return replace(data, turns=data.turns.assign(participant_words=0, minutes=0.0, first_sentence_s=np.nan))


SMALL: dict[str, Any] = {"n": 18, "days": 6}

DEGENERATE = {
    "nobody came": lambda: empty_of(
        synthetic(0, days=3, events=0), "people", "participants", "visits", "scores", "turns", "events"
    ),
    "nobody began": lambda: empty_of(synthetic(**SMALL, events=0), "visits", "scores", "turns"),
    "one participant": lambda: synthetic(1, days=6, events=0),
    "two participants": lambda: synthetic(2, days=6, events=0),
    "one day": lambda: synthetic(12, days=1),
    "an arm is empty": lambda: synthetic(**SMALL, arms=("robot", "chatbot")),
    "one arm alone": lambda: synthetic(**SMALL, arms=("robot",)),
    "all is the same": lambda: constant(synthetic(**SMALL)),
    "nothing was rated after": lambda: without_ratings_after(synthetic(**SMALL)),
    "every visit was missed": lambda: synthetic(**SMALL, missing=1.0),
    "every visit was made": lambda: synthetic(**SMALL, missing=0.0, dropout=0.0),
    "everybody left": lambda: synthetic(**SMALL, dropout=1.0),
    "no word was said": lambda: silent(synthetic(**SMALL)),
    "no turn, no event": lambda: synthetic(**SMALL, turns=False, events=0),
    "blinded": lambda: synthetic(**SMALL, blinded=True),
}


@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.parametrize("case", DEGENERATE)
def test_whatever_the_data_lack_there_are_sentences_and_numbers_and_never_nan(case: str, name: str) -> None:
    data = DEGENERATE[case]()
    made = section(name, data)
    assert made.name == name
    assert made.text or made.warnings
    for sentence in (*made.text, *made.warnings):
        assert sentence[0].isupper(), sentence
        assert sentence.endswith("."), sentence
        assert "nan" not in sentence.lower().split()
    assert len(set(made.warnings)) == len(made.warnings)
    for table in made.tables:
        assert table.rows
        for row in table.rows:
            assert len(row) == len(table.columns), table.name
            for column, one in zip(table.columns, row, strict=True):
                assert one is None or type(one) in (str, int, float), (table.name, column.name, type(one))
                assert not isinstance(one, float) or np.isfinite(one), (table.name, column.name)
                if column.kind == "text":
                    assert isinstance(one, str), (table.name, column.name, one)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_same_data_give_the_same_section(name: str) -> None:
    assert section(name, synthetic(**SMALL)) == section(name, synthetic(**SMALL))


@pytest.mark.parametrize("name", SECTIONS)
def test_a_blinded_section_names_no_arm_and_no_medium(name: str) -> None:
    told = repr(section(name, synthetic(**SMALL, blinded=True))).lower()
    assert "arm a" in told or name == "engagement"
    for word in ("robot", "chatbot"):
        assert word not in told

"""The figure of simulated patients: one line a conversation, and their mean."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from audit.patients import Patient, Trajectory, converse, load_profiles
from audit.patients.plot import mean_course, trajectories_figure, trajectories_svg
from study.report.style import drawing


@pytest.fixture(scope="module")
def several() -> list[Trajectory]:
    return [converse(Patient(one, 1), lambda heard: "I see.") for one in load_profiles().items[:5]]


def test_each_conversation_and_the_mean_is_drawn(several: list[Trajectory]) -> None:
    with drawing():
        figure = trajectories_figure({"neutral": several, "warm_trait": several[:2]})
    one, other = figure.axes[:2]
    lines = [line.get_ydata() for line in one.lines]
    for course in several:
        assert any(list(line) == list(course.emotions) for line in lines)
    longest = max(len(course.turns) for course in several)
    assert any(list(line) == pytest.approx(mean_course(several, longest)) for line in lines)
    assert other.get_title(loc="left").startswith("warm_trait (2)")


def test_the_mean_is_of_the_same_conversations_throughout(several: list[Trajectory]) -> None:
    longest = max(len(course.turns) for course in several)
    means = mean_course(several, longest)
    assert means[0] == sum(course.start for course in several) / len(several)
    assert means[-1] == sum(course.end for course in several) / len(several)
    assert len(means) == longest + 1


def test_the_svg_is_well_formed_and_the_same_each_time(several: list[Trajectory], tmp_path: Path) -> None:
    first, second = (trajectories_svg({"all": several}, "patients", "Emotion") for _ in range(2))
    assert first == second
    assert ET.fromstring(first).tag.endswith("svg")  # noqa: S314


def test_a_group_without_a_conversation_says_so_and_no_group_is_an_error(several: list[Trajectory]) -> None:
    with drawing():
        figure = trajectories_figure({"robot": several, "chat": []})
    assert [text.get_text() for text in figure.axes[1].texts] == ["no conversation"]
    with pytest.raises(ValueError, match="no group"):
        trajectories_figure({})

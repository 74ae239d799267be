"""Halting and going on."""

import pytest

from study import halting
from study.enrolment import take_in
from study.errors import StudyError, UnknownCode
from study.study import Study
from study.verify import verify


def test_a_halt_and_its_end_have_a_name_and_a_reason(study: Study) -> None:
    person = take_in(study)
    number = halting.halt(study, "participant", person.code, by="Dr Okafor", why="to look")
    assert halting.is_halted(study, person)
    halting.lift(study, number, by="Board", why="looked")
    assert not halting.is_halted(study, person)
    [row] = halting.halts(study, in_force=False)
    assert (row["halted_by"], row["why"], row["lifted_by"], row["lifted_why"]) == (
        "Dr Okafor",
        "to look",
        "Board",
        "looked",
    )
    events = [row["what"] for row in study.records.rows("SELECT what FROM event ORDER BY id DESC LIMIT 2")]
    assert events == ["halt lifted", "halted"]
    assert verify(study.records).mistakes == []


def test_what_is_halted_already_is_not_halted_again(study: Study) -> None:
    first = halting.halt(study, "study", "", by="Dr Okafor", why="to look")
    assert halting.halt(study, "study", "", by="nurse", why="too") == first


def test_halting_a_participant_stops_no_enrolment(study: Study) -> None:
    halting.halt(study, "participant", take_in(study).code, by="Dr Okafor", why="to look")
    assert take_in(study).status == "active"


def test_what_cannot_be_halted_is_said(study: Study) -> None:
    with pytest.raises(UnknownCode):
        halting.halt(study, "participant", "NOBODY", by="x", why="y")
    with pytest.raises(StudyError, match="no arm 'video'; choose one of robot, chat, worksheet"):
        halting.halt(study, "arm", "video", by="x", why="y")
    with pytest.raises(StudyError, match="Say why"):
        halting.halt(study, "study", "", by="x", why=" ")
    with pytest.raises(StudyError, match="no halt 9 in force"):
        halting.lift(study, 9, by="x", why="y")

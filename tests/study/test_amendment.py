"""Amendments: on the record, and nobody who came before is on another protocol."""

import json
from pathlib import Path

import pytest

from study import enrolment, visits
from study.amendment import amend, pending, versions
from study.enrolment import take_in
from study.errors import ProtocolError, StudyError
from study.study import Study
from study.verify import verify
from tests import trial
from tests.conftest import HandClock


def edit(folder: Path, *changes: tuple[str, str]) -> None:
    path = folder / "study.toml"
    text = path.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text)


def test_an_amendment_records_who_when_why_old_and_new(folder: Path, study: Study, clock: HandClock) -> None:
    take_in(study)
    study.close()
    edit(folder, ("days = 15 ", "days = 10 "), ('reach = "116 123, free', 'reach = "116 124, free'))
    assert [(change.key, change.old, change.new) for change in pending(folder)] == [
        ("days", 15, 10),
        ("safety.contacts[2].reach", "116 123, free, at any hour", "116 124, free, at any hour"),
    ]
    clock.forward(days=1)
    assert amend(folder, by="Dr Okafor", why="ethics asked for it", clock=clock) == 2
    study = Study.open(folder, clock=clock)
    assert study.protocol.days == 10
    first, second = versions(study)
    assert (first["version"], second["version"], second["locked_by"], second["why"]) == (
        1,
        2,
        "Dr Okafor",
        "ethics asked for it",
    )
    assert second["locked_at"] == "2026-03-03T09:00:00.000+00:00"
    event = study.records.row("SELECT * FROM event WHERE what = 'protocol amended'")
    assert event is not None
    detail = json.loads(event["detail"])
    assert detail["keys"]["days"] == [15, 10]
    assert detail["why"] == "ethics asked for it"
    assert verify(study.records).mistakes == []


def test_participants_finish_on_the_version_they_began_on(folder: Path, study: Study, clock: HandClock) -> None:
    before = take_in(study)
    edit(
        folder,
        ("days = 15 ", "days = 3 "),
        ('rota = ["cognitive_restructuring", "coping_strategies"]', 'rota = ["coping_strategies"]'),
        ('day_boundary = "04:00"', 'day_boundary = "04:00"\nopens = "08:00"'),
        ('persona = "neutral"', 'persona = "warm_trait"'),
    )
    amend(folder, by="Dr Okafor", why="shorter", clock=clock)
    study = Study.open(folder, clock=clock)
    after = take_in(study)
    while after.arm.name != "robot":
        after = take_in(study)
    before = study.participant(before.code)
    assert (before.version, after.version) == (1, 2)
    assert (before.protocol.days, after.protocol.days) == (15, 3)
    assert after.arm.persona == "warm_trait"
    assert before.arm.persona == "neutral"
    old, new = visits.today(study, before), visits.today(study, after)
    assert old is not None
    assert new is not None
    assert (old.exercise, new.exercise) == ("cognitive_restructuring", "coping_strategies")
    assert (old.window.opens.hour, new.window.opens.hour) == (4, 8)
    clock.forward(days=4)
    assert visits.today(study, before) is not None
    assert visits.why_closed(study, after).reason == "over"
    assert len(study.protocols()) == 2


def test_somebody_on_the_way_goes_on_with_what_they_began(folder: Path, clock: HandClock) -> None:
    trial.write(folder)
    study = Study.open(folder, clock=clock)
    code = enrolment.come(study).code
    study.close()
    edit(folder, ("at_least = 18", "at_least = 21"), ('version = "1.0"', 'version = "1.1"'))
    amend(folder, by="Dr Okafor", why="ethics", clock=clock)
    study = Study.open(folder, clock=clock)
    assert trial.fill(study, code, {"age": 19, "sex": "female", "treatment": "no"}).state == "baseline"
    assert study.records.row("SELECT version FROM consent") == {"version": "1.0"}
    other = enrolment.come(study).code
    assert trial.fill(study, other, {"age": 19, "sex": "female", "treatment": "no"}).state == "ineligible"


def test_a_changed_allocation_begins_a_new_scheme_and_another_change_does_not(
    folder: Path, study: Study, clock: HandClock
) -> None:
    arms = [take_in(study).arm.name for _ in range(4)]
    study.close()
    edit(folder, ("days = 15 ", "days = 14 "))
    amend(folder, by="Dr Okafor", why="shorter", clock=clock)
    study = Study.open(folder, clock=clock)
    arms += [take_in(study).arm.name for _ in range(2)]
    assert sorted(arms[3:6]) == ["chat", "robot", "worksheet"]  # the block goes on
    study.close()
    edit(folder, ("block_sizes = [3] ", "block_sizes = [6] "))
    amend(folder, by="Dr Okafor", why="larger blocks", clock=clock)
    study = Study.open(folder, clock=clock)
    person = take_in(study)
    row = study.records.row("SELECT scheme, position FROM participant WHERE code = ?", person.code)
    assert row == {"scheme": 1, "position": 0}
    assert [one["scheme"] for one in versions(study)] == [0, 0, 1]


def test_comments_need_no_amendment_and_a_change_without_one_is_refused(
    folder: Path, study: Study, clock: HandClock
) -> None:
    take_in(study)
    edit(folder, ("# an IANA time zone", "# another comment"))
    Study.open(folder, clock=clock).close()
    with pytest.raises(StudyError, match="there is nothing to amend"):
        amend(folder, by="Dr Okafor", why="x", clock=clock)
    edit(folder, ("days = 15 ", "days = 14 "))
    with pytest.raises(StudyError, match="bedside amend"):
        Study.open(folder, clock=clock)


def test_before_the_first_enrolment_the_file_can_be_edited_and_whoever_is_on_the_way_keeps_theirs(
    folder: Path, clock: HandClock
) -> None:
    trial.write(folder)
    study = Study.open(folder, clock=clock)
    first = enrolment.come(study).code
    enrolment.take_in(study, kind="test", skip=True)
    edit(folder, ("days = 15 ", "days = 16 "), ("block_sizes = [3] ", "block_sizes = [6] "))
    edited = Study.open(folder, clock=clock)
    second = enrolment.come(edited).code
    assert [edited.person(code).protocol.days for code in (first, second)] == [15, 16]
    assert enrolment.come(study).version == 1  # a server that was not restarted goes on with what it has read
    assert [one["scheme"] for one in versions(edited)] == [0, 1]
    for code in (first, second):
        trial.fill(edited, code)
        enrolment.enrol(edited, code)
    edit(folder, ("days = 16 ", "days = 17 "))
    with pytest.raises(StudyError, match="changed after it was locked"):
        Study.open(folder, clock=clock)
    assert verify(edited.records).mistakes == []


def test_an_edit_that_was_undone_before_the_first_enrolment_locks_nobody_out(folder: Path, clock: HandClock) -> None:
    trial.write(folder)
    enrolment.come(Study.open(folder, clock=clock))
    edit(folder, ("days = 15 ", "days = 16 "))
    enrolment.come(Study.open(folder, clock=clock))
    edit(folder, ("days = 16 ", "days = 15 "))
    trial.join(Study.open(folder, clock=clock))
    study = Study.open(folder, clock=clock)
    assert [one["version"] for one in versions(study)] == [1, 2, 3]
    assert study.protocol.days == 15
    with pytest.raises(StudyError, match="nothing to amend"):
        amend(folder, by="Dr Okafor", why="x", clock=clock)


def test_what_cannot_be_amended_is_said(folder: Path, study: Study, clock: HandClock) -> None:
    with pytest.raises(StudyError, match="Nobody came yet"):
        amend(folder, by="Dr Okafor", why="x", clock=clock)
    take_in(study)
    edit(folder, ("days = 15 ", "days = 14 "))
    for by, why in (("", "x"), ("Dr Okafor", " ")):
        with pytest.raises(StudyError, match="Say who amends the protocol and why"):
            amend(folder, by=by, why=why, clock=clock)
    edit(folder, ("days = 14 ", "days = 0 "))
    with pytest.raises(ProtocolError, match="days"):
        amend(folder, by="Dr Okafor", why="x", clock=clock)


def test_another_consent_has_another_version(folder: Path, clock: HandClock) -> None:
    trial.write(folder)
    study = Study.open(folder, clock=clock)
    enrolment.come(study)
    edit(folder, ("I take part of my own free will.", "I take part freely."))
    with pytest.raises(StudyError, match=r"raise consent\.version"):
        amend(folder, by="Dr Okafor", why="clearer", clock=clock)
    edit(folder, ('version = "1.0"', 'version = "1.1"'))
    assert amend(folder, by="Dr Okafor", why="clearer", clock=clock) == 2
    edit(folder, ("I take part freely.", "I take part."), ('version = "1.1"', 'version = "1.0"'))
    with pytest.raises(StudyError, match=r"was already '1\.0': raise consent\.version"):  # it would be asked of nobody
        amend(folder, by="Dr Okafor", why="back", clock=clock)

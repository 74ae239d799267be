"""Leaving the study, with and without erasure."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from study import enrolment, forms, halting, identity, safety, sounding, visits
from study.backup import backup
from study.errors import NotDue, UnknownCode
from study.study import Participant, Study
from study.turns import TurnKeeper
from study.verify import verify
from study.withdrawal import withdraw
from tests.conftest import HandClock
from tests.trial import answers, fill, join

WORDS = "my landlord is throwing me out on friday"
DRAFT = "half a thought about the staircase"


@dataclass
class Said:
    """A turn of the participant."""

    text: str = WORDS
    token: str = "t1"
    speaker: str = "participant"
    step: str = "situation"
    origin: str = "participant"
    reply_to: int | None = None
    next_step: str | None = None
    hit: object = None
    provenance: object = None


def a_visit(study: Study, participant: Participant) -> visits.Visit:
    visit = visits.today(study, participant)
    assert visit is not None
    visit = visits.rate(study, visit, "before", 71)
    TurnKeeper(study, visit).add(Said())  # type: ignore[arg-type]
    visits.save_draft(study, visit, "thoughts", DRAFT)
    return visit


def test_who_withdrew_makes_no_visit_and_loses_nothing(whole: Study) -> None:
    person = join(whole)
    a_visit(whole, person)
    withdraw(whole, person.code, by=person.code, reason="no time")
    person = whole.participant(person.code)
    assert person.status == "withdrawn"
    assert visits.today(whole, person) is None
    assert visits.why_closed(whole, person).reason == "withdrawn"
    assert whole.records.row("SELECT text FROM turn")["text"] == WORDS  # type: ignore[index]
    assert verify(whole.records).mistakes == []


def test_after_an_erasure_no_word_is_in_any_file(folder: Path, whole: Study) -> None:
    person, other = join(whole), join(whole)
    identity.remember(whole, person.code, by=person.code, name="Maya Lindqvist", email="maya@example.org")
    a_visit(whole, person)
    a_visit(whole, other)
    safety.report(whole, person.code, by="Dr Okafor", description="fell from the ladder", severity="mild")
    withdraw(whole, person.code, by=person.code, reason="the ladder frightens me", erase=True)
    kept = whole.records.rows("SELECT text FROM turn")
    assert [row["text"] for row in kept] == [WORDS]  # the other's
    withdraw(whole, other.code, by="researcher", erase=True)
    for file in folder.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        for said in (WORDS, DRAFT, "ladder", "Maya", "maya@"):
            assert said.encode() not in content, (file, said)
    for table in ("turn", "rating", "draft", "form", "answer"):
        assert whole.records.rows(f"SELECT * FROM {table}") == []
    assert identity.contact(whole, person.code) == {}


def test_the_record_verifies_after_an_erasure_and_still_shows_tampering(whole: Study) -> None:
    person, other = join(whole), join(whole)
    a_visit(whole, person)
    a_visit(whole, other)
    withdraw(whole, person.code, by=person.code, erase=True)
    assert verify(whole.records).mistakes == []
    details = whole.records.rows("SELECT detail FROM event WHERE person = ?", person.code)
    assert [row["detail"] for row in details] == [None] * len(details)
    write = whole.records.db.conn.execute
    write("UPDATE participant SET arm = 'chat' || arm WHERE code = ?", [person.code])
    assert verify(whole.records).mistakes == [f"Participant {person.code} was altered."]


def test_an_erasure_that_was_killed_before_the_identity_was_gone_is_finished_when_asked_again(
    whole: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = join(whole)
    identity.remember(whole, person.code, by=person.code, name="Maya Lindqvist")
    with monkeypatch.context() as patch:
        patch.setattr(identity, "forget", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            withdraw(whole, person.code, by=person.code, erase=True)
    assert identity.contact(whole, person.code) == {"name": "Maya Lindqvist"}
    withdraw(whole, person.code, by="researcher", erase=True)
    assert identity.contact(whole, person.code) == {}
    assert verify(whole.records).mistakes == []


def test_what_the_trial_must_account_for_stays(whole: Study) -> None:
    person = join(whole)
    a_visit(whole, person)
    withdraw(whole, person.code, by=person.code, erase=True)
    assert whole.participant(person.code).arm == person.arm
    assert whole.records.row("SELECT version FROM consent WHERE person = ?", person.code) == {"version": "1.0"}
    assert whole.records.row("SELECT day, state FROM visit WHERE participant = ?", person.code) is not None


def test_an_erasure_can_follow_a_withdrawal_and_is_done_once(whole: Study) -> None:
    person = join(whole)
    a_visit(whole, person)
    withdraw(whole, person.code, by=person.code)
    withdraw(whole, person.code, by=person.code, erase=True)
    events = whole.records.rows("SELECT id FROM event")
    withdraw(whole, person.code, by=person.code, erase=True)
    assert whole.records.rows("SELECT id FROM event") == events
    assert whole.records.rows("SELECT text FROM turn") == []
    assert verify(whole.records).mistakes == []


def test_somebody_who_is_not_enrolled_can_leave_too(whole: Study) -> None:
    person = enrolment.come(whole)
    due = forms.due_before_enrolment(whole, person)
    assert due is not None
    forms.submit(whole, person.code, due, {"age": 20, "sex": "other", "treatment": "no"})
    withdraw(whole, person.code, by=person.code, erase=True)
    assert whole.person(person.code).state == "declined"
    assert whole.records.rows("SELECT * FROM answer") == []
    assert verify(whole.records).mistakes == []


def test_who_could_not_take_part_can_have_their_answers_erased(whole: Study) -> None:
    person = fill(whole, enrolment.come(whole).code, {"age": 16, "sex": "other", "treatment": "no"})
    assert person.state == "ineligible"
    withdraw(whole, person.code, by=person.code, erase=True)
    assert whole.person(person.code).state == "ineligible"
    assert whole.records.rows("SELECT * FROM answer") == []


def test_nobody_is_withdrawn_by_a_wrong_code(whole: Study) -> None:
    with pytest.raises(UnknownCode):
        withdraw(whole, "NOBODY", by="researcher")


def test_the_answers_of_a_form_are_erased_from_the_log_as_well(whole: Study) -> None:
    person = join(whole, ucla3=1)
    assert whole.records.row("SELECT count(*) AS n FROM answer")["n"] > 20  # type: ignore[index]
    assert answers(whole, "ucla3", 1)
    withdraw(whole, person.code, by=person.code, erase=True)
    left = whole.records.rows("SELECT detail FROM event WHERE detail LIKE '%answer/%'")
    assert all('"answer/1": null' in row["detail"] for row in left)


def test_after_the_erasure_of_somebody_who_was_halted_the_record_verifies_and_the_reasons_are_gone(
    folder: Path, whole: Study, tmp_path: Path
) -> None:
    person = join(whole)
    halting.lift(
        whole,
        halting.halt(whole, "participant", person.code, by="Dr O", why="told us of the landlord"),
        by="Dr O",
        why="the landlord gave in",
    )
    halting.halt(whole, "participant", person.code, by="Dr O", why="the landlord again")
    withdraw(whole, person.code, by="Dr O", erase=True)
    assert verify(whole.records).mistakes == []
    assert b"landlord" not in b"".join(path.read_bytes() for path in folder.glob("study.sqlite*"))
    backup(whole, tmp_path / "b.tar")


def test_what_was_on_its_way_during_an_erasure_is_not_kept(whole: Study, clock: HandClock) -> None:
    person, other = join(whole), join(whole)
    written = a_visit(whole, person)
    clock.forward(days=1)
    begun, open_one = visits.today(whole, person), visits.today(whole, other)
    assert begun is not None
    assert open_one is not None
    due = forms.Due("k10", "day 8", "en", begun.id)
    withdraw(whole, person.code, by=person.code, erase=True)
    for late in (
        lambda: visits.save_draft(whole, written, "thoughts", "one more word"),
        lambda: visits.rate(whole, begun, "before", 50),
        lambda: forms.submit(whole, person.code, due, answers(whole, "k10")),
        lambda: sounding.report(whole, written, 1, 300.0, by="robot-1"),
    ):
        with pytest.raises(NotDue):
            late()
    for table in ("draft", "rating", "first_sound"):
        assert whole.records.rows(f"SELECT * FROM {table}") == [], table
    assert whole.records.rows("SELECT * FROM form WHERE person = ?", person.code) == []
    visits.rate(whole, open_one, "before", 50)

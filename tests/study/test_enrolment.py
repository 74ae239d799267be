"""Coming, being screened, consenting, being enrolled; concealed, and by many at once."""

import json
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import structlog

from study import enrolment, forms, halting, safety
from study.errors import NotDue, OutOfRange, StudyError
from study.study import Study
from study.verify import verify
from tests import trial
from tests.conftest import HandClock
from tests.trial import FIT, fill, join


def test_who_breaks_a_rule_is_not_enrolled_and_the_reasons_are_recorded(whole: Study) -> None:
    person = fill(whole, enrolment.come(whole).code, {"age": 17, "sex": "male", "treatment": "yes"})
    assert person.state == "ineligible"
    assert person.reasons == (
        "The study is for adults.",
        "The study is for people who are not in treatment.",
    )
    with pytest.raises(NotDue):
        enrolment.enrol(whole, person.code)


def test_nobody_is_enrolled_before_everything_is_answered(whole: Study) -> None:
    code = enrolment.come(whole).code
    with pytest.raises(NotDue, match="Something is still to be answered"):
        enrolment.enrol(whole, code)
    fill(whole, code)
    person = enrolment.enrol(whole, code)
    assert enrolment.enrol(whole, code) == person
    assert whole.records.row("SELECT count(*) AS n FROM participant") == {"n": 1}


def test_a_consent_needs_every_statement_and_keeps_the_hash_of_what_was_shown(whole: Study) -> None:
    code = enrolment.come(whole).code
    forms.submit(whole, code, forms.Due("screening", "screening", "en"), FIT)
    forms.submit(whole, code, forms.Due("k10", "screening", "en"), trial.answers(whole, "k10"))
    with pytest.raises(StudyError, match="Every statement"):
        enrolment.give_consent(whole, code, statements=[0])
    with pytest.raises(NotDue, match="another one"):
        enrolment.give_consent(whole, code, statements=[0, 1], sha256="0" * 64)
    enrolment.give_consent(whole, code, statements=[0, 1])
    row = whole.records.row("SELECT * FROM consent")
    assert row is not None
    assert whole.protocol.consent is not None
    assert row["sha256"] == enrolment.consent_sha256(whole.protocol.consent)
    assert (row["version"], row["witness"]) == ("1.0", None)


def test_answers_to_the_screening_are_checked(whole: Study) -> None:
    code = enrolment.come(whole).code
    due = forms.Due("screening", "screening", "en")
    for wrong, said in (
        ({**FIT, "age": 121}, "age is a number, at least 0 and at most 120"),
        ({**FIT, "age": "20"}, "whole number"),
        ({**FIT, "sex": "x"}, "one of: female, male, other"),
        ({"age": 20, "treatment": "no"}, "sex is answered with one of"),
    ):
        with pytest.raises(OutOfRange, match=said):
            forms.submit(whole, code, due, wrong)


def test_strata_follow_from_answers_and_scores(whole: Study) -> None:
    assert whole.records.row("SELECT stratum FROM participant WHERE code = ?", join(whole, k10=0).code) == {
        "stratum": "sex: female; k10: below 20"
    }
    code = join(whole, {**FIT, "sex": "male"}, k10=1).code
    row = whole.records.row("SELECT stratum, levels FROM participant WHERE code = ?", code)
    assert row == {"stratum": "sex: male; k10: 20 or more", "levels": '{"sex": "male", "k10": "20 or more"}'}


def test_a_participant_has_a_zone_of_their_own(whole: Study) -> None:
    code = enrolment.come(whole, timezone="Pacific/Auckland").code
    fill(whole, code)
    person = enrolment.enrol(whole, code)
    assert str(person.starts_on) == "2026-03-02"  # 22:00 there
    with pytest.raises(StudyError, match="no IANA time zone; did you mean Europe/Berlin"):
        enrolment.come(whole, timezone="Europe/Berln")


def test_paper_goes_the_same_way_with_a_witness(whole: Study) -> None:
    scores = {name: trial.answers(whole, name) for name in ("k10", "phq9", "ucla3")}
    person = enrolment.take_in(whole, "Dr Okafor", answers=FIT, scores=scores)
    assert person.status == "active"
    assert whole.records.row("SELECT witness FROM consent") == {"witness": "Dr Okafor"}
    with pytest.raises(StudyError, match="cannot take part: The study is for adults"):
        enrolment.take_in(whole, "Dr Okafor", answers={**FIT, "age": 12}, scores=scores)


def test_who_raised_an_alarm_on_the_way_waits_as_a_participant(whole: Study) -> None:
    code = enrolment.come(whole).code
    fill(whole, code, phq9=1)
    assert [event["category"] for event in safety.events(whole)] == ["self_harm"]
    person = enrolment.enrol(whole, code)
    assert person.status == "held"
    safety.acknowledge(whole, 1, "Dr Okafor")
    assert whole.participant(code).status == "active"


def test_recorded_speech_needs_the_studys_wish_and_the_participants_permission(folder: Path, clock: HandClock) -> None:
    trial.write(folder, ("record_speech = false", "record_speech = true"))
    study = Study.open(folder, clock=clock)
    yes, no = join(study), enrolment.come(study)
    assert enrolment.may_record(study, yes)
    for due, given in (("screening", FIT), ("k10", trial.answers(study, "k10"))):
        forms.submit(study, no.code, forms.Due(due, "screening", "en"), given)
    enrolment.give_consent(study, no.code, statements=[0, 1])
    fill(study, no.code)
    assert not enrolment.may_record(study, enrolment.enrol(study, no.code))


def test_nobody_is_enrolled_while_the_study_or_an_arm_is_halted(whole: Study) -> None:
    for scope, target in (("study", ""), ("arm", "chat")):
        number = halting.halt(whole, scope, target, by="Dr Okafor", why="to look")  # type: ignore[arg-type]
        with pytest.raises(StudyError, match="is halted, so nobody can be enrolled"):
            join(whole)
        halting.lift(whole, number, by="Dr Okafor", why="looked")
    assert join(whole).status == "active"


# Places


def places(study: Study) -> dict[str, list[str]]:
    """The arms of each stratum, in the order of their places, which have no gap."""
    found: dict[str, list[str]] = {}
    for row in study.records.rows("SELECT * FROM participant WHERE kind = 'participant' ORDER BY stratum, position"):
        arms = found.setdefault(row["stratum"], [])
        assert row["position"] == len(arms)
        arms.append(row["arm"])
    return found


def balanced(arms: list[str]) -> bool:
    """Whether every whole block of three has each arm once."""
    return all(len(set(arms[start : start + 3])) == 3 for start in range(0, len(arms) - len(arms) % 3, 3))


SEXES = ["female", "male", "other"]


def test_fifty_simultaneous_enrolments_in_eight_threads(folder: Path) -> None:
    trial.write(folder)
    study = Study.open(folder)
    codes = [enrolment.come(study).code for _ in range(50)]
    for number, code in enumerate(codes):
        fill(study, code, {**FIT, "sex": SEXES[number % 3]})
    barrier = threading.Barrier(8)
    enrolled: list[str] = []

    def work(mine: list[str]) -> None:
        barrier.wait()
        for code in mine:
            enrolled.append(enrolment.enrol(study, code).code)

    threads = [threading.Thread(target=work, args=(codes[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(enrolled) == sorted(codes)
    found = places(study)
    assert sorted(len(arms) for arms in found.values()) == [16, 17, 17]
    assert all(balanced(arms) for arms in found.values())
    assert verify(study.records).mistakes == []


def _enrol_many(folder: Path, codes: list[str]) -> None:
    study = Study.open(folder)
    for code in codes:
        enrolment.enrol(study, code)


def test_enrolments_in_processes_of_which_some_are_killed(folder: Path) -> None:
    trial.write(folder)
    study = Study.open(folder)
    codes = [enrolment.come(study).code for _ in range(60)]
    for number, code in enumerate(codes):
        fill(study, code, {**FIT, "sex": SEXES[number % 3]})
    study.close()
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_enrol_many, args=(folder, codes[start::4])) for start in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers[:3]:
        time.sleep(0.03)
        os.kill(worker.pid or 0, signal.SIGKILL)
    for worker in workers:
        worker.join()
    study = Study.open(folder)
    assert all(balanced(arms) for arms in places(study).values())
    for code in codes:
        enrolment.enrol(study, code)
    found = places(study)
    assert [len(arms) for arms in found.values()] == [20, 20, 20]
    assert all(balanced(arms) for arms in found.values())
    assert verify(study.records).mistakes == []


def test_an_enrolment_that_fails_leaves_no_trace_and_uses_up_no_place(
    whole: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [enrolment.come(whole).code for _ in range(4)]
    for code in codes:
        fill(whole, code)
    events = whole.records.rows("SELECT * FROM event")

    def fails(*args: object, **more: object) -> None:
        raise RuntimeError("the power is out")

    with monkeypatch.context() as patched:
        patched.setattr("study.records.Write.log", fails)
        with pytest.raises(RuntimeError, match="power"):
            enrolment.enrol(whole, codes[0])
    assert whole.records.rows("SELECT * FROM event") == events
    assert whole.records.rows("SELECT * FROM participant") == []
    arms = [enrolment.enrol(whole, code).arm.name for code in codes]
    assert balanced(arms)


def test_test_participants_and_rehearsals_use_up_no_place(folder: Path, tmp_path: Path, clock: HandClock) -> None:
    trial.write(folder)
    study = Study.open(folder, clock=clock)
    for arm in ("robot", "robot", "chat"):
        person = enrolment.take_in(study, "researcher", kind="test", arm=arm, skip=True)
        assert person.arm.name == arm
        assert person.code.startswith("TEST-")
    rehearsal = Study.open(folder, clock=clock, rehearsal=tmp_path / "rehearsal.sqlite")
    for _ in range(5):
        assert join(rehearsal).code.startswith("SIM-")
    arms = [join(study).arm.name for _ in range(6)]
    assert balanced(arms)
    assert places(study) == {"sex: female; k10: below 20": arms}
    with pytest.raises(StudyError, match="of nobody else"):
        enrolment.enrol(study, fill(study, enrolment.come(study).code).code, arm="robot")


# Concealment


def test_nothing_anywhere_tells_an_allocation_before_it_is_made(
    folder: Path, whole: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the seed nor an arm: what is in the files, the log and the output does not change with what comes next."""
    structlog.configure()
    code = fill(whole, enrolment.come(whole).code).code
    seed = whole.key.allocation_seed(str(whole.protocol.allocation.seed))
    kept = json.dumps([whole.records.rows(f"SELECT * FROM {name}") for name in whole.records.db.table_names()])
    written = b"".join(path.read_bytes() for path in folder.glob("study.sqlite*"))
    said = capsys.readouterr()
    assert seed not in kept + said.out + said.err
    assert seed.encode() not in written
    assert '"arm"' not in json.dumps(whole.records.rows("SELECT detail FROM event"))
    enrolment.enrol(whole, code)
    assert seed not in json.dumps(whole.records.rows("SELECT * FROM event"))


def test_the_same_public_seed_gives_another_study_another_sequence(folder: Path, tmp_path: Path) -> None:
    trial.write(folder)
    other = tmp_path / "other"
    other.mkdir()
    (other / "study.toml").write_text((folder / "study.toml").read_text())
    here, there = Study.open(folder), Study.open(other)
    sequences = [[join(study).arm.name for _ in range(24)] for study in (here, there)]
    assert sequences[0] != sequences[1]
    assert Counter(sequences[0]) == Counter(sequences[1])

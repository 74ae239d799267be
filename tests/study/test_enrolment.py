"""Coming, being screened, consenting, being enrolled; concealed, and by many at once."""

import json
import multiprocessing
import re
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import structlog

from portal.app import create_app
from portal.console.guard import COOKIE
from study import enrolment, forms, halting, safety
from study.access import accounts, signing
from study.allocation import minimise, sequence
from study.allocation_rehearsal import rehearse
from study.amendment import amend
from study.backup import backup
from study.errors import NotDue, OutOfRange, StudyError
from study.export import export
from study.keys import StudyKey
from study.study import Study
from study.tick import tick
from study.verify import verify
from tests import trial
from tests.conftest import HandClock
from tests.trial import FIT, SEXES, fill, join

ARMS = ["robot", "chat", "worksheet"]


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


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"answers": {**FIT, "age": "x"}}, "age is answered with a whole number"),
        ({"answers": {**FIT, "aeg": 20}}, "'aeg' is no question of the screening; allowed: age, sex, treatment"),
        ({"answers": {}}, "age is answered with a whole number"),
        ({"scores": {}}, "The answers to k10 are missing: --item k10.ITEM=NUMBER"),
        ({"scores": {"k10": {"1": 1}}}, "The answers to phq9 are missing"),
        ({"scores": {"k10": {"99": 1}}}, "k10 has no item '99'"),
        ({"scores": {"k10": {"1": 77}}}, "k10 item 1 is answered with a whole number from 1 to 5"),
        ({"scores": {"k6": {}}}, "'k6' is no measure due before the enrolment; allowed: k10, phq9, ucla3"),
        ({"permissions": ["speech"]}, "'speech' is no permission of the consent; allowed: record_speech"),
        ({"timezone": "Mars"}, "no IANA time zone"),
        ({"arm": "robot"}, "of nobody else"),
        ({"kind": "test", "arm": "video", "skip": True}, "no arm 'video'"),
    ],
)
def test_a_slip_on_paper_leaves_nobody_half_enrolled(whole: Study, wrong: dict[str, Any], said: str) -> None:
    scores = {name: trial.answers(whole, name) for name in ("k10", "phq9", "ucla3")}
    with pytest.raises(StudyError, match=re.escape(said)):
        enrolment.take_in(whole, "Dr Okafor", **{"answers": FIT, "scores": scores, **wrong})
    assert whole.people() == []


def test_while_halted_nobody_on_paper_is_left_at_the_door(whole: Study) -> None:
    halting.halt(whole, "study", "", by="Dr Okafor", why="to look")
    scores = {name: trial.answers(whole, name) for name in ("k10", "phq9", "ucla3")}
    with pytest.raises(StudyError, match="is halted"):
        enrolment.take_in(whole, "Dr Okafor", answers=FIT, scores=scores)
    assert whole.people() == []


def test_of_somebody_excluded_on_paper_only_the_screening_is_needed(whole: Study) -> None:
    k10 = {"k10": trial.answers(whole, "k10")}
    with pytest.raises(StudyError, match="cannot take part: The study is for adults"):
        enrolment.take_in(whole, "Dr Okafor", answers={**FIT, "age": 12}, scores=k10)
    assert [(person.state, person.reasons) for person in whole.people()] == [
        ("ineligible", ("The study is for adults.",))
    ]


def test_a_score_that_is_missing_has_a_level_of_its_own(whole: Study) -> None:
    code = enrolment.come(whole).code
    forms.submit(whole, code, forms.Due("screening", "screening", "en"), FIT)
    forms.submit(whole, code, forms.Due("k10", "screening", "en"), {})
    fill(whole, code)
    enrolment.enrol(whole, code)
    assert whole.records.row("SELECT stratum FROM participant") == {"stratum": "sex: female; k10: unknown"}


def test_who_declines_while_being_enrolled_is_not(whole: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal of another tab arrives between the look and the transaction."""
    code = fill(whole, enrolment.come(whole).code).code
    known = forms.known

    def meanwhile(study: Study, code: str) -> Any:
        enrolment.decline(study, code)
        return known(study, code)

    monkeypatch.setattr("study.forms.known", meanwhile)
    with pytest.raises(NotDue, match="not on the way"):
        enrolment.enrol(whole, code)
    assert whole.person(code).state == "declined"
    assert whole.records.rows("SELECT * FROM participant") == []


def test_an_arm_that_was_amended_away_may_stay_halted(folder: Path, whole: Study, clock: HandClock) -> None:
    early = fill(whole, enrolment.come(whole).code).code
    halting.halt(whole, "arm", "chat", by="Board", why="harm")
    path = folder / "study.toml"
    text = path.read_text()
    start = text.index('[[arms]]\nname = "chat"')
    text = text[:start] + text[text.index("[[arms]]", start + 1) :]
    path.write_text(text.replace("block_sizes = [3] ", "block_sizes = [2] "))
    amend(folder, by="Board", why="harm", clock=clock)
    study = Study.open(folder, clock=clock)
    assert {join(study).arm.name for _ in range(6)} == {"robot", "worksheet"}
    with pytest.raises(StudyError, match="arm chat is halted"):  # theirs is the first version, which has it
        enrolment.enrol(study, early)


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
        worker.kill()
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
    written = _bytes_of(whole)

    def fails(*args: object, **more: object) -> None:
        raise RuntimeError("the power is out")

    with monkeypatch.context() as patched:
        patched.setattr("study.records.Write.log", fails)
        with pytest.raises(RuntimeError, match="power"):
            enrolment.enrol(whole, codes[0])
    assert _bytes_of(whole) == written
    assert whole.records.rows("SELECT * FROM event") == events
    assert whole.records.rows("SELECT * FROM participant") == []
    arms = [enrolment.enrol(whole, code).arm.name for code in codes]
    seed = whole.key.allocation_seed(str(whole.protocol.allocation.seed))
    stratum = "sex: female; k10: below 20"
    assert arms == [slot.arm for slot in islice(sequence(seed, stratum, ARMS, [1, 1, 1], [3]), 4)]


def _bytes_of(study: Study) -> bytes:
    """The record as it lies on the disk, with SQLite's write-ahead log."""
    return b"".join(path.read_bytes() for path in sorted(study.folder.glob("study.sqlite*")) if path.suffix != "-shm")


def test_the_record_itself_refuses_a_place_that_is_given_twice(whole: Study) -> None:
    first, second = join(whole).code, join(whole).code
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        whole.records.db.conn.execute(
            "UPDATE participant SET position = (SELECT position FROM participant WHERE code = ?) WHERE code = ?",
            [first, second],
        )


def test_fifty_simultaneous_enrolments_with_minimisation(folder: Path) -> None:
    """Each is reckoned from all before it, whoever enrols: one after another they give the same arms."""
    trial.write(folder, ("block_sizes = [3] ", 'method = "minimisation" '))
    study = Study.open(folder)
    codes = [enrolment.come(study).code for _ in range(50)]
    for number, code in enumerate(codes):
        fill(study, code, {**FIT, "sex": SEXES[number % 3]}, k10=number % 2)
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(lambda code: enrolment.enrol(study, code), codes))) == 50
    seed = study.key.allocation_seed(str(study.protocol.allocation.seed))
    before: list[tuple[str, dict[str, str]]] = []
    rows = study.records.rows("SELECT * FROM participant ORDER BY position")
    assert [row["position"] for row in rows] == list(range(50))
    for number, row in enumerate(rows):
        levels = json.loads(row["levels"])
        slot = minimise(seed, number, ARMS, [1, 1, 1], before, levels, {"sex": 1.0, "k10": 1.0}, 0.8)
        assert row["arm"] == slot.arm
        before.append((slot.arm, levels))
    assert verify(study.records).mistakes == []


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


def test_an_amended_allocation_begins_a_new_scheme_and_who_came_before_stays_with_theirs(
    folder: Path, whole: Study, clock: HandClock
) -> None:
    early = [fill(whole, enrolment.come(whole).code).code for _ in range(5)]
    first = [enrolment.enrol(whole, code).arm.name for code in early[:2]]
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("block_sizes = [3] ", "block_sizes = [6] "))
    amend(folder, by="Board", why="to be harder to guess", clock=clock)
    study = Study.open(folder, clock=clock)
    second = [join(study).arm.name for _ in range(7)]
    first += [enrolment.enrol(study, code).arm.name for code in early[2:]]
    for public, sizes, arms in (("20260301", [3], first), ("20260301/1", [6], second)):
        expected = sequence(study.key.allocation_seed(public), "sex: female; k10: below 20", ARMS, [1, 1, 1], sizes)
        assert arms == [slot.arm for slot in islice(expected, len(arms))]
    rows = study.records.rows("SELECT scheme, position FROM participant ORDER BY scheme, position")
    assert [(row["scheme"], row["position"]) for row in rows] == [(0, n) for n in range(5)] + [(1, n) for n in range(7)]
    assert verify(study.records).mistakes == []


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


def test_the_sequence_is_reckoned_nowhere_but_in_the_transaction_that_enrols(
    whole: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its seed there is no sequence to tell of, and only an enrolment under way ever asks for the seed."""
    asked: list[bool] = []
    seed_of = StudyKey.allocation_seed

    def watched(key: StudyKey, public: str) -> str:
        asked.append(whole.records.db.conn.in_transaction)
        return seed_of(key, public)

    monkeypatch.setattr(StudyKey, "allocation_seed", watched)
    code = fill(whole, enrolment.come(whole).code).code
    enrolment.decline(whole, fill(whole, enrolment.come(whole).code).code)
    enrolment.take_in(whole, kind="test", skip=True)
    halting.lift(whole, halting.halt(whole, "study", "", by="x", why="y"), by="x", why="y")
    tick(whole)
    export(whole, tmp_path / "out")
    backup(whole, tmp_path / "study.backup")
    verify(whole.records)
    client = create_app(whole, {}).test_client()
    accounts.add(whole, "researcher", ["researcher"], by="test")
    client.set_cookie(COOKIE, signing.begin(whole, "researcher"))
    for path in (whole.join_path(), "/console/", "/console/people/", "/console/protocol/"):
        assert client.get(path).status_code == 200
    list(rehearse(whole.protocol, "1", 5))
    assert asked == []
    enrolment.enrol(whole, code)
    assert asked == [True]


def test_the_same_public_seed_gives_another_study_another_sequence(folder: Path, tmp_path: Path) -> None:
    trial.write(folder)
    other = tmp_path / "other"
    other.mkdir()
    (other / "study.toml").write_text((folder / "study.toml").read_text())
    here, there = Study.open(folder), Study.open(other)
    sequences = [[join(study).arm.name for _ in range(24)] for study in (here, there)]
    assert sequences[0] != sequences[1]
    assert Counter(sequences[0]) == Counter(sequences[1])

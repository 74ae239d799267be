"""Blinded roles see masked labels until a recorded unblinding."""

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study import halting, safety
from study.blinding import is_unblinded, label, labels, unblind
from study.enrolment import take_in
from study.errors import StudyError, UnknownCode
from study.export import export
from study.study import Study
from study.verify import verify
from tests.conftest import HandClock
from tests.exporting import csv_rows, make_trial, parquet_rows


def test_labels_are_masked_different_and_stay_the_same(study: Study, folder: Path) -> None:
    masked = labels(study, "analyst")
    assert sorted(masked) == ["chat", "robot", "worksheet"]
    assert sorted(masked.values()) == ["Arm A", "Arm B", "Arm C"]
    take_in(study)
    assert labels(study, "analyst") == masked
    study.close()
    assert labels(Study.open(folder), "analyst") == masked


def test_labels_follow_from_the_key_and_not_from_the_protocol(folder: Path, tmp_path: Path) -> None:
    """With another key each, 25 studies of one protocol have their labels in several orders."""
    orders = set()
    for number in range(25):
        other = tmp_path / str(number)
        other.mkdir()
        shutil.copy(folder / "study.toml", other)
        masked = labels(Study.open(other), "analyst")
        orders.add(tuple(sorted(masked, key=lambda name: masked[name])))
    assert len(orders) > 2  # fewer happens once in 10^11 runs


def test_each_role_and_each_rehearsal_has_labels_of_its_own(folder: Path, tmp_path: Path) -> None:
    """Otherwise whoever is told the arms of a rehearsal, or of the other role, would know those of the study."""
    same_role = same_rehearsal = 0
    for number in range(25):
        other = tmp_path / str(number)
        other.mkdir()
        shutil.copy(folder / "study.toml", other)
        study = Study.open(other)
        rehearsal = Study.open(other, rehearsal=other / "rehearsal.sqlite")
        same_role += labels(study, "analyst") == labels(study, "assessor")
        same_rehearsal += labels(study, "analyst") == labels(rehearsal, "analyst")
    assert same_role < 18  # one in six by chance
    assert same_rehearsal < 18


def test_an_arm_that_an_amendment_adds_changes_no_label(study: Study) -> None:
    take_in(study)
    before = labels(study, "analyst")
    arms = (*study.protocol.arms, study.protocol.arms[1].model_copy(update={"name": "chat-eliza"}))
    study.protocol = study.protocol.model_copy(update={"arms": list(arms)})
    after = labels(study, "analyst")
    assert after == {**before, "chat-eliza": "Arm D"}


def test_a_role_sees_the_arm_of_one_participant_after_their_unblinding(study: Study) -> None:
    one, two = take_in(study), take_in(study)
    assert label(study, "assessor", one).startswith("Arm ")
    unblind(study, "assessor", by="Dr Imani Okafor", why="medical emergency", participant=one.code)
    assert label(study, "assessor", one) == one.arm.name
    assert label(study, "assessor", two).startswith("Arm ")
    assert label(study, "analyst", one).startswith("Arm ")
    assert is_unblinded(study, "assessor", one.code)
    assert not is_unblinded(study, "assessor")
    assert label(study, None, two) == two.arm.name


def test_an_unblinding_is_recorded_with_who_and_why(study: Study, clock: HandClock) -> None:
    take_in(study)
    unblind(study, "analyst", by="Dr Imani Okafor", why="the analysis is frozen")
    [row] = study.records.rows("SELECT * FROM unblinding")
    assert (row["role"], row["participant"], row["unblinded_by"]) == ("analyst", None, "Dr Imani Okafor")
    assert row["why"] == "the analysis is frozen"
    [event] = study.records.rows("SELECT * FROM event WHERE what = 'unblinded'")
    assert (event["actor"], event["subject"]) == ("Dr Imani Okafor", "analyst")
    assert "the analysis is frozen" in event["detail"]
    assert verify(study.records).mistakes == []
    assert is_unblinded(study, "analyst")
    assert not is_unblinded(study, "assessor")


def test_an_unblinding_needs_a_name_a_reason_and_somebody_blinded(study: Study) -> None:
    code = take_in(study).code
    with pytest.raises(StudyError, match="--by NAME"):
        unblind(study, "analyst", by=" ", why="because")
    with pytest.raises(StudyError, match="--why REASON"):
        unblind(study, "analyst", by="me", why="")
    with pytest.raises(UnknownCode):
        unblind(study, "analyst", by="me", why="because", participant="NOBODY")
    with pytest.raises(StudyError, match="no role"):
        unblind(study, "statistician", by="me", why="because")  # type: ignore[arg-type]
    assert study.records.rows("SELECT * FROM unblinding") == []
    unblind(study, "analyst", by="me", why="because")
    with pytest.raises(StudyError, match="unblinded already, by me"):
        unblind(study, "analyst", by="you", why="because")
    with pytest.raises(StudyError, match="already, by me"):
        unblind(study, "analyst", by="you", why="because", participant=code)


def test_test_participants_are_in_no_blinded_export(study: Study, tmp_path: Path) -> None:
    for _ in study.protocol.arms:  # they get the arms in the protocol's order, which is known
        take_in(study, kind="test", skip=True)
    with pytest.raises(StudyError, match="no export for a blinded analyst"):
        export(study, tmp_path / "out", role="analyst", with_tests=True)
    unblind(study, "analyst", by="me", why="because")
    export(study, tmp_path / "out", role="analyst", with_tests=True)


ARMS = st.lists(
    st.tuples(
        st.from_regex(r"zq[a-z]{5,9}", fullmatch=True),
        st.sampled_from(["robot", "chat", "worksheet"]),
        st.sampled_from(["neutral", "warm_trait", "warm_behaviour", "secure_attachment"]),
        st.sampled_from(['{ kind = "eliza" }', '{ kind = "openai", base_url = "http://zqhost", model = "zqmodel" }']),
    ),
    min_size=3,
    max_size=3,
    unique_by=lambda arm: arm[0],
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(arms=ARMS)
@pytest.mark.parametrize("deidentified", [False, True])
def test_no_byte_of_a_blinded_export_tells_an_arm(
    tmp_path_factory: pytest.TempPathFactory, arms: list[tuple[str, str, str, str]], deidentified: bool
) -> None:
    folder = tmp_path_factory.mktemp("blinded")
    described = [dict(zip(("name", "medium", "persona", "engine"), arm, strict=True)) for arm in arms]
    study = make_trial(folder / "study", arms=described)
    for participant in study.participants()[:3]:
        halting.halt(study, "participant", participant.code, by="me", why=f"{participant.arm.name} went wrong")
    halting.halt(study, "arm", arms[0][0], by="me", why=f"the {arms[0][0]} was heard to say so")
    safety.report(study, study.participants()[0].code, by="me", description=f"fell over the {arms[0][1]}")
    unblind(study, "assessor", by="me", why=f"saw the {arms[0][1]}")
    safety.acknowledge(study, 1, by="me")
    raise_screen_hits(study)
    export(study, folder / "out", role="analyst", deidentified=deidentified)
    words = {word.encode() for arm in arms for word in arm[:3]} | {
        b"eliza",
        b"smollm2",
        b"transformers",
        b"openai",
        b"zqhost",
        b"zqmodel",
    }
    found = []
    for path in (folder / "out").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += str(parquet_rows(path)).encode()
            found += [(path.name, word) for word in words if word in content]
    assert found == []
    masked = labels(study, "analyst")
    halts = csv_rows(folder / "out" / "halt.csv")
    assert [row["target"] for row in halts if row["scope"] == "arm"] == [masked[arms[0][0]]]
    codes = {row["code"]: row["arm"] for row in csv_rows(folder / "out" / "participant.csv")}
    if not deidentified:
        assert codes == {one.code: masked[one.arm.name] for one in study.participants() if one.kind == "participant"}
    assert set(codes.values()) == set(masked.values())
    # Nor does anything stand there that only one arm can have.
    columns = {(row["table"], row["column"]) for row in csv_rows(folder / "out" / "dictionary.csv")}
    assert not {"turn", "draft", "event"} & {table for table, _ in columns}
    assert not {("visit", "device"), ("participant", "position"), ("participant", "block")} & columns
    assert {row["source"] for row in csv_rows(folder / "out" / "safety_event.csv")} == {"screen", "report"}
    for name in ("study.toml", "transcripts.jsonl"):
        assert not (folder / "out" / name).exists()


def raise_screen_hits(study: Study) -> None:
    """One hit of the screen in a worksheet's field, which only one medium has, and one in a therapist's words."""
    from datetime import datetime

    class Hit:
        category = "suicide"
        rule = "suicide.kill_myself"

    now = datetime.fromisoformat(study.records.rows("SELECT max(at) AS at FROM event")[0]["at"])
    code = study.participants()[0].code
    with study.records.write() as write:
        safety.raise_event(study, write, code, None, None, "draft", Hit(), now)
        safety.raise_event(study, write, code, None, 3, "therapist", Hit(), now)


def test_after_the_unblinding_the_export_shows_the_arms(tmp_path: Path) -> None:
    study = make_trial(tmp_path / "study")
    unblind(study, "analyst", by="me", why="emergency", participant=study.participants()[0].code)
    export(study, tmp_path / "one", role="analyst")
    # The unblinding of one participant must not undo that of the others in the same file.
    assert all(re.fullmatch("Arm [ABC]", row["arm"]) for row in csv_rows(tmp_path / "one" / "participant.csv"))
    unblind(study, "analyst", by="me", why="the analysis is frozen")
    export(study, tmp_path / "all", role="analyst")
    assert {row["arm"] for row in csv_rows(tmp_path / "all" / "participant.csv")} == {"robot", "chat", "worksheet"}
    assert (tmp_path / "all" / "transcripts.jsonl").exists()
    export(study, tmp_path / "other", role="assessor")
    assert all(re.fullmatch("Arm [ABC]", row["arm"]) for row in csv_rows(tmp_path / "other" / "participant.csv"))

"""The record as the tables of an analysis: what was recorded, no more and no less, and nothing of an arm for the blind."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from study import blinding, forms, halting, visits
from study.amendment import amend
from study.analysis.data import AnalysisData, load
from study.analysis.outcomes import outcomes
from study.analysis.record import column_of
from study.enrolment import take_in
from study.errors import StudyError
from study.study import Study
from study.withdrawal import withdraw
from tests import exporting
from tests.conftest import HandClock

PLAN = """
[analysis]
primary = { measure = "distress", when = "after", change_from = "before" }
secondary = [
    { measure = "k10", when = "day 2", change_from = "baseline" },
    { measure = "ucla3", when = "after" },
]
covariates = ["where"]
contrasts = [["robot", "chat"], ["worksheet", "chat"]]
missing = "jump_to_reference"
reference = "chat"

[analysis.estimand]
population = "Everybody who was allocated"
treatment = "Fifteen days with the robot, in the chat or on the worksheet"
variable = "Change of distress from before to after each visit"
intercurrent_events = "As if nobody had missed a visit"
summary = "Difference of the mean changes"
"""


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """The small trial of the tests of the export, with a plan; the second participant withdraws, the third is erased."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "TAIL", exporting.TAIL + PLAN)
        study = exporting.make_trial(tmp_path_factory.mktemp("trial") / "study")
    _, second, third, *_ = study.participants()
    withdraw(study, second.code, by="the lab", reason="No time.")
    withdraw(study, third.code, by="the lab", erase=True)
    yield study
    study.close()


@pytest.fixture(scope="module")
def data(trial: Study) -> AnalysisData:
    return load(trial)


def tables(data: AnalysisData) -> dict[str, pd.DataFrame]:
    return {one.name: value for one in fields(data) if isinstance(value := getattr(data, one.name), pd.DataFrame)}


def test_everybody_is_there_in_the_order_of_enrolment_but_those_who_test(trial: Study, data: AnalysisData) -> None:
    joined = [one for one in trial.participants() if one.kind == "participant"]
    found = data.participants
    assert found["participant"].tolist() == [one.code for one in joined]
    assert found["arm"].tolist() == [one.arm.name for one in joined]
    assert found["status"].tolist() == ["active", "withdrawn", "withdrawn", "active", "active", "active"]
    assert found["withdrawn_day"].tolist()[1:3] == [3, 3]
    assert found["withdrawal_reason_given"].tolist() == [False, True, False, False, False, False]
    assert found["erased"].tolist() == [False, False, True, False, False, False]
    assert data.people["state"].tolist() == ["enrolled"] * 6 + ["ineligible"]
    assert data.people["reasons"].tolist()[-1] == ("You are not 18 yet.",)
    assert data.factors == {"where": ("the north, mostly", "the south")}
    assert set(found["where"]) == set(data.factors["where"])
    assert (data.arms, data.media["robot"], data.blinded) == (("robot", "chat", "worksheet"), "robot", False)


def test_scores_are_the_ratings_and_the_scores_of_the_forms(trial: Study, data: AnalysisData) -> None:
    rated = trial.records.rows(
        "SELECT visit.participant, visit.day, rating.occasion, rating.value FROM rating"
        " JOIN visit ON visit.id = rating.visit JOIN participant ON participant.code = visit.participant"
        " WHERE participant.kind = 'participant' ORDER BY visit.participant, visit.day, rating.id"
    )
    found = data.scores[data.scores["measure"] == "distress"].sort_values(["participant", "day"], kind="stable")
    assert found[["participant", "day", "occasion", "score"]].to_numpy().tolist() == [
        [row["participant"], float(row["day"]), row["occasion"], float(row["value"])] for row in rated
    ]
    assert len(rated) == 5 * 2 * 2
    for code in data.participants.loc[~data.participants["erased"], "participant"]:
        own = data.scores[(data.scores["participant"] == code) & (data.scores["measure"] == "k10")]
        given = {
            row["occasion"]: forms.scores_of(trial, "k10", {one["item"]: one["value"] for one in answers})["k10"]
            for row in forms.given(trial, code)
            if row["measure"] == "k10"
            for answers in [trial.records.rows("SELECT item, value FROM answer WHERE form = ?", row["id"])]
        }
        assert own["occasion"].tolist() == ["baseline", "day 2"]
        for occasion, score in zip(own["occasion"], own["score"], strict=True):
            assert score == given[occasion] if given[occasion] is not None else pd.isna(score)


def test_turns_count_words_and_events_have_their_arm(trial: Study, data: AnalysisData) -> None:
    whole = data.turns[data.turns["day"] == 1]
    assert len(data.turns) == 10  # five people, two days
    assert set(whole["participant_words"]) == {len(exporting.WORDS.split())}
    assert (whole["participant_turns"] == 1).all()
    assert (whole["therapist_turns"] == 2).all()
    assert (whole["model_turns"] == 1).all()
    assert data.events["participant"].isin(data.participants["participant"]).all()


def test_somebody_whose_data_were_erased_is_counted_and_has_no_values(data: AnalysisData) -> None:
    erased = data.participants["participant"].iloc[2]
    assert erased not in set(data.scores["participant"])
    primary, secondary = outcomes(data)
    assert primary.frame.loc[primary.frame["participant"] == erased, "value"].isna().all()
    assert all(erased in set(one.frame["participant"]) for one in secondary)


def test_the_same_record_has_the_same_hash_and_one_more_rating_another(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "TAIL", exporting.TAIL + PLAN)
        study = exporting.make_trial(tmp_path / "study", people=3)
    before = load(study)
    assert load(study).sha256 == before.sha256
    participant = study.participants()[0]
    clock = study.clock
    assert isinstance(clock, HandClock)
    visit = visits.today(study, participant)
    assert visit is not None
    visit = visits.rate(study, visit, "before", 12)
    after = load(study)
    assert after.sha256 != before.sha256
    under_way = after.visits[after.visits["state"] == "exercise"]
    assert under_way["participant"].tolist() == [participant.code]
    assert after.scores.loc[after.scores["score"] == 12, ["participant", "day", "occasion"]].to_numpy().tolist() == [
        [participant.code, 3, "before"]
    ]
    study.close()


def test_the_local_hour_is_that_of_the_participants_own_clock(trial: Study, data: AnalysisData) -> None:
    visit = data.visits.iloc[0]
    given = trial.records.row(
        "SELECT rating.given_at FROM rating JOIN visit ON visit.id = rating.visit"
        " WHERE visit.participant = ? AND visit.day = 1 AND occasion = 'before'",
        visit["participant"],
    )
    assert given is not None
    moment = datetime.fromisoformat(given["given_at"])
    assert visit["hour"] == pytest.approx(moment.hour + moment.minute / 60)  # London in March is at UTC


def test_who_is_blinded_has_labels_and_nothing_that_tells_which_is_which(trial: Study) -> None:
    masked = load(trial, "analyst")
    assert masked.blinded
    assert masked.arms == ("Arm A", "Arm B", "Arm C")
    assert masked.media == {}
    assert masked.turns.empty
    assert masked.participants[["scheme", "position", "block"]].isna().all().all()
    shown = [*(one.to_csv() for one in tables(masked).values()), masked.plan.model_dump_json(), repr(masked.arms)]
    shown += [arm.model_dump_json() for arm in masked.protocol.arms]
    assert all(name not in "".join(shown) for name in ("robot", "chat", "worksheet"))
    key = blinding.labels(trial, "analyst")
    whole = load(trial)
    assert masked.participants["arm"].tolist() == [key[arm] for arm in whole.participants["arm"]]
    assert masked.sha256 != whole.sha256
    assert masked.plan_sha256 == whole.plan_sha256


def test_a_masked_plan_does_not_tell_the_arms_by_its_contrasts(trial: Study) -> None:
    """Robot - chat and worksheet - chat, with labels put in, would say which label is the chat."""
    plan = load(trial, "analyst").plan
    assert plan.contrasts == [["Arm A", "Arm B"], ["Arm A", "Arm C"], ["Arm B", "Arm C"]]
    assert (plan.reference, plan.missing) == (None, "mar")
    assert "robot" not in plan.estimand.treatment
    assert plan.estimand.population == "Everybody who was allocated"


def test_after_the_unblinding_the_role_sees_the_arms(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "TAIL", exporting.TAIL + PLAN)
        study = exporting.make_trial(tmp_path / "study", people=3)
    assert load(study, "analyst").blinded
    blinding.unblind(study, "analyst", by="Dr Okafor", why="the analysis is frozen")
    seen = load(study, "analyst")
    assert not seen.blinded
    assert seen.arms == ("robot", "chat", "worksheet")
    assert seen.history[["what", "subject"]].to_numpy().tolist() == [["locked", "1"], ["unblinded", "analyst"]]
    study.close()


def test_participants_of_all_versions_are_in_it_with_the_newest_plan(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "TAIL", exporting.TAIL + PLAN)
        study = exporting.make_trial(tmp_path / "study", people=3)
    path = study.folder / "study.toml"
    path.write_text(path.read_text().replace("days = 15 ", "days = 12 ").replace('"jump_to_reference"', '"mar"'))
    study.close()
    later = HandClock(datetime(2026, 3, 9, 9, 0, tzinfo=UTC))
    amend(study.folder, by="Dr Okafor", why="shorter", clock=later)
    study = Study.open(study.folder, clock=later)
    take_in(study, answers={"age": 30, "region": "the south"}, scores={"k10": dict.fromkeys(map(str, range(1, 11)), 2)})
    halting.halt(study, "study", "", by="Dr Okafor", why="a pause")
    data = load(study)
    assert data.participants["version"].tolist() == [1, 1, 1, 2]
    assert data.participants["days"].tolist() == [15, 15, 15, 12]
    assert data.plan.missing == "mar"
    assert [one.days for one in data.versions] == [15, 12]
    assert data.history[["what", "subject", "detail"]].to_numpy().tolist() == [
        ["locked", "1", ""],
        ["amended", "2", "days, analysis.missing"],
        ["halted", "study", ""],
    ]
    assert outcomes(data)[0].frame.groupby("participant")["day"].max().sort_values().tolist() == [12, 15, 15, 15]
    study.close()


def test_a_study_without_a_plan_says_what_to_add(study: Study) -> None:
    with pytest.raises(StudyError, match=r"has no plan of an analysis: add \[analysis\]"):
        load(study)


def test_a_factor_has_a_column_of_its_own_name_unless_that_is_taken() -> None:
    assert [column_of(name) for name in ("severity", "sex", "arm", "day", "baseline", "status")] == [
        "severity",
        "sex",
        "factor_arm",
        "factor_day",
        "factor_baseline",
        "factor_status",
    ]


def test_a_factor_called_like_a_column_can_still_be_a_covariate(tmp_path: Path) -> None:
    renamed = exporting.TAIL + PLAN.replace('["where"]', '["status"]')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "TAIL", renamed)
        exporting.write_protocol(tmp_path / "study")
        path = tmp_path / "study" / "study.toml"
        path.write_text(path.read_text().replace('name = "where"', 'name = "status"'))
        study = Study.open(tmp_path / "study", clock=HandClock(exporting.BEGIN))
    take_in(study, answers={"age": 30, "region": "the south"}, scores={"k10": dict.fromkeys(map(str, range(1, 11)), 2)})
    data = load(study)
    assert data.plan.covariates == ["factor_status"]
    assert data.participants[["status", "factor_status"]].to_numpy().tolist() == [["active", "the south"]]
    assert outcomes(data)[0].covariates == ("factor_status",)
    study.close()

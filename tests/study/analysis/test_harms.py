"""Harms are counted as CONSORT Harms 2022 asks: events and people, by arm, kind, category and assessment."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from study import enrolment, safety
from study.analysis.data import AnalysisData, load
from study.analysis.results import Section
from study.analysis.sections import dimensions, harms
from study.analysis.tables import EVENTS, SCORES, table
from study.study import Study
from tests import trial
from tests.analysing import BEGIN, synthetic
from tests.conftest import HandClock

PLAN = """
[analysis]
primary = { measure = "distress", when = "after", change_from = "before" }

[analysis.estimand]
population = "Everybody"
treatment = "The robot, the chat or the worksheet"
variable = "Change of distress"
intercurrent_events = "As if nobody had missed a visit"
summary = "Difference of the mean changes"
"""


def of(data: AnalysisData, arm: str, number: int) -> str:
    own = data.participants.loc[data.participants["arm"] == arm, "participant"]
    return str(own.iloc[number])


def study() -> AnalysisData:
    """38 participants: two screen hits of one robot participant, one serious event, one not assessed, one too early."""
    data = synthetic(38, events=0)
    first, second, other = of(data, "robot", 0), of(data, "robot", 1), of(data, "chatbot", 0)
    at = BEGIN + timedelta(days=3)
    rows = [
        (first, "robot", 3, "participant", "suicide", "moderate", "no", "possible", "unexpected", at, at),
        (first, "robot", 4, "draft", "suicide", "moderate", "no", "not", "expected", at, at),
        (second, "robot", 4, "therapist", "harm", "mild", "no", "unlikely", "expected", at, at),
        (second, "robot", None, "report", "adverse event", "severe", "yes", "probable", "unexpected", at, at),
        (other, "chatbot", 8, "item", "severe_distress", None, None, None, None, at, None),
        (None, None, None, "item", "severe_distress", None, None, None, None, at, at),
    ]
    return replace(data, events=table(EVENTS, rows))


def rows_of(section: Section, name: str) -> list[dict[str, Any]]:
    found = next(one for one in section.tables if one.name == name)
    names = [column.name for column in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def test_events_and_people_with_at_least_one_are_counted_by_kind_and_arm() -> None:
    rows = rows_of(harms.section(study()), "harms_people")
    found = {(row["kind"], row["arm"]): (row["events"], row["people"]) for row in rows}
    assert found[("Any event", "robot")] == (4, 2)
    assert found[("Screen hit", "robot")] == (3, 2)
    assert found[("Adverse event", "robot")] == (1, 1)
    assert found[("Serious event", "robot")] == (1, 1)
    assert found[("Item alert", "chatbot")] == (1, 1)
    assert found[("Any event", "worksheet")] == (0, 0)
    assert len(found) == 15  # arms without an event have their zeros


def test_no_event_is_no_proof_of_no_risk() -> None:
    section = harms.section(study())
    row = next(row for row in rows_of(section, "harms_people") if row["arm"] == "worksheet")
    assert (row["share"], row["low"]) == (0, 0)
    assert row["high"] == pytest.approx(1 - 0.025 ** (1 / row["participants"]))  # exact, for none of n
    assert any("does not mean no risk" in sentence for sentence in section.text)


def test_categories_have_serious_and_related_events() -> None:
    rows = rows_of(harms.section(study()), "harms_categories")
    found = {(row["kind"], row["category"], row["arm"]): row for row in rows}
    suicide = found[("Screen hit", "suicide", "robot")]
    assert (suicide["events"], suicide["people"], suicide["serious"], suicide["related"]) == (2, 1, 0, 1)
    adverse = found[("Adverse event", "adverse event", "robot")]
    assert (adverse["serious"], adverse["related"]) == (1, 1)
    assert found[("Screen hit", "suicide", "worksheet")]["events"] == 0


def test_assessments_add_up_to_all_events_and_those_not_assessed_are_said() -> None:
    section = harms.section(study())
    rows = rows_of(section, "harms_assessment")
    for assessment in ("Serious", "Severity", "Related", "Expected"):
        assert sum(row["events"] for row in rows if row["assessment"] == assessment) == 5
    lacking = [row for row in rows if row["value"] == "not assessed" and row["events"]]
    assert {(row["assessment"], row["arm"]) for row in lacking} == {
        (name, "chatbot") for name in ("Serious", "Severity", "Related", "Expected")
    }
    assert any("1 event was not assessed" in sentence for sentence in section.warnings)
    assert any("Nobody has acknowledged 1 event" in sentence for sentence in section.warnings)


def test_events_before_the_allocation_belong_to_no_arm() -> None:
    section = harms.section(study())
    assert any("Before the allocation came 1 further event" in sentence for sentence in section.text)
    assert "5 safety events, of 3 participants; 38 were allocated" in section.text[0]


@pytest.mark.parametrize("days", [0, 2])
def test_what_was_raised_before_somebodys_enrolment_is_a_harm_of_no_arm(
    folder: Path, clock: HandClock, days: int
) -> None:
    """An answer at the baseline raises an event; it is acknowledged, and the participant enrolled at once or later."""
    trial.write(folder)
    path = folder / "study.toml"
    path.write_text(path.read_text() + PLAN)
    study = Study.open(folder, clock=clock)
    person = enrolment.come(study)
    trial.fill(study, person.code, phq9=2)
    for event in safety.events(study):
        safety.acknowledge(study, event["id"], "the officer")
    clock.forward(days=days)
    enrolled = enrolment.enrol(study, person.code)
    clock.forward(hours=1)
    safety.report(study, enrolled.code, by="the lab", description="fell on the way")
    data = load(study)
    study.close()
    early = data.events["source"] == "item"
    assert early.any()
    assert data.events.loc[early, ["participant", "arm"]].isna().all().all()
    section = harms.section(data)
    rows = {(row["kind"], row["arm"]): row["events"] for row in rows_of(section, "harms_people")}
    assert (rows[("Item alert", enrolled.arm.name)], rows[("Adverse event", enrolled.arm.name)]) == (0, 1)
    assert any("Before the allocation came" in sentence for sentence in section.text)


def test_harms_have_no_p_value() -> None:
    section = harms.section(study())
    assert not [column for one in section.tables for column in one.columns if column.kind == "p"]


def test_an_arm_without_participants_has_no_share_and_is_named() -> None:
    data = synthetic(12, days=4, arms=("robot", "chatbot"), events=0)
    section = harms.section(data)
    assert "Nobody was allocated to worksheet, so nothing can be said of harms there." in section.warnings
    assert {row["arm"] for row in rows_of(section, "harms_people")} == {"robot", "chatbot"}


def test_rates_are_events_in_a_hundred_begun_visits() -> None:
    data = study()
    section = dimensions.section(data)
    row = next(row for row in rows_of(section, "safety_rates") if (row["kind"], row["arm"]) == ("Screen hit", "robot"))
    visits = int((data.visits["state"].isin(["done", "stopped"]) & (data.visits["arm"] == "robot")).sum())
    assert (row["events"], row["visits"]) == (3, visits)
    assert row["rate"] == pytest.approx(300 / visits)
    assert row["low"] == pytest.approx(100 * stats.chi2.ppf(0.025, 6) / 2 / visits)
    assert row["high"] == pytest.approx(100 * stats.chi2.ppf(0.975, 8) / 2 / visits)


def test_the_three_dimensions_stand_beside_each_other_and_have_no_common_number() -> None:
    section = dimensions.section(study())
    table_ = next(one for one in section.tables if one.name == "dimensions")
    assert [row[0] for row in table_.rows] == ["robot", "chatbot", "worksheet"]
    known = ("arm", "bond", "events", "serious", "epistemic_cost")
    assert all(column.name.startswith(known) for column in table_.columns)
    assert not any(word in column.name for column in table_.columns for word in ("score", "total", "index", "overall"))
    assert "never made into one score" in section.text[0]


def test_what_was_not_measured_is_said_and_not_left_out() -> None:
    section = dimensions.section(study())
    assert {row["epistemic_cost"] for row in rows_of(section, "dimensions")} == {"not measured"}
    assert {row["bond"] for row in rows_of(section, "dimensions")} == {None}
    assert any("no audit was run" in sentence for sentence in section.text)
    assert any('measure = "wai_sr"' in sentence for sentence in section.text)


def with_bond(data: AnalysisData, occasions: tuple[str, ...] = ("day 8", "day 15")) -> AnalysisData:
    rows = [tuple(row) for row in data.scores.itertuples(index=False)]
    for occasion in occasions:
        for place, one in enumerate(data.participants.itertuples()):
            day = float(occasion.removeprefix("day ")) if occasion.startswith("day") else 45.0
            shift = {"robot": 4, "chatbot": 0, "worksheet": -2}[one.arm] * (occasion == "day 15")
            rows.append((one.participant, one.arm, day, occasion, "wai_sr", "bond", 12 + place % 4 + shift, BEGIN))
            rows.append((one.participant, one.arm, day, occasion, "wai_sr", "task", 5, BEGIN))
    return replace(data, scores=table(SCORES, rows))


@pytest.mark.parametrize("occasions", [("day 8", "day 15"), ("day 15", "month"), ("day 15", "day 8", "month")])
def test_the_bond_is_that_of_the_last_study_day_on_which_it_was_measured(occasions: tuple[str, ...]) -> None:
    data = with_bond(study(), occasions)
    section = dimensions.section(data)
    scores = data.scores[(data.scores["scale"] == "bond") & (data.scores["occasion"] == "day 15")]
    by_arm = scores.groupby("arm")["score"]
    for row in rows_of(section, "dimensions"):
        assert row["bond_participants"] == by_arm.count()[row["arm"]]
        assert row["bond"] == pytest.approx(by_arm.mean()[row["arm"]])
    contrast = next(row for row in rows_of(section, "bond_contrasts") if row["compared_with"] == "chatbot")
    want = stats.ttest_ind(by_arm.get_group(contrast["arm"]), by_arm.get_group("chatbot"), equal_var=False)
    assert contrast["p"] == pytest.approx(want.pvalue)
    assert not any("not measured in this study" in sentence for sentence in section.text)

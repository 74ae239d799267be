"""What is missing and why, and what the answer hangs on."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from study.analysis.absences import REASONS, absences
from study.analysis.compare import compare
from study.analysis.data import AnalysisData
from study.analysis.imputing import imputed, planned
from study.analysis.outcomes import values
from study.analysis.record import ScaleInfo
from study.analysis.results import Section, Table
from study.analysis.sections import missing
from study.errors import CannotEstimate
from study.measure import load_measure
from tests.analysing import kian2024, synthetic


def rows_of(table: Table) -> list[dict[str, object]]:
    return [dict(zip((column.name for column in table.columns), row, strict=True)) for row in table.rows]


def table(section: Section, name: str) -> list[dict[str, object]]:
    return rows_of(next(one for one in section.tables if one.name == name))


@pytest.fixture(scope="module")
def lossy() -> AnalysisData:
    return synthetic(dropout=0.4, missing=0.1, seed=4)


@pytest.fixture(scope="module")
def told(lossy: AnalysisData) -> Section:
    return missing.section(lossy)


def with_every_reason() -> tuple[AnalysisData, dict[str, tuple[str, int]]]:
    """Nine participants over four days, of whom one has each reason, on a day of their own."""
    data = synthetic(9, days=4, dropout=0, missing=0, stopped=0)
    visits, scores, people = data.visits.copy(), data.scores.copy(), data.participants.copy()
    codes = people["participant"].tolist()
    where = {
        "erased": (codes[0], 2),
        "withdrawn": (codes[1], 3),
        "missed": (codes[2], 2),
        "unfinished": (codes[3], 2),
        "stopped": (codes[4], 2),
        "held": (codes[5], 2),
        "unanswered": (codes[6], 2),
        "open": (codes[8], 4),
    }

    def at(frame: pd.DataFrame, code: str, day: int) -> pd.Series:
        return (frame["participant"] == code) & (frame["day"] == day)

    for reason in ("missed", "unfinished", "stopped"):
        visits.loc[at(visits, *where[reason]), "state"] = reason
    for reason, (code, day) in where.items():
        scores = scores[~(at(scores, code, day) & (scores["occasion"] == "after"))]
        if reason in ("held", "open"):
            visits = visits[~at(visits, code, day)]
    people.loc[people["participant"] == where["erased"][0], "erased"] = True
    scores = scores[scores["participant"] != where["erased"][0]]
    left = people["participant"] == where["withdrawn"][0]
    people.loc[left, ["status", "withdrawn_day"]] = "withdrawn", 3.0
    after = (visits["participant"] == where["withdrawn"][0]) & (visits["day"] >= 3)
    visits = visits[~after]
    scores = scores[~((scores["participant"] == where["withdrawn"][0]) & (scores["day"] >= 3))]
    # The last participant's fourth day begins only after everything else that was recorded.
    people.loc[people["participant"] == where["open"][0], "starts_on"] += timedelta(days=1)
    return replace(data, visits=visits, scores=scores, participants=people), where


def test_each_reason_is_told_from_the_record() -> None:
    data, where = with_every_reason()
    found = absences(data, values(data, data.plan.primary), data.plan.primary)
    told = found.set_index(["participant", "day"])["reason"]
    assert set(where) == set(REASONS)
    for reason, place in where.items():
        assert told[place] == reason, reason
    counts = found["reason"].value_counts()
    # Whoever left is missing from that day on, and of whom everything was erased on all days; the others once each.
    assert counts.to_dict() == {"erased": 4, "withdrawn": 2} | dict.fromkeys(set(where) - {"erased", "withdrawn"}, 1)
    assert found.loc[found["reason"].isna(), "value"].notna().all()


def test_the_tables_count_what_is_missing_by_arm_and_by_day() -> None:
    data, where = with_every_reason()
    section = missing.section(data)
    by_arm = table(section, "missing_reasons")
    assert sum(int(row["missing"]) for row in by_arm) == 12  # type: ignore[call-overload]
    assert sum(int(row["expected"]) for row in by_arm) == 36  # type: ignore[call-overload]
    arms = data.participants.set_index("participant")["arm"]
    assert next(row for row in by_arm if row["arm"] == arms[where["withdrawn"][0]])["withdrawn"] == 2
    by_day = table(section, "missing_days")
    assert sum(int(row["missing"]) for row in by_day if row["day"] == 2) == 6  # type: ignore[call-overload]
    assert sum(int(row["left"]) for row in by_day) == 6  # type: ignore[call-overload]
    assert "12 of 36 values (33.3%) are missing, of 9 participants" in section.text[0]
    assert any("1 of these values may still come" in warning for warning in section.warnings)


def test_the_reasons_of_an_outcome_of_one_day_are_those_of_that_day() -> None:
    data = synthetic(dropout=0.3, missing=0.1)
    outcome = data.plan.secondary[0]
    found = absences(data, values(data, outcome), outcome)
    lost = set(data.participants.loc[data.participants["withdrawn_day"].notna(), "participant"])
    lacking = found[found["reason"].notna()]
    assert set(lacking.loc[lacking["reason"] == "withdrawn", "participant"]) == lost
    missed = data.visits[(data.visits["day"] == 15) & (data.visits["state"] == "missed")]
    assert set(lacking.loc[lacking["reason"] == "missed", "participant"]) == set(missed["participant"]) - lost


def test_nothing_missing_is_a_sentence() -> None:
    section = missing.section(synthetic(missing=0, dropout=0, stopped=0))
    assert section.text[0].endswith("none of the 570 values of 38 participants is missing.")
    assert "nothing had to be imputed" in section.text[1]
    assert [one.name for one in section.tables] == ["missing_reasons", "missing_days"]
    assert not section.warnings


def test_imputing_at_random_says_what_the_likelihood_says(told: Section, lossy: AnalysisData) -> None:
    rows = table(told, "missing_estimates")
    likelihood = [row for row in rows if row["assumption"] == "missing at random, likelihood"]
    random = [row for row in rows if row["assumption"] == "missing at random, imputed"]
    model = compare(values(lossy, lossy.plan.primary), lossy.plan)
    assert [row["difference"] for row in likelihood] == [one.estimate.value for one in model.contrasts]
    assert len(likelihood) == len(random) == 3
    for one, other in zip(likelihood, random, strict=True):
        assert (one["arm"], one["compared_with"]) == (other["arm"], other["compared_with"])
        assert abs(one["difference"] - other["difference"]) < 0.2 * one["se"]  # type: ignore[operator]
        assert other["se"] == pytest.approx(one["se"], rel=0.15)
    assert [row["main"] for row in rows] == ["yes"] * 3 + [""] * 9


def test_references_draw_the_other_arms_towards_themselves(told: Section) -> None:
    """Those who left the robot's arm are taken to have gone on as in the chatbot's."""
    rows = {
        str(row["assumption"]).split(",")[0]: row["difference"]
        for row in table(told, "missing_estimates")
        if (row["arm"], row["compared_with"]) == ("robot", "chatbot") and "likelihood" not in str(row["assumption"])
    }
    assert rows["missing at random"] < rows["copy reference"] < 0  # type: ignore[operator]
    assert rows["missing at random"] < rows["jump to reference"] < 0  # type: ignore[operator]


def test_the_tipping_point_is_where_the_conclusion_first_changes() -> None:
    """Of each arm and contrast: before it the verdict is that of no delta, and there it is another one; where none is
    named it is the same over all that was tried. And both kinds occur."""
    data = synthetic(dropout=0.5, missing=0.2, seed=5, effects={"robot": -5.0, "worksheet": -5.0, "chatbot": -1.0})
    section = missing.section(data)
    steps = table(section, "missing_deltas")
    kinds = set()
    for tip in table(section, "missing_tipping"):
        own = [
            row
            for row in steps
            if (row["worse_in"], row["arm"], row["compared_with"])
            == (tip["worse_in"], tip["arm"], tip["compared_with"])
        ]
        assert len(own) == 21
        verdicts = [np.sign(row["difference"]) * (row["p_there"] < 0.05) for row in own]  # type: ignore[operator]
        at = next((place for place, one in enumerate(verdicts) if one != verdicts[0]), None)
        kinds.add(at is None)
        assert tip["tipping_point"] == (None if at is None else own[at]["delta"])
        if at is not None:
            assert tip["difference"] == own[at]["difference"]
            said = f"it changes when missing values of {tip['worse_in']} are worse by at least"
            assert any(said in one for one in section.text)
    assert kinds == {True, False}


def test_worse_values_move_a_contrast_by_the_share_that_is_missing() -> None:
    """Without covariates the mean of an arm moves by delta times the share of its values that is missing."""
    data = synthetic(dropout=0.4, seed=3, plan={"covariates": [], "deltas": [4.0], "imputations": 5})
    outcome = values(data, data.plan.primary)
    outcome = replace(outcome, has_baseline=False)
    ready = imputed(outcome, data.plan)
    share = outcome.frame.loc[outcome.frame["arm"] == "robot", "value"].isna().mean()
    still, moved = ready.contrasts("mar"), ready.contrasts("mar", arm="robot", delta=4.0)
    assert ready.names == ["robot - chatbot", "worksheet - chatbot", "robot - worksheet"]
    assert moved[0].value - still[0].value == pytest.approx(4.0 * share)
    assert moved[1].value == pytest.approx(still[1].value)
    assert moved[2].value - still[2].value == pytest.approx(4.0 * share)


@pytest.mark.parametrize(
    ("named", "side"),
    [
        ("sus", "lower"),
        ("sus.total", "lower"),
        ("wai_sr", "lower"),
        ("wai_sr.bond", "lower"),
        ("csq8.total", "lower"),
        ("ceq.expectancy", "lower"),
        ("rosas", "lower"),
        ("rosas.competence", "lower"),
        ("rosas.discomfort", "higher"),
        ("k10.total", "higher"),
    ],
)
def test_of_a_measure_where_more_is_better_less_is_worse(named: str, side: str) -> None:
    """Satisfaction is better the higher it is: so worse is lower, and the robot's contrast falls with delta. A measure
    named with its scale is the same outcome, and of one with scales in both directions each has its own."""
    data = synthetic(dropout=0.3, plan={"deltas": [3.0], "imputations": 5})
    primary = data.plan.primary.model_copy(update={"measure": named, "when": "day 15", "change_from": None})
    measure = load_measure(named.partition(".")[0])
    scale = named.partition(".")[2] or measure.scales[0].name
    info = ScaleInfo(named.partition(".")[0], scale, named, *measure.bounds(scale))
    scores = data.scores[(data.scores["measure"] == "k10") & (data.scores["occasion"] == "day 15")]
    scores = scores.assign(measure=info.measure, scale=scale)
    data = replace(
        data,
        plan=data.plan.model_copy(update={"primary": primary}),
        scores=pd.concat([data.scores[data.scores["measure"] != info.measure], scores]),
        scales={**data.scales, named: info},
    )
    section = missing.section(data)
    assert any(f"(worse is {side})" in sentence for sentence in section.text)
    rows = [
        row
        for row in table(section, "missing_deltas")
        if (row["worse_in"], row["compared_with"]) == ("robot", "chatbot") and row["arm"] == "robot"
    ]
    assert (rows[1]["difference"] < rows[0]["difference"]) == (side == "lower")  # type: ignore[operator]


@pytest.mark.parametrize("assumption", ["jump_to_reference", "copy_reference"])
def test_the_plan_can_have_another_assumption_and_another_reference(assumption) -> None:  # type: ignore[no-untyped-def]
    data = synthetic(dropout=0.4, seed=3, plan={"missing": assumption, "reference": "worksheet", "imputations": 20})
    section = missing.section(data)
    main = [row for row in table(section, "missing_estimates") if row["main"] == "yes"]
    assert {row["assumption"] for row in main} == {f"{assumption.replace('_', ' ')}, imputed"}
    found = imputed(values(data, data.plan.primary), data.plan).contrasts(assumption)
    assert [row["difference"] for row in main] == [one.value for one in found]
    assert [f"{row['arm']} - {row['compared_with']}" for row in main] == [one.name for one in found]
    assert any("the reference arm, which is worksheet" in sentence for sentence in section.text)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"model": "mixed", "random": "intercept"}, "random intercept, day as a line"),
        ({"model": "mixed", "day": "factor"}, "random intercept and slope, a mean for each day"),
        ({"model": "mmrm", "covariance": ["unstructured", "ar1"]}, "first-order autoregressive covariance"),
        ({"model": "mmrm", "covariance": ["compound_symmetry"]}, "compound symmetry"),
        ({"model": "ancova"}, "compound symmetry"),
    ],
)
def test_values_are_imputed_from_the_planned_model_as_far_as_participants_carry_it(plan, words: str) -> None:  # type: ignore[no-untyped-def]
    data = synthetic(dropout=0.2, days=15, plan=plan | {"imputations": 3})
    assert words in imputed(values(data, data.plan.primary), data.plan).model


def test_an_unstructured_covariance_is_used_where_there_are_enough_participants() -> None:
    data = synthetic(40, days=4, dropout=0.2, plan={"model": "mmrm", "imputations": 3})
    assert "unstructured" in imputed(values(data, data.plan.primary), data.plan).model


def test_an_outcome_of_one_occasion_is_imputed_by_regression() -> None:
    data = synthetic(dropout=0.3)
    found = imputed(values(data, data.plan.secondary[0]), data.plan).contrasts("mar")
    model = compare(values(data, data.plan.secondary[0]), data.plan)
    for one, other in zip(found, model.contrasts, strict=True):
        assert abs(one.value - other.estimate.value) < 0.2 * one.se


def amended(data: AnalysisData, days: int, people: int) -> AnalysisData:
    """The same study when the first `people` came under a version of so many days."""
    participants = data.participants.copy()
    participants.loc[: people - 1, "days"] = days
    first = set(participants["participant"][:people])
    visits, scores = (
        one[~(one["participant"].isin(first) & (one["day"] > days))] for one in (data.visits, data.scores)
    )
    return replace(data, participants=participants, visits=visits, scores=scores)


def test_days_that_a_participants_version_never_had_are_not_imputed_and_no_dropout() -> None:
    plan = {"missing": "jump_to_reference", "reference": "chatbot", "imputations": 5}
    data = amended(synthetic(36, dropout=0, missing=0, stopped=1, plan=plan), 10, 18)
    outcome = values(data, data.plan.primary)
    ready = imputed(outcome, data.plan)
    assert ready.data.missing.sum() == outcome.frame["value"].isna().sum() == 1
    assert not ready.data.dropped.any()  # the visit that was stopped was followed by others
    at_random, jumping = (ready.contrasts(name) for name in ("mar", "jump_to_reference"))
    assert [one.value for one in at_random] == [one.value for one in jumping]
    found = planned(compare(outcome, data.plan), data.plan)
    assert found.compares == "the mean over the study days that each participant's version has"
    assert any("18 participants have fewer study days than others" in note for note in found.notes)
    assert any("18 participants have fewer study days" in one for one in missing.section(data).warnings)
    last = data.plan.model_copy(update={"estimate": "last"})
    assert "18 of them do not have the last day and are not compared" in imputed(outcome, last).fewer


def test_worse_values_of_a_shorter_version_are_those_that_it_expects() -> None:
    """Each participant's number moves by delta times the share that is missing of their own days, and the contrast by
    what least squares on arms and versions make of it."""
    plan = {"covariates": [], "deltas": [4.0], "imputations": 5}
    data = amended(synthetic(dropout=0.4, seed=3, plan=plan), 10, 19)
    outcome = replace(values(data, data.plan.primary), has_baseline=False)
    ready = imputed(outcome, data.plan)
    frame = outcome.frame
    shares = frame["value"].isna().groupby(frame["participant"]).mean()
    people = data.participants.set_index("participant").loc[shares.index]
    x = np.column_stack([*(people["arm"] == arm for arm in data.arms), people["days"] == 10]).astype(float)
    by = np.linalg.lstsq(x, 4.0 * shares * (people["arm"] == "robot"), rcond=None)[0]
    still, moved = ready.contrasts("mar"), ready.contrasts("mar", arm="robot", delta=4.0)
    assert ready.names[0] == "robot - chatbot"
    assert moved[0].value - still[0].value == pytest.approx(by[0] - by[1])


def test_who_is_blinded_gets_no_reference_arm() -> None:
    section = missing.section(synthetic(dropout=0.3, blinded=True, plan={"imputations": 5}))
    assumptions = {row["assumption"] for row in table(section, "missing_estimates")}
    assert assumptions == {"missing at random, likelihood", "missing at random, imputed"}
    assert any("masked" in warning for warning in section.warnings)
    assert not any("reference" in sentence for sentence in section.text)


@pytest.mark.parametrize(
    "what", [{"n": 0}, {"n": 1}, {"n": 2}, {"n": 5}, {"arms": ["robot"]}, {"missing": 1.0}, {"n": 6, "missing": 0.6}]
)
def test_what_cannot_be_imputed_is_a_sentence(what) -> None:  # type: ignore[no-untyped-def]
    section = missing.section(synthetic(**what))
    assert section.warnings
    assert all(warning.endswith(".") for warning in section.warnings)


def test_an_arm_without_values_leaves_the_other_contrasts() -> None:
    data = synthetic(arms=["robot", "chatbot"], plan={"imputations": 5})
    assert [one.name for one in imputed(values(data, data.plan.primary), data.plan).contrasts("mar")] == [
        "robot - chatbot"
    ]
    no_reference = data.plan.model_copy(update={"reference": "worksheet"})
    with pytest.raises(CannotEstimate, match="reference arm, worksheet, has no value"):
        imputed(values(data, data.plan.primary), no_reference).contrasts("jump_to_reference")


def test_the_same_data_give_the_same_section(lossy: AnalysisData, told: Section) -> None:
    assert missing.section(lossy) == told


def test_the_reference_is_the_second_arm_of_the_first_contrast_where_none_is_named() -> None:
    assert kian2024().analysis is not None
    data = synthetic(dropout=0.3, plan={"contrasts": [["chatbot", "robot"]], "imputations": 5})
    assert any("the reference arm, which is robot" in sentence for sentence in missing.section(data).text)

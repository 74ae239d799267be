"""The sections that answer: what they say follows from contrasts between arms, and what cannot be said is a warning."""

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.analysis.compare import compare
from study.analysis.data import AnalysisData
from study.analysis.guard import unfounded
from study.analysis.outcomes import outcomes
from study.analysis.populations import per_protocol
from study.analysis.results import Column, Section, Table
from study.analysis.sections import baseline, departures, missing, primary, secondary, sessions
from study.analysis.tables import HISTORY, table
from tests.analysing import synthetic

MINE = (baseline, primary, secondary, sessions, departures)


def rows(section: Section, name: str) -> list[dict[str, Any]]:
    found = next(one for one in section.tables if one.name == name)
    return [dict(zip([column.name for column in found.columns], row, strict=True)) for row in found.rows]


@pytest.fixture(scope="module")
def data() -> AnalysisData:
    return synthetic(38, days=8, seed=11, effects={"robot": -8.0, "worksheet": -6.0, "chatbot": -1.0})


# The primary outcome


def test_the_primary_answer_is_a_sentence_for_each_planned_contrast(data: AnalysisData) -> None:
    found = primary.section(data)
    fit = compare(outcomes(data)[0], data.plan)
    assert len(found.text) == 1 + len(data.plan.contrasts)
    for one, sentence in zip(fit.contrasts, found.text[1:], strict=True):
        first, second = one.arms
        differs = one.p_adjusted < 0.05
        head = f"{first} and {second} differ: " if differs else f"No difference between {first} and {second} is shown: "
        assert sentence.startswith(head)
        assert f"{abs(one.estimate.value):.2f} points" in sentence
    told = rows(found, "primary_contrasts")
    assert [(row["arm"], row["compared_with"]) for row in told] == [one.arms for one in fit.contrasts]
    assert told[0]["difference"] == fit.contrasts[0].estimate.value


def test_an_interval_with_0_in_it_is_never_called_likeness() -> None:
    found = primary.section(
        synthetic(20, days=4, seed=4, effects=dict.fromkeys(("robot", "chatbot", "worksheet"), -5.0))
    )
    said = " ".join(found.text)
    assert "The data are compatible with anything from" in said
    assert not re.search(r"no effect|are alike|equal|equivalent|the same", said)


def test_other_models_and_those_who_kept_to_the_protocol_stand_beside_the_plan(data: AnalysisData) -> None:
    told = rows(primary.section(data), "primary_sensitivity")
    kept = per_protocol(data)
    assert 0 < len(kept) < len(data.participants)
    asked = [(row["analysis"], row["population"], row["participants"]) for row in told]
    assert next(iter(dict.fromkeys(asked))) == ("as planned", "everybody allocated", 38)
    assert ("as planned", "per protocol (80% of the visits)", len(kept)) in asked
    assert {row["model"].split(",")[0] for row in told} >= {
        "linear mixed model",
        "mixed model for repeated measures",
        "analysis of covariance",
    }


def test_per_protocol_is_who_finished_the_planned_share_of_the_visits() -> None:
    data = synthetic(6, days=5, dropout=0, missing=0, stopped=0, plan={"per_protocol": 0.8})
    visits = data.visits.copy()
    one, two, three = data.participants["participant"].tolist()[:3]
    visits.loc[(visits["participant"] == one) & (visits["day"] <= 1), "state"] = "missed"  # 4 of 5 are enough
    visits.loc[(visits["participant"] == two) & (visits["day"] <= 2), "state"] = "missed"
    visits.loc[(visits["participant"] == three) & (visits["day"] <= 2), "state"] = "stopped"
    assert set(data.participants["participant"]) - set(per_protocol(replace(data, visits=visits))) == {two, three}


def test_a_visit_in_which_a_person_wrote_is_not_made_per_protocol_and_is_told() -> None:
    data = synthetic(6, days=5, dropout=0, missing=0, stopped=0, plan={"per_protocol": 0.8})
    assert not any("that a person wrote" in said for said in departures.section(data).text)
    one, two = data.participants["participant"].tolist()[:2]
    turns = data.turns.copy()
    turns.loc[(turns["participant"] == one) & (turns["day"] <= 1), "person_turns"] = 3  # 4 of 5 are enough
    turns.loc[(turns["participant"] == two) & (turns["day"] <= 2), "person_turns"] = 1
    taken = replace(data, turns=turns)
    assert set(data.participants["participant"]) - set(per_protocol(taken)) == {two}
    assert (
        "3 visits of 2 participants have turns that a person wrote in the model's place (5 turns in all). They are in "
        "every analysis of everybody allocated, and do not count as visits made per protocol."
    ) in departures.section(taken).text


def test_secondary_outcomes_use_the_values_that_there_are_in_every_population() -> None:
    """Also where the plan imputes those of the primary one: a row per protocol is held against one of everybody."""
    imputing = {"missing": "jump_to_reference", "reference": "chatbot", "imputations": 5}
    lossy = synthetic(40, days=8, dropout=0.3, missing=0.1, seed=3, plan=imputing)
    assert 0 < len(per_protocol(lossy)) < len(lossy.participants)
    plain = replace(lossy, plan=lossy.plan.model_copy(update={"missing": "mar"}))
    told = rows(secondary.section(lossy), "secondary_sensitivity")
    assert "per protocol (80% of the visits)" in {row["population"] for row in told}
    assert not [row["model"] for row in told if "imputed" in row["model"]]
    assert told == rows(secondary.section(plain), "secondary_sensitivity")
    own = [row for row in rows(primary.section(lossy), "primary_sensitivity") if row["analysis"] == "as planned"]
    assert all("imputed under jump to reference" in row["model"] for row in own)


def test_where_the_plan_imputes_the_answer_is_the_imputed_one() -> None:
    data = synthetic(30, days=4, dropout=0.4, plan={"missing": "jump_to_reference", "imputations": 10})
    found = primary.section(data)
    main = [row for row in rows(missing.section(data), "missing_estimates") if row["main"] == "yes"]
    told = rows(found, "primary_contrasts")
    for name in ("arm", "compared_with", "difference", "se", "p_adjusted"):
        assert [row[name] for row in told] == [row[name] for row in main]
    at_random = rows(
        primary.section(replace(data, plan=data.plan.model_copy(update={"missing": "mar"}))), "primary_contrasts"
    )
    assert [row["difference"] for row in told] != [row["difference"] for row in at_random]
    assert "imputed under jump to reference" in found.text[0]
    assert found.text[-1].startswith("Adjusted means")


def test_where_nothing_is_missing_nothing_is_imputed() -> None:
    data = synthetic(30, days=4, dropout=0, missing=0, stopped=0, plan={"missing": "copy_reference"})
    found = primary.section(data)
    assert "imputed" not in " ".join(found.text)
    assert len(rows(found, "primary_contrasts")) == 3


# The secondary outcomes


def test_each_secondary_outcome_is_compared_and_named(data: AnalysisData) -> None:
    found = secondary.section(data)
    titles = [one.title for one in outcomes(data)[1]]
    assert list(dict.fromkeys(row["outcome"] for row in rows(found, "secondary_contrasts"))) == titles
    assert len(found.text) == 3 * 3
    assert [sentence.partition(":")[0] for sentence in found.text[::3]] == titles


def test_a_secondary_outcome_that_nobody_has_is_a_warning_and_the_others_stay(data: AnalysisData) -> None:
    scores = data.scores[~((data.scores["measure"] == "gad7") & (data.scores["occasion"] == "day 8"))]
    found = secondary.section(replace(data, scores=scores))
    assert any("GAD-7 on day 8, change from baseline: No arm has values" in one for one in found.warnings)
    assert {row["outcome"] for row in rows(found, "secondary_contrasts")} == {
        "K10 on day 8, change from screening",
        "PHQ-9 on day 8, change from baseline",
    }


# The single session


def test_tests_within_arms_are_paired_t_tests(data: AnalysisData) -> None:
    told = rows(sessions.section(data), "sessions_days")
    assert len(told) == 3 * 8
    for row in told[::5]:
        own = data.scores[(data.scores["arm"] == row["arm"]) & (data.scores["day"] == row["day"])]
        wide = own[own["measure"] == "distress"].pivot(index="participant", columns="occasion", values="score").dropna()
        test = stats.ttest_rel(wide["after"], wide["before"])
        assert row["n"] == len(wide)
        assert (row["t"], row["p"]) == pytest.approx((test.statistic, test.pvalue))
        assert row["change"] == pytest.approx(float((wide["after"] - wide["before"]).mean()))


def discordant(seed: int) -> AnalysisData:
    """As the paper had it: a fall in two arms, a smaller one in the third; too few to tell the arms apart."""
    return synthetic(15, days=4, seed=seed, effects={"robot": -7.0, "worksheet": -7.0, "chatbot": -3.5}, turns=False)


def test_significant_in_one_arm_and_not_in_another_is_never_called_a_difference() -> None:
    met = 0
    for seed in range(8):
        data = discordant(seed)
        found = sessions.section(data)
        within = {row["arm"]: row["p"] < 0.05 for row in rows(found, "sessions_within")}
        between = {
            (row["arm"], row["compared_with"]): row["p_adjusted"] < 0.05 for row in rows(found, "sessions_contrasts")
        }
        said = " ".join(found.text)
        told = {pair: f"{pair[0]} minus {pair[1]}: " in said and _verdict(said, pair) for pair in between}
        assert told == between
        if len(set(within.values())) == 2:
            assert "is not itself a difference between them (Gelman & Stern, 2006)" in said
            met += any(not shown and within[one] != within[other] for (one, other), shown in between.items())
        assert unfounded(found, 0.05) == []
    assert met >= 2  # so the case that matters was there


def _verdict(said: str, pair: tuple[str, str]) -> bool:
    sentence = next(one for one in re.split(r"(?<=\.) (?=[A-Z])", said) if f"{pair[0]} minus {pair[1]}: " in one)
    assert sentence.endswith(("the arms differ.", "no difference is shown."))
    return sentence.endswith("the arms differ.")


CONTRASTS = Table(
    "c",
    "",
    (Column("arm", ""), Column("compared_with", ""), Column("p_adjusted", "", "p")),
    (("robot", "chatbot", 0.2), ("worksheet", "chatbot", 0.01)),
)


@pytest.mark.parametrize(
    ("sentence", "bears"),
    [
        ("robot and chatbot differ: robot is better.", False),
        ("worksheet and chatbot differ.", True),
        ("Distress fell in robot and worksheet; robot and chatbot differ.", False),
        ("The fall is significant in robot but not in chatbot.", False),
        ("The fall is significant in robot and not in chatbot, which is not itself a difference between them.", True),
        ("Distress fell significantly in robot but not in chatbot.", False),
        ("No difference between robot and chatbot is shown.", True),
        ("robot is more effective than chatbot.", False),
        ("It cannot be said whether robot and chatbot differ.", True),
    ],
)
def test_a_sentence_that_no_contrast_bears_out_is_found(sentence: str, bears: bool) -> None:
    section = Section("x", "X", (sentence,), (CONTRASTS,))
    assert (unfounded(section, 0.05) == []) is bears


# Participants before the treatment


def test_table_1_counts_everybody_by_arm_and_has_no_p_value(data: AnalysisData) -> None:
    found = baseline.section(data)
    wide = rows(found, "baseline")
    counts = data.participants["arm"].value_counts()
    assert [wide[0][arm] for arm in (*data.arms, "all")] == [*(str(counts[arm]) for arm in data.arms), "38"]
    names = [column.name for one in found.tables for column in one.columns]
    assert not {"p", "p_adjusted"} & set(names)
    ages = data.screening[data.screening["question"] == "age"]["number"]
    told = {(row["characteristic"], row["level"], row["arm"]): row for row in rows(found, "baseline_values")}
    assert told["age", None, "all"]["mean"] == pytest.approx(ages.mean())
    assert told["age", None, "all"]["sd"] == pytest.approx(ages.std())
    women = data.screening[(data.screening["arm"] == "robot") & (data.screening["choice"] == "woman")]
    assert told["gender", "woman", "robot"]["count"] == len(women)
    k10 = data.scores[(data.scores["measure"] == "k10") & (data.scores["occasion"] == "screening")]["score"]
    assert told["K10, at screening", None, "all"]["median"] == pytest.approx(k10.median())


def test_the_levels_of_a_question_add_up_to_those_who_answered(data: AnalysisData) -> None:
    screening = data.screening.copy()
    screening.loc[screening.index[screening["question"] == "gender"][:3], "choice"] = None
    told = rows(baseline.section(replace(data, screening=screening)), "baseline_values")
    gender = [row for row in told if row["characteristic"] == "gender" and row["arm"] == "all"]
    assert sum(row["count"] for row in gender) == 35
    assert {row["known"] for row in gender} == {35}
    assert sum(row["share"] for row in gender) == pytest.approx(1)


# Departures


def history(*events: tuple[int, str, str, str], data: AnalysisData) -> AnalysisData:
    """The data with these things done, so many days after the first enrolment."""
    first = data.participants["enrolled_at"].min()
    made = [
        ((first + pd.Timedelta(days=day)).isoformat(), what, subject, detail) for day, what, subject, detail in events
    ]
    return replace(data, history=table(HISTORY, made))


def test_a_plan_that_was_changed_after_the_first_enrolment_is_a_departure(data: AnalysisData) -> None:
    changed = history((3, "amended", "2", "days, analysis.model, analysis.alpha"), data=data)
    said = " ".join(departures.section(changed).text)
    enrolled = int((data.participants["enrolled_at"] < changed.history["at"].iloc[0]).sum())
    assert f"after {enrolled} participants had been enrolled (version 2): analysis.model and analysis.alpha." in said
    assert "The protocol was also amended on" in said
    before = " ".join(departures.section(history((-3, "amended", "2", "analysis.model"), data=data)).text)
    assert "before the first enrolment (version 2): analysis.model." in before


def test_halts_and_unblindings_are_departures(data: AnalysisData) -> None:
    done = history(
        (2, "halted", "study", ""),
        (4, "lifted", "study", ""),
        (5, "halted", "robot", ""),
        (6, "unblinded", "analyst", ""),
        (7, "unblinded", "assessor", data.participants["participant"].iloc[0]),
        data=data,
    )
    said = departures.section(done).text
    assert any(re.match(r"The study was halted on \d{4}-\d\d-\d\d until \d{4}-\d\d-\d\d\.", one) for one in said)
    assert any(re.match(r"The arm robot was halted on .* and is halted still\.", one) for one in said)
    assert any(one.startswith("The analyst was told which arm is which on") for one in said)
    assert "The assessor was told the arm of 1 participant." in said


def test_empty_arms_missing_values_and_fallbacks_are_departures() -> None:
    data = synthetic(12, days=8, seed=2, arms=["robot", "chatbot"], plan={"model": "mmrm"})
    said = departures.section(data).text
    assert "Nobody was allocated to worksheet." in said
    primary_values = outcomes(data)[0].frame["value"]
    assert any(f"{int(primary_values.isna().sum())} of 96 values" in one for one in said)
    assert any("is compared by another model than planned" in one for one in said)


def test_a_study_as_planned_has_no_departures() -> None:
    data = synthetic(24, days=4, seed=1, dropout=0, missing=0, stopped=0)
    assert departures.section(data).text == ("None is known: the record has nothing that departs from the plan.",)


def test_a_study_under_way_and_a_rehearsal_are_said_to_be() -> None:
    data = synthetic(24, days=6, dropout=0)
    early = replace(data, visits=data.visits[data.visits["day"] <= 3], rehearsal=True)
    said = departures.section(early).text
    assert said[0].startswith("These are the data of a rehearsal")
    assert any(
        "24 participants of 24 who did not withdraw have no visit of the last study day yet" in one for one in said
    )


# What cannot be estimated


DEGENERATE: dict[str, dict[str, Any]] = {
    "nobody": {"n": 0},
    "one participant": {"n": 1},
    "two participants": {"n": 2},
    "five participants": {"n": 5},
    "an arm is empty": {"n": 24, "arms": ["robot", "chatbot"]},
    "one arm only": {"n": 24, "arms": ["robot"]},
    "nobody rated": {"n": 24, "missing": 1.0},
    "nobody stayed": {"n": 24, "dropout": 1.0},
    "one day": {"n": 24, "days": 1},
    "two days": {"n": 9, "days": 2},
}


@pytest.mark.parametrize("how", DEGENERATE.values(), ids=DEGENERATE.keys())
def test_data_that_cannot_tell_get_sentences_and_no_number_that_is_none(how: dict[str, Any]) -> None:
    data = synthetic(**{"days": 4, "events": 0, "turns": False, **how})
    for module in MINE:
        found = module.section(data)
        assert found.text or found.warnings
        sane(found)
        if not found.tables:
            assert found.text == () or module is departures or len(found.text) == 1


@pytest.mark.parametrize("value", [0.0, 50.0])
def test_a_constant_outcome_gets_sentences(value: float) -> None:
    data = synthetic(24, days=4)
    constant = replace(data, scores=data.scores.assign(score=value))
    for module in MINE:
        sane(module.section(constant))
    assert "All" in primary.section(constant).warnings[0]


def sane(found: Section) -> None:
    assert all(one and "nan" not in one.lower().split() for one in (*found.text, *found.warnings))
    assert not re.search(r"\bnan\b|\binf\b", " ".join((*found.text, *found.warnings)))
    for one in found.tables:
        assert all(len(row) == len(one.columns) for row in one.rows)
        assert all(not isinstance(cell, float | np.floating) or math.isfinite(cell) for row in one.rows for cell in row)
        assert all(cell is None or type(cell) in (str, int, float) for row in one.rows for cell in row), one.name
        assert not re.search(r"\bnan\b", one.note)

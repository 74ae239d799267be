"""The comparison of the arms: what R's lmerTest and emmeans say of the same data, and what is done when data are short."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.analysis.compare import Comparison, adjusted, compare, pairs
from study.analysis.outcomes import Values, outcomes
from study.errors import CannotEstimate
from study.grammar import Analysis
from study.statistics.estimate import Estimate, holm
from tests.analysing import ARMS, LEVELS, kian2024, synthetic

REFERENCE = Path(__file__).parent / "reference"
R: dict[str, Any] = json.loads((REFERENCE / "emmeans.json").read_text())
"""Made by make.R beside it."""


def plan(**changes: Any) -> Analysis:
    found = kian2024(plan=changes).analysis
    assert found is not None
    return found


def kept(name: str) -> Values:
    """An outcome of the data that R was given."""
    frame = pd.read_csv(REFERENCE / name)
    frame["arm"] = pd.Categorical(frame["arm"], ARMS, ordered=True)
    frame["severity"] = pd.Categorical(frame["severity"], LEVELS)
    return Values(name, "Distress", "points (0-100)", "day" in frame, frame, ("severity",), True)


def agrees(found: Estimate, theirs: dict[str, float], value: str = "estimate") -> None:
    """To the digits on which two optimisers agree."""
    ours = (found.value, found.se, found.df)
    assert ours == pytest.approx((theirs[value], theirs["SE"], theirs["df"]), rel=2e-5)


@pytest.mark.parametrize(("estimate", "name"), [("mean", "mean"), ("last", "last"), ("trend", "trend")])
def test_the_mixed_model_says_what_lmertest_and_emmeans_say(estimate: str, name: str) -> None:
    found = compare(kept("daily.csv"), plan(estimate=estimate))
    assert found.how == "linear mixed model, day as a line, random intercept and slope"
    assert [one.estimate.name for one in found.contrasts] == [one["contrast"] for one in R[name]["contrasts"]]
    for one, theirs in zip(found.contrasts, R[name]["contrasts"], strict=True):
        agrees(one.estimate, theirs)
        assert one.estimate.p == pytest.approx(theirs["p.value"], rel=1e-4)
        if "adjusted" in theirs:
            assert (one.estimate.low, one.estimate.high) == pytest.approx((theirs["low"], theirs["high"]), rel=1e-4)
            assert one.p_adjusted == pytest.approx(theirs["adjusted"], rel=1e-4)
    for theirs in R[name].get("means", []):
        agrees(found.means[theirs["arm"]], theirs, "emmean")


def test_the_analysis_of_covariance_says_what_lm_and_emmeans_say() -> None:
    found = compare(kept("k10.csv"), plan())
    assert (found.how, found.compares) == ("analysis of covariance", "the value")
    for one, theirs in zip(found.contrasts, R["k10"]["contrasts"], strict=True):
        agrees(one.estimate, theirs)
        assert one.p_adjusted == pytest.approx(theirs["adjusted"])
    for theirs in R["k10"]["means"]:
        agrees(found.means[theirs["arm"]], theirs, "emmean")


def test_contrasts_are_standardised_by_the_standard_deviation_of_the_baseline() -> None:
    values = kept("k10.csv")
    found = compare(values, plan())
    groups = [own["baseline"].to_numpy() for _, own in values.frame.groupby("arm", observed=True)]
    sd = (sum(((one - one.mean()) ** 2).sum() for one in groups) / (len(values.frame) - 3)) ** 0.5
    assert (found.unit, found.unit_of) == (pytest.approx(sd), "of the baseline")
    for one in found.contrasts:
        assert one.standardised is not None
        assert (one.standardised.value, one.standardised.low) == pytest.approx(
            (one.estimate.value / sd, one.estimate.low / sd)
        )
        assert one.standardised.p == pytest.approx(one.estimate.p)


def test_day_as_a_factor_repeated_measures_and_the_last_day_each_have_their_words() -> None:
    values = kept("daily.csv")
    factor = compare(values, plan(day="factor", random="intercept"))
    assert factor.how == "linear mixed model, day as a factor, random intercept"
    assert len(factor.fit.names) == 1 + 1 + 1 + 2 + 14 + 28
    last = compare(values, plan(model="ancova"))
    seen = values.frame[(values.frame["day"] == 15) & values.frame["value"].notna()]
    assert (last.compares, last.fit.n_values) == ("the value on day 15", len(seen))
    assert set(last.frame["day"]) == {15}
    assert [one.name for one in last.tests] == ["arms"]
    assert [one.name for one in factor.tests] == ["arms", "arm x day"]


def test_repeated_measures_take_the_first_covariance_that_can_be_fitted_and_say_why() -> None:
    """Twelve participants cannot tell the 120 variances and covariances of fifteen days."""
    values = outcomes(synthetic(12, seed=3))[0]
    found = compare(values, plan(model="mmrm", day="factor"))
    assert found.fell_back
    assert found.how == "mixed model for repeated measures, covariance compound symmetry"
    assert found.notes[-1].startswith("The model with the covariance unstructured could not be fitted: ")
    only = compare(values, plan(model="mmrm", covariance=["compound_symmetry"]))
    assert not only.fell_back
    assert only.how.endswith("covariance compound symmetry")


def test_secondary_outcomes_can_be_one_family() -> None:
    _, secondary = outcomes(synthetic(seed=5, later={"robot": -1.0}))
    wide = plan(families="secondary")
    alone = [compare(one, wide) for one in secondary]
    together = adjusted(alone, wide)
    plain = [one.estimate.p for each in alone for one in each.contrasts]
    assert [one.p_adjusted for each in together for one in each.contrasts] == holm(plain)
    assert adjusted(alone, plan()) == alone
    assert [one.p_adjusted for one in alone[0].contrasts] == holm(plain[:3])
    none = compare(secondary[0], plan(multiplicity="none"))
    assert [one.p_adjusted for one in none.contrasts] == plain[:3]


def test_the_level_of_the_intervals_is_that_of_the_plan() -> None:
    found = compare(kept("k10.csv"), plan(alpha=0.1))
    assert found.contrasts[0].estimate.level == pytest.approx(0.9)


def test_all_pairs_are_compared_when_the_plan_names_none() -> None:
    assert pairs(plan(contrasts=[]), ARMS) == [("robot", "chatbot"), ("robot", "worksheet"), ("chatbot", "worksheet")]


def test_a_missing_baseline_is_put_at_the_mean_and_nobody_is_lost() -> None:
    values = kept("k10.csv")
    frame = values.frame.copy()
    frame.loc[frame.index[frame["value"].notna()][:2], "baseline"] = np.nan
    found = compare(replace(values, frame=frame), plan())
    assert found.fit.n_values == int(values.frame["value"].notna().sum())
    assert "2 participants have no baseline; it is put at the mean of all (White and Thompson, 2005)." in found.notes
    filled = frame.assign(baseline=frame["baseline"].fillna(frame["baseline"].mean()))
    assert compare(replace(values, frame=filled), plan()).contrasts[0].estimate == found.contrasts[0].estimate


def test_an_arm_without_values_takes_its_contrasts_with_it_and_no_others() -> None:
    values = outcomes(synthetic(30, arms=["robot", "chatbot"]))[0]
    found = compare(values, plan())
    assert [one.arms for one in found.contrasts] == [("robot", "chatbot")]
    assert "worksheet minus chatbot cannot be estimated: worksheet has no values." in found.notes
    assert set(found.means) == {"robot", "chatbot"}


def test_before_the_last_day_only_days_that_somebody_had_are_compared() -> None:
    """A line must not be drawn on into days that nobody has seen."""
    values = kept("daily.csv")
    early = replace(values, frame=values.frame.assign(value=values.frame["value"].where(values.frame["day"] <= 6)))
    found = compare(early, plan())
    assert found.compares == "the mean over days 1 to 6"
    assert "Nobody has a value on day 7, 8, 9, 10, 11, 12, 13, 14, 15; 15 days were planned." in found.notes
    short = replace(values, frame=values.frame[values.frame["day"] <= 6])
    assert compare(short, plan()).contrasts[0].estimate == found.contrasts[0].estimate
    with pytest.raises(CannotEstimate, match="nobody has a value on day 15, which the plan compares"):
        compare(early, plan(estimate="last"))


def test_of_one_day_there_is_an_analysis_of_covariance() -> None:
    values = kept("daily.csv")
    first = replace(values, frame=values.frame.assign(value=values.frame["value"].where(values.frame["day"] == 1)))
    found = compare(first, plan())
    assert (found.model, found.fell_back) == ("ancova", True)
    assert found.compares == "the value on day 1"


def short(n: int, **how: Any) -> Comparison:
    return compare(outcomes(synthetic(n, **how))[0], plan())


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"n": 0}, "No arm has values, so there is nothing to compare"),
        ({"n": 1}, "Only chatbot has values, so there is nothing to compare"),
        ({"n": 20, "arms": ["robot"]}, "Only robot has values"),
        ({"n": 20, "missing": 1.0}, "No arm has values"),
        ({"n": 2}, "cannot be told apart"),
    ],
)
def test_what_data_cannot_tell_is_a_sentence(how: dict[str, Any], said: str) -> None:
    with pytest.raises(CannotEstimate, match=said):
        short(**how)


def test_a_constant_outcome_is_a_sentence() -> None:
    values = kept("k10.csv")
    with pytest.raises(CannotEstimate, match="are the same, so nothing can be estimated"):
        compare(replace(values, frame=values.frame.assign(value=3.0)), plan())

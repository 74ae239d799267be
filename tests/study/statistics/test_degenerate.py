"""Data that cannot tell: a sentence, never a traceback and never a number that is none."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.errors import CannotEstimate
from study.statistics.ancova import fit_ancova
from study.statistics.design import Design
from study.statistics.fit import Fit
from study.statistics.means import weights
from study.statistics.mixed import fit_mixed
from study.statistics.repeated import fit_repeated
from tests.study.statistics.diaries import design, diary

Fitter = Callable[[Design], Fit]

MODELS: dict[str, Fitter] = {
    "ancova": fit_ancova,
    "intercept": lambda made: fit_mixed(made, "intercept"),
    "slope": lambda made: fit_mixed(made, "slope"),
    "unstructured": lambda made: fit_repeated(made, "unstructured"),
    "ar1": lambda made: fit_repeated(made, "ar1"),
    "compound_symmetry": lambda made: fit_repeated(made, "compound_symmetry"),
}
REPEATED = [name for name in MODELS if name != "ancova"]


def refused(model: str, frame: pd.DataFrame, *terms: str) -> str:
    with pytest.raises(CannotEstimate) as caught:
        MODELS[model](design(frame, *terms))
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "nan" not in sentence
    return sentence


@pytest.mark.parametrize("model", MODELS)
def test_without_a_value_nothing_is_estimated(model: str) -> None:
    assert "There is no value of y" in refused(model, diary(1).assign(y=np.nan))
    assert "There is no value of y" in refused(model, diary(1).iloc[:0])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("value", [0.0, 50.0, -1e9])
def test_an_outcome_that_is_the_same_everywhere(model: str, value: float) -> None:
    assert "are the same" in refused(model, diary(1).assign(y=value))


@pytest.mark.parametrize("model", MODELS)
def test_an_arm_without_values_is_left_out_and_its_mean_is_not_to_be_had(model: str) -> None:
    frame = diary(2, participants=24)
    frame.loc[frame["arm"] == "chat", "y"] = np.nan
    made = design(frame)
    fit = MODELS[model](made)
    assert made.factors["arm"] == ("robot", "worksheet")
    row = weights(made, {"arm": "robot"}) - weights(made, {"arm": "worksheet"})
    estimate = fit.estimate(row, "robot - worksheet")
    assert np.isfinite([estimate.value, estimate.se, estimate.df, estimate.p]).all()
    with pytest.raises(CannotEstimate, match="There are no values with arm chat"):
        weights(made, {"arm": "chat"})


def test_a_day_on_which_an_arm_has_no_value_is_named() -> None:
    frame = diary(2, participants=24)
    frame.loc[(frame["arm"] == "chat") & (frame["day"] == 5), "y"] = np.nan
    frame["date"] = frame["day"].astype(str)
    assert refused("intercept", frame, "arm", "date", "arm:date") == (
        "There are no values that arm[chat]:date[5] could be estimated from."
    )


@pytest.mark.parametrize("model", REPEATED)
def test_one_participant(model: str) -> None:
    assert "one participant only" in refused(model, diary(1, participants=1, days=9), "day")


@pytest.mark.parametrize("model", REPEATED)
def test_one_occasion(model: str) -> None:
    sentence = refused(model, diary(1, participants=9).query("day == 1"), "arm")
    assert "one occasion only" in sentence or "too few to tell differences between participants" in sentence


@pytest.mark.parametrize("model", MODELS)
def test_fewer_values_than_coefficients(model: str) -> None:
    frame = diary(1, participants=3, days=1).assign(other=[1.0, 4.0, 2.0])
    sentence = refused(model, frame, "baseline", "arm", "other")
    assert "5 coefficients and there are only 3 values" in sentence


@pytest.mark.parametrize("model", MODELS)
def test_as_many_values_as_coefficients(model: str) -> None:
    refused(model, diary(1, participants=2, days=2, arms=("robot", "chat")))


def test_covariates_that_follow_from_each_other_are_named() -> None:
    frame = diary(1).assign(height=lambda t: 3 * t["baseline"] + 2)
    assert refused("slope", frame, "baseline", "day", "height") == (
        "height follows from (Intercept), baseline, so they cannot be told apart."
    )


def test_a_covariate_that_says_what_the_arm_says_is_named() -> None:
    frame = diary(1).assign(site=lambda t: t["arm"].str.upper())
    assert "site[ROBOT] follows from (Intercept), arm[chat]" in refused("ancova", frame, "arm", "site")


def test_a_covariate_that_never_varies_is_named() -> None:
    assert "height follows from (Intercept)" in refused("ancova", diary(1).assign(height=170), "arm", "height")


@pytest.mark.parametrize("model", MODELS)
def test_an_outcome_that_the_terms_determine(model: str) -> None:
    assert "exactly" in refused(model, diary(1).assign(y=lambda t: 3 * t["day"] + t["baseline"]))


def test_an_outcome_that_never_varies_within_participants() -> None:
    frame = diary(1).assign(y=lambda t: t.groupby("participant")["y"].transform("first") - t["day"])
    assert "Within participants" in refused("intercept", frame)
    assert "Within participants" in refused("slope", frame)


@pytest.mark.parametrize("covariance", ["unstructured", "ar1", "compound_symmetry"])
def test_repeated_measures_that_never_vary_within_participants_do_not_converge(covariance: str) -> None:
    frame = diary(1).assign(y=lambda t: t.groupby("participant")["y"].transform("first") - t["day"])
    assert "did not converge" in refused(covariance, frame)


@pytest.mark.parametrize("model", ["intercept", "slope"])
def test_a_value_for_each_participant_tells_nothing_of_differences_within(model: str) -> None:
    frame = diary(1, participants=10)
    frame = frame[frame["day"] == 1 + frame["participant"].str[1:].astype(int) % 5]
    assert "too few to tell differences between participants" in refused(model, frame, "arm")


@pytest.mark.parametrize("model", ["ar1", "compound_symmetry", "unstructured"])
def test_nobody_with_values_on_two_occasions(model: str) -> None:
    frame = diary(1, participants=30)
    frame = frame[frame["day"] == 1 + frame["participant"].str[1:].astype(int) % 5]
    sentence = refused(model, frame, "arm")
    assert "No participant has values on two occasions" in sentence or "Fewer than two participants" in sentence


@pytest.mark.parametrize("model", ["ar1", "compound_symmetry", "unstructured"])
def test_two_values_on_one_occasion(model: str) -> None:
    frame = diary(1, participants=30)
    twice = pd.concat([frame, frame.iloc[[7]]])
    assert refused(model, twice) == "Participant P01 has more than one value on occasion 3."


def test_an_unstructured_covariance_of_more_days_than_the_participants_can_tell() -> None:
    assert "did not converge" in refused("unstructured", diary(1, participants=9, days=15), "arm", "day")


def test_days_that_are_no_numbers_have_no_slope() -> None:
    frame = diary(1).assign(day=lambda t: "day " + t["day"].astype(str))
    assert "no numbers" in refused("slope", frame, "arm")


def test_columns_that_are_missing_or_hold_what_cannot_be_used_are_named() -> None:
    assert refused("ancova", diary(1), "age") == "The table has no column 'age'."
    assert "'baseline' has infinite values" in refused("ancova", diary(1).assign(baseline=np.inf), "baseline")
    assert "'y' has values that are no numbers" in refused("ancova", diary(1).assign(y="much"), "arm")


def test_a_level_that_is_none_of_those_given_is_named() -> None:
    from study.statistics.design import build

    with pytest.raises(CannotEstimate, match="'arm' has the value 'chat', which is none of its levels"):
        build(diary(1), "y", ["arm"], participant="participant", factors={"arm": ["robot", "worksheet"]})


def test_kenward_roger_is_of_restricted_likelihood_only() -> None:
    with pytest.raises(ValueError, match="reml"):
        fit_mixed(design(diary(1)), method="ml")


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    participants=st.integers(2, 13),
    days=st.integers(1, 5),
    between=st.sampled_from([0.0, 0.1, 1.0, 100.0]),
    slope=st.sampled_from([0.0, 0.1, 50.0]),
    missing=st.sampled_from([0.0, 0.2, 0.6]),
    terms=st.sampled_from([("arm",), ("arm", "day"), ("baseline", "arm", "day", "arm:day")]),
)
def test_whatever_few_values_there_are_they_give_numbers_or_a_sentence(
    model: str,
    seed: int,
    participants: int,
    days: int,
    between: float,
    slope: float,
    missing: float,
    terms: tuple[str, ...],
) -> None:
    frame = diary(seed, participants, days, between, slope, missing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            fit = MODELS[model](design(frame, *terms))
            estimates = [fit.coefficient(name) for name in fit.names]
            tests = [fit.f_test(fit.term(term)) for term in terms if term in fit.design.owners]
        except CannotEstimate:
            return
    assert np.isfinite([number for one in estimates for number in (one.value, one.low, one.high, one.p)]).all()
    assert all(one.se > 0 and one.df > 0 for one in estimates)
    assert all(f >= 0 and df1 > 0 and df2 > 0 and 0 <= p <= 1 for f, df1, df2, p in tests)
    assert np.isfinite([fit.loglik, *fit.variances.values(), *fit.standardised]).all()


def test_an_arm_for_each_participant_tells_nothing_of_differences_between_participants() -> None:
    for model in ("intercept", "compound_symmetry"):
        assert refused(model, diary(1, participants=3), "arm", "day") == (
            "There are too few participants to tell how they differ."
        )


def test_weights_that_are_all_0_have_no_uncertainty() -> None:
    fit = fit_mixed(design(diary(1)))
    with pytest.raises(CannotEstimate, match="how uncertain robot - robot is"):
        fit.estimate(np.zeros(len(fit.names)), "robot - robot")

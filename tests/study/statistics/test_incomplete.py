"""The model from which values are imputed is that of other implementations, in every covariance and weighting."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from study.errors import CannotEstimate
from study.statistics.design import build
from study.statistics.incomplete import Covariance, fit, precisions
from study.statistics.mixed import fit_mixed
from study.statistics.repeated import fit_repeated

N, DAYS = 30, 6
TIMES = np.arange(1.0, DAYS + 1)


ARM = np.arange(N) % 2
LINE = np.column_stack([np.ones(DAYS), TIMES])
NOTHING = np.empty((N, 0))
AGE = np.random.default_rng(0).normal(30, 8, size=(N, 1))


def trial(seed: int, missing: float = 0.2) -> tuple[np.ndarray, pd.DataFrame]:
    """Values (N, T) of two arms, and the same as a table."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(N, 2)) * [6.0, 1.0] + AGE * [0.3, 0.0]
    values = 40 + own[:, [0]] + (own[:, [1]] - 1 + 0.5 * ARM[:, None]) * TIMES + rng.normal(0, 4, size=(N, DAYS))
    values[rng.random((N, DAYS)) < missing] = np.nan
    frame = pd.DataFrame(
        {
            "value": values.ravel(),
            "arm": np.repeat(ARM, DAYS),
            "day": np.tile(TIMES, N),
            "age": np.repeat(AGE[:, 0], DAYS),
            "person": np.repeat(np.arange(N), DAYS),
        }
    )
    return values, frame


def as_differences(coefficients: np.ndarray) -> np.ndarray:
    """Intercept and slope of each arm, and age, as intercept, arm, day, arm x day and age."""
    first, slope, second, other, age = coefficients
    return np.array([first, second - first, slope, other - slope, age])


@pytest.mark.parametrize(("covariance", "formula"), [("intercept", "1"), ("slope", "~day")])
def test_random_effects_are_those_of_statsmodels(covariance: Covariance, formula: str) -> None:
    values, frame = trial(1)
    ours = fit(values, ARM, LINE, AGE, covariance, times=TIMES, tolerance=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = smf.mixedlm("value ~ arm * day + age", frame.dropna(), groups="person", re_formula=formula)
        theirs = model.fit(reml=True)
    basis = np.column_stack([np.ones(DAYS), TIMES])[:, : 2 if covariance == "slope" else 1]
    implied = basis @ theirs.cov_re.to_numpy() @ basis.T + theirs.scale * np.eye(DAYS)
    assert ours.converged.all()
    assert as_differences(ours.coefficients[0]) == pytest.approx(
        theirs.fe_params[["Intercept", "arm", "day", "arm:day", "age"]].to_numpy(), abs=1e-3
    )
    assert ours.covariance[0] == pytest.approx(implied, abs=0.02)


@pytest.mark.parametrize("covariance", ["unstructured", "ar1", "compound_symmetry"])
def test_repeated_measures_are_those_of_the_likelihood_analysis(covariance: Covariance) -> None:
    """Another algorithm (scoring instead of EM), which itself is checked against R."""
    values, frame = trial(2)
    ours = fit(values, ARM, LINE, AGE, covariance, times=TIMES, tolerance=1e-10)
    theirs = fit_repeated(
        build(frame, "value", ["arm", "day", "arm:day", "age"], participant="person", occasion="day"),
        covariance,  # type: ignore[arg-type]
        df="satterthwaite",
    )
    order = [theirs.names.index(name) for name in ("(Intercept)", "arm", "day", "arm:day", "age")]
    assert as_differences(ours.coefficients[0]) == pytest.approx(theirs.coefficients[order], abs=1e-3)
    assert ours.covariance[0] == pytest.approx(theirs.within, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("covariance", ["slope", "unstructured", "ar1"])
def test_a_weight_of_two_is_the_participant_twice(covariance: Covariance) -> None:
    values, _ = trial(3)
    weights = np.ones((2, N))
    weights[1, :10], weights[1, 10:13] = 2, 0
    ours = fit(values, ARM, LINE, AGE, covariance, times=TIMES, weights=weights, tolerance=1e-9)
    rows = [*range(10), *range(10), *range(13, N)]
    doubled = fit(values[rows], ARM[rows], LINE, AGE[rows], covariance, times=TIMES, tolerance=1e-9)
    alone = fit(values, ARM, LINE, AGE, covariance, times=TIMES, tolerance=1e-9)
    for one, (coefficients, sigma) in zip(
        (alone, doubled), zip(ours.coefficients, ours.covariance, strict=True), strict=True
    ):
        assert coefficients == pytest.approx(one.coefficients[0], abs=1e-5)
        assert sigma == pytest.approx(one.covariance[0], rel=1e-5, abs=1e-4)


def test_with_nothing_missing_the_unstructured_covariance_is_that_of_the_residuals() -> None:
    """A closed form: cross products of the residuals about the means of each arm, over N - 2."""
    values, _ = trial(4, missing=0.0)
    found = fit(values, ARM, np.eye(DAYS), NOTHING, "unstructured", times=TIMES, tolerance=1e-12)
    residuals = values - np.stack([values[one == ARM].mean(axis=0) for one in (0, 1)])[ARM]
    assert found.covariance[0] == pytest.approx(residuals.T @ residuals / (N - 2), rel=1e-8)


def test_without_variance_between_participants_the_errors_have_all_of_it() -> None:
    """Negative correlation within participants, which a random intercept cannot have: its variance is 0, and the
    covariance that of independent errors."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(N, DAYS))
    values -= values.mean(axis=1, keepdims=True)
    values[rng.random((N, DAYS)) < 0.2] = np.nan
    found = fit(values, np.zeros(N, dtype=int), np.ones((DAYS, 1)), NOTHING, "intercept", times=TIMES)
    known = values[~np.isnan(values)]
    assert found.converged.all()
    assert found.covariance[0] == pytest.approx(known.var(ddof=1) * np.eye(DAYS), rel=0.01, abs=0.005)


def test_a_slope_without_an_intercept_is_at_the_same_bound_as_in_the_likelihood_analysis() -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(size=(N, DAYS)) + rng.normal(size=(N, 1)) * 0.8 * (TIMES - TIMES.mean())
    values -= values.mean(axis=1, keepdims=True)
    values[rng.random((N, DAYS)) < 0.1] = np.nan
    ours = fit(values, np.zeros(N, dtype=int), np.ones((DAYS, 1)), NOTHING, "slope", times=TIMES, tolerance=1e-7)
    day = np.broadcast_to(TIMES, (N, DAYS))
    frame = pd.DataFrame({"value": values.ravel(), "day": day.ravel(), "person": np.repeat(np.arange(N), DAYS)})
    design = build(frame, "value", [], participant="person", occasion="day")
    theirs = fit_mixed(design, "slope", df="satterthwaite")
    assert theirs.singular
    assert ours.covariance[0] == pytest.approx(theirs.within, abs=0.01 * float(theirs.within.max()))


def test_a_weighting_that_leaves_a_coefficient_undetermined_has_not_converged() -> None:
    values, _ = trial(6)
    weights = np.ones((2, N))
    weights[1, 1::2] = 0  # nobody of the second arm
    assert fit(values, ARM, LINE, AGE, "intercept", times=TIMES, weights=weights).converged.tolist() == [True, False]


def test_precisions_are_the_inverse_of_what_was_observed() -> None:
    sigma = np.array([[[4.0, 2.0, 1.0], [2.0, 3.0, 0.5], [1.0, 0.5, 2.0]]])
    found = precisions(sigma, np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    inverse = np.linalg.inv(np.array([[4.0, 1.0], [1.0, 2.0]]))
    assert found[0, 0][np.ix_([0, 2], [0, 2])] == pytest.approx(inverse)
    assert not found[0, 0][1].any()
    assert not found[0, 1].any()


def test_nothing_observed_or_nothing_that_varies_is_refused() -> None:
    nobody, constant, none = np.zeros(4, dtype=int), np.ones((2, 1)), np.empty((4, 0))
    with pytest.raises(CannotEstimate, match="No value"):
        fit(np.full((4, 2), np.nan), nobody, constant, none, "intercept", times=[1, 2])
    with pytest.raises(CannotEstimate, match="do not vary"):
        fit(np.full((4, 2), 7.0), nobody, constant, none, "intercept", times=[1, 2])

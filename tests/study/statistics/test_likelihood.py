"""The likelihood is that of the normal distribution, its derivatives are its derivatives, and its maximum is found."""

import numpy as np
import pytest
from scipy import optimize, stats

from study.statistics.covariance import (
    AutoRegressive,
    Blocks,
    CompoundSymmetry,
    RandomEffects,
    Structure,
    Unstructured,
)
from study.statistics.likelihood import Likelihood
from study.statistics.mixed import fit_mixed
from study.statistics.repeated import fit_repeated
from tests.study.statistics.diaries import design, diary

SEEN = np.array([[True, True, True, True], [True, False, True, True], [False, True, True, False]] * 5)
DRAW = np.random.default_rng(1)
STRUCTURES: dict[str, Structure] = {
    "unstructured": Unstructured(SEEN),
    "ar1": AutoRegressive(SEEN),
    "compound_symmetry": CompoundSymmetry(SEEN),
    "slope": RandomEffects(DRAW.normal(size=(15, 2, 2))),
    "intercept": RandomEffects(DRAW.normal(size=(15, 1, 1))),
}


def by_differences(function, at, step=1e-5):  # type: ignore[no-untyped-def]
    """The derivative by each parameter, in the last axis."""
    steps = np.eye(len(at)) * step
    return np.stack([(function(at + one) - function(at - one)) / (2 * step) for one in steps], axis=-1)


@pytest.mark.parametrize("name", STRUCTURES)
def test_derivatives_of_structures_are_those_found_by_differences(name: str) -> None:
    structure = STRUCTURES[name]
    free = structure.to_free(structure.start()) + 0.1 * DRAW.normal(size=structure.k)
    gradient = DRAW.normal(size=structure.k)
    parameters = structure.from_free(free)
    assert structure.to_free(parameters) == pytest.approx(free)
    assert structure.jacobian(free) == pytest.approx(by_differences(structure.from_free, free), abs=1e-7)
    bending = by_differences(lambda at: gradient @ structure.jacobian(at), free)
    assert structure.bending(free, gradient) == pytest.approx(bending, abs=1e-6)
    slopes = np.moveaxis(by_differences(structure.matrices, parameters), -1, 0)
    assert structure.slopes(parameters) == pytest.approx(slopes, abs=1e-7)
    second = by_differences(structure.slopes, parameters)
    known = structure.curvature(parameters)
    for a in range(structure.k):
        for b in range(structure.k):
            expected = known.get((min(a, b), max(a, b)), np.zeros(second.shape[1:-1]))
            assert second[a, ..., b] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("name", STRUCTURES)
def test_derivatives_of_the_likelihood_are_those_found_by_differences(name: str, restricted: bool) -> None:
    structure = STRUCTURES[name]
    m = structure.matrices(structure.start()).shape[1]
    data = DRAW.normal(size=(15, m, 4))
    if m == 4:
        data *= SEEN[:, :, None]
    spare = 20.0 if isinstance(structure, RandomEffects) else 0.0
    likelihood = Likelihood(Blocks(data, spare), structure, restricted)
    at = structure.start() * 1.1
    point = likelihood.at(at)
    assert point is not None
    assert point.gradient == pytest.approx(
        by_differences(lambda where: likelihood.at(where).deviance, at), rel=1e-6, abs=1e-6
    )
    observed = by_differences(lambda where: likelihood.at(where).gradient, at)
    assert point.observed == pytest.approx(observed, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("covariance", ["unstructured", "ar1", "compound_symmetry", "slope", "intercept"])
def test_the_log_likelihood_is_that_of_the_normal_distribution(covariance: str) -> None:
    made = design(diary(2, participants=20, slope=0.4, missing=0.2))
    if covariance in ("slope", "intercept"):
        fit = fit_mixed(made, covariance, df="satterthwaite", method="ml")  # type: ignore[arg-type]
    else:
        fit = fit_repeated(made, covariance, df="satterthwaite", method="ml")  # type: ignore[arg-type]
    total = 0.0
    for place in range(made.n_participants):
        rows = made.participants == place
        when = made.occasions[rows]
        total += stats.multivariate_normal(fit.fitted[rows], fit.within[np.ix_(when, when)]).logpdf(made.values[rows])
    assert fit.loglik == pytest.approx(total)


@pytest.mark.parametrize("seed", range(10))
def test_no_search_from_other_places_finds_a_higher_likelihood_of_random_slopes(seed: int) -> None:
    # Participants who hardly differ: the maximum is often at a bound, where searches get stuck.
    made = design(diary(seed, participants=9, days=4, intercept=0.1, slope=0.1))
    x, y, z = made.matrix, made.values, np.column_stack([np.ones(len(made.values)), made.clock - 2.5])
    same = made.participants[:, None] == made.participants

    def deviance(free):  # type: ignore[no-untyped-def]
        a, b, c, s = free
        factor = np.array([[a, 0], [b, c]])
        v = same * (z @ factor @ factor.T @ z.T) + (s**2 + 1e-12) * np.eye(len(y))
        solved = np.linalg.solve(v, np.column_stack([x, y]))
        information = x.T @ solved[:, :-1]
        b = np.linalg.solve(information, x.T @ solved[:, -1])
        left = y @ (solved[:, -1] - solved[:, :-1] @ b)
        free_values = len(y) - x.shape[1]
        return np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1] + left + free_values * np.log(2 * np.pi)

    starts = np.random.default_rng(seed).normal(size=(4, 4)) * [0.7, 0.7, 0.7, 0] + [0, 0, 0, 0.9]
    others = [optimize.minimize(deviance, start, method="L-BFGS-B").fun for start in starts]
    fit = fit_mixed(made, "slope")
    assert -2 * fit.loglik <= min(others) + 1e-6
    assert -2 * fit.loglik >= min(others) - 1e-2

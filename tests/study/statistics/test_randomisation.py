"""Randomisation tests: exact by enumeration, the same as scipy's and statsmodels' where these apply."""

from itertools import combinations, permutations, product

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from study.errors import CannotEstimate
from study.statistics.randomisation import adjusted, adjusted_gls, contrasts, randomisation_test
from study.statistics.reallocation import Enrolled, Scheme, reallocate

PAIRS = [(0, 1), (0, 2), (1, 2)]


def difference(values: np.ndarray):  # type: ignore[no-untyped-def]
    """|mean of arm 0 minus mean of arm 1|."""

    def statistic(arms: np.ndarray) -> np.ndarray:
        first = arms == 0
        with np.errstate(invalid="ignore"):
            return np.abs(first @ values / first.sum(axis=1) - (~first) @ values / (~first).sum(axis=1))

    return statistic


def test_p_is_that_of_all_allocations_of_a_tiny_design() -> None:
    """Two strata with blocks of two: sixteen allocations, all as likely. Enumerated here, drawn there."""
    values = np.array([3.0, 1.0, 7.0, 2.5, 4.0, 4.5, 9.0, 6.0])
    strata = ["a", "a", "b", "a", "a", "b", "b", "b"]
    observed = np.array([0, 1, 0, 0, 1, 1, 0, 1], dtype=np.int8)
    places = {name: [place for place, one in enumerate(strata) if one == name] for name in "ab"}
    allowed = []
    for orders in product([(0, 1), (1, 0)], repeat=4):
        arms = np.empty(8, dtype=np.int8)
        arms[places["a"]] = [*orders[0], *orders[1]]
        arms[places["b"]] = [*orders[2], *orders[3]]
        allowed.append(arms)
    statistic = difference(values)
    exact = float(np.mean(statistic(np.array(allowed)) >= statistic(observed[None, :])[0] - 1e-12))
    scheme = Scheme("blocks", (0, 1), (1, 1), sizes=(2,))
    drawn = reallocate({0: scheme}, Enrolled(observed, [0] * 8, strata, {}), 20_000, np.random.default_rng(1))
    found = randomisation_test(drawn, observed, statistic)
    assert 0 < exact < 1
    assert abs(found.p - exact) < 4 * (exact * (1 - exact) / 20_000) ** 0.5
    assert found.low < exact < found.high


def test_complete_randomisation_agrees_with_scipy() -> None:
    """All allocations with the same numbers in the arms, which is what scipy's test goes through."""
    rng = np.random.default_rng(2)
    first, second = rng.normal(1.2, 1, size=6), rng.normal(size=7)
    values = np.concatenate([first, second])
    observed = np.array([0] * 6 + [1] * 7, dtype=np.int8)
    theirs = stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.abs(np.mean(a, axis=axis) - np.mean(b, axis=axis)),
        n_resamples=np.inf,
        alternative="greater",
    )
    every = np.ones((1716, 13), dtype=np.int8)
    for row, chosen in enumerate(combinations(range(13), 6)):
        every[row, list(chosen)] = 0
    found = randomisation_test(every, observed, difference(values))
    assert found.p == pytest.approx((theirs.pvalue * 1716 + 1) / 1717)
    # Adjusted for nothing but an intercept, |t| orders the allocations as the difference does.
    by_t = contrasts(adjusted(values, np.empty((13, 0))), every, observed, [(0, 1)], arms=2)
    assert by_t.tests[0].p == pytest.approx(found.p)
    assert by_t.any_difference.p == pytest.approx(found.p)
    scheme = Scheme("list", (0, 1), (1, 1))
    drawn = reallocate({0: scheme}, Enrolled(observed, [0] * 13, ["all"] * 13, {}), 20_000, np.random.default_rng(3))
    sampled = randomisation_test(drawn, observed, difference(values))
    assert sampled.low < theirs.pvalue < sampled.high


def test_ties_with_the_allocation_that_was_made_are_counted() -> None:
    """Two by two: of six allocations two have the largest difference, the one made and its mirror image."""
    observed = np.array([0, 0, 1, 1], dtype=np.int8)
    every = np.array(sorted(set(permutations([0, 0, 1, 1]))), dtype=np.int8)
    values = np.array([0.1, 0.2, 0.3, 0.7])
    assert randomisation_test(every, observed, difference(values)).p == pytest.approx(3 / 7)


def test_a_statistic_that_there_is_not_makes_p_larger_and_one_of_the_allocation_made_is_refused() -> None:
    values = np.array([1.0, 2.0, 3.0, 9.0])
    every = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]], dtype=np.int8)
    observed = np.array([0, 0, 0, 1], dtype=np.int8)
    assert randomisation_test(every, observed, difference(values)).p == pytest.approx(3 / 4)
    with pytest.raises(CannotEstimate):
        randomisation_test(every, every[0], difference(values))


@pytest.fixture
def trial() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Allocations, the one made, values of which two are missing, covariates."""
    rng = np.random.default_rng(4)
    scheme = Scheme("blocks", (0, 1, 2), (1, 1, 1), sizes=(3, 6))
    enrolled = Enrolled([0] * 45, [0] * 45, ["ab"[number % 2] for number in range(45)], {})
    allocations = reallocate({0: scheme}, enrolled, 4001, rng)
    covariates = np.column_stack([rng.normal(50, 10, size=45), np.arange(45) % 2])
    values = 0.6 * covariates[:, 0] + 7.0 * (allocations[0] == 1) + rng.normal(0, 8, size=45)
    values[[3, 30]] = np.nan
    return allocations[1:], allocations[0], values, covariates


def test_each_statistic_is_that_of_an_analysis_of_covariance(trial) -> None:  # type: ignore[no-untyped-def]
    """t, F and the estimates are those of statsmodels' least squares, in the allocation made and in others."""
    allocations, _, values, covariates = trial
    known = ~np.isnan(values)
    for observed in (trial[1], allocations[7], allocations[99]):
        ours = contrasts(adjusted(values, covariates), allocations[:5], observed, PAIRS, arms=3)
        x = np.column_stack([observed[:, None] == np.arange(3), covariates]).astype(float)[known]
        theirs = sm.OLS(values[known], x).fit()
        for (a, b), estimate, test in zip(PAIRS, ours.estimates, ours.tests, strict=True):
            contrast = np.zeros(5)
            contrast[[a, b]] = 1, -1
            t = theirs.t_test(contrast)
            assert estimate == pytest.approx(float(t.effect[0]))
            assert test.observed == pytest.approx(abs(float(np.squeeze(t.tvalue))))
        f = theirs.f_test(np.array([[1, -1, 0, 0, 0], [1, 0, -1, 0, 0]]))
        assert ours.any_difference.observed == pytest.approx(float(np.squeeze(f.fvalue)))


def test_generalised_least_squares_are_those_of_a_library(trial) -> None:  # type: ignore[no-untyped-def]
    """Three values of each, correlated, some missing: the contrasts are those of statsmodels' GLS with the same matrix."""
    _, observed, values, covariates = trial
    rng = np.random.default_rng(5)
    repeated = np.repeat(values[:, None], 3, axis=1) + rng.normal(0, 4, size=(45, 3))
    repeated[rng.random((45, 3)) < 0.15] = np.nan
    person, day = np.nonzero(~np.isnan(repeated))
    response = repeated[person, day]
    design = np.column_stack([np.ones(len(person)), day, covariates[person]])
    whole = 60 * np.ones((3, 3)) + 16 * np.eye(3)
    matrices = [whole[np.ix_(day[person == one], day[person == one])] for one in np.unique(person)]
    data = adjusted_gls(response, design, person, matrices, 45)
    ours = contrasts(data, trial[0][:10], observed, PAIRS, arms=3)
    sigma = np.where(person[:, None] == person, whole[day[:, None], day], 0.0)
    arms = (observed[person][:, None] == np.arange(3)).astype(float)
    theirs = sm.GLS(response, np.column_stack([arms, design[:, 1:]]), sigma=sigma).fit()
    for (a, b), estimate, test in zip(PAIRS, ours.estimates, ours.tests, strict=True):
        contrast = np.zeros(6)
        contrast[[a, b]] = 1, -1
        t = theirs.t_test(contrast)
        assert estimate == pytest.approx(float(t.effect[0]))
        assert test.observed == pytest.approx(abs(float(np.squeeze(t.tvalue))))


def test_ranks_are_the_analysis_of_covariance_of_ranks(trial) -> None:  # type: ignore[no-untyped-def]
    allocations, observed, values, covariates = trial
    known = ~np.isnan(values)
    ours = contrasts(adjusted(values, covariates, ranks=True), allocations[:5], observed, PAIRS, arms=3)
    ranks = np.column_stack([stats.rankdata(covariates[known, 0]), covariates[known, 1]])
    x = np.column_stack([observed[known, None] == np.arange(3), ranks]).astype(float)
    t = sm.OLS(stats.rankdata(values[known]), x).fit().t_test([1, -1, 0, 0, 0])
    assert ours.tests[0].observed == pytest.approx(abs(float(np.squeeze(t.tvalue))))
    # Only the order matters: any monotone change of the values leaves the test as it is.
    other = contrasts(adjusted(np.exp(values / 20), covariates, ranks=True), allocations[:5], observed, PAIRS, arms=3)
    assert [test.p for test in other.tests] == [test.p for test in ours.tests]


def test_the_interval_is_where_the_test_of_a_difference_does_not_reject(trial) -> None:  # type: ignore[no-untyped-def]
    """With two arms the hypothesis of a difference is a shift of one arm's values: the test of the values so shifted
    rejects just outside the interval and not just inside; and it is near the interval of least squares."""
    _, _, values, covariates = trial
    rng = np.random.default_rng(6)
    scheme = Scheme("blocks", (0, 1), (1, 1), sizes=(2, 4))
    allocations = reallocate({0: scheme}, Enrolled([0] * 45, [0] * 45, ["all"] * 45, {}), 2001, rng)
    observed, allocations = allocations[0], allocations[1:]
    values = values + 6.0 * (observed == 0)
    found = contrasts(adjusted(values, covariates), allocations, observed, [(0, 1)], arms=2, level=0.95)
    low, high = found.intervals[0]
    step = (high - low) / 100
    for at, rejected in ((low - step, True), (low + step, False), (high - step, False), (high + step, True)):
        shifted = adjusted(values - at * (observed == 0), covariates)
        assert (contrasts(shifted, allocations, observed, [(0, 1)], arms=2).tests[0].p <= 0.05) is rejected
    x = np.column_stack([np.ones(45), observed == 0, covariates]).astype(float)
    below, above = sm.OLS(values, x, missing="drop").fit().conf_int()[1]
    assert low == pytest.approx(below, abs=0.1 * (above - below))
    assert high == pytest.approx(above, abs=0.1 * (above - below))


def test_the_largest_t_adjusts_for_the_number_of_contrasts(trial) -> None:  # type: ignore[no-untyped-def]
    """Between no adjustment and Bonferroni's."""
    allocations, observed, values, covariates = trial
    found = contrasts(adjusted(values, covariates), allocations, observed, PAIRS, arms=3)
    for alone, together in zip(found.tests, found.largest, strict=True):
        assert alone.p <= together.p <= min(1.0, 3 * alone.p + 0.01)


def test_under_the_null_hypothesis_p_is_uniform() -> None:
    """400 trials of 24 with values that are anything but normal, one in ten missing: p below 0.05 and 0.2 as often."""
    rng = np.random.default_rng(7)
    scheme = Scheme("minimisation", (0, 1), (1, 1), weights={"sex": 1.0})
    enrolled = Enrolled([0] * 24, [0] * 24, ["all"] * 24, {"sex": ["fm"[one] for one in rng.integers(2, size=24)]})
    drawn = reallocate({0: scheme}, enrolled, 300 + 400, rng)
    baseline = rng.exponential(size=24)
    ps = []
    for trial in range(400):
        values = baseline + rng.standard_t(2, size=24) ** 2
        values[rng.random(24) < 0.1] = np.nan
        found = contrasts(adjusted(values, baseline[:, None]), drawn[:300], drawn[300 + trial], [(0, 1)], arms=2)
        ps.append(found.tests[0].p)
    for level in (0.05, 0.2, 0.5):
        assert abs(np.mean(np.array(ps) <= level) - level) < 4 * (level * (1 - level) / 400) ** 0.5


def test_what_cannot_be_tested_is_refused_in_words() -> None:
    every = np.array([[0, 1, 0, 1], [1, 0, 0, 1]], dtype=np.int8)
    nothing = np.empty((4, 0))
    with pytest.raises(CannotEstimate, match="do not vary"):
        adjusted([5.0, 5.0, 5.0, 5.0], nothing)
    with pytest.raises(CannotEstimate, match="too few"):
        adjusted([5.0, np.nan, np.nan, np.nan], nothing)
    with pytest.raises(CannotEstimate, match="An arm has nobody"):
        contrasts(
            adjusted([1.0, np.nan, 3.0, 5.0], nothing), every, np.array([0, 1, 0, 0], dtype=np.int8), [(0, 1)], arms=2
        )

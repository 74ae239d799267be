"""Shares and rates of few events have the intervals of R and of the papers that they come from."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from study.errors import CannotEstimate
from study.statistics.counts import mean_share, rate, share, share_difference

R = json.loads((Path(__file__).parent / "reference" / "diary.json").read_text())["counts"]


@pytest.mark.parametrize(("count", "visits", "place"), [(0, 100, 0), (3, 100, 1), (12, 480, 2)])
def test_rates_have_the_exact_interval_of_rs_poisson_test(count: int, visits: int, place: int) -> None:
    found = rate(count, visits, per=100)
    assert found.value == pytest.approx(100 * count / visits)
    assert (found.low / 100, found.high / 100) == pytest.approx(R["poisson"][place], abs=1e-9)


@pytest.mark.parametrize(("count", "people", "place"), [(0, 13, 0), (3, 12, 1), (13, 13, 2)])
def test_shares_have_the_exact_interval_of_rs_binom_test(count: int, people: int, place: int) -> None:
    found = share(count, people)
    assert found.value == pytest.approx(count / people)
    assert (found.low, found.high) == pytest.approx(R["binomial"][place], abs=1e-9)


def test_the_difference_of_two_shares_is_that_of_newcombes_examples() -> None:
    """Newcombe (1998), table II, method 10: 56/70 against 48/80, 9/10 against 3/10, and 10/10 against 0/20."""
    found = share_difference((56, 70), (48, 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    found = share_difference((9, 10), (3, 10))
    assert (found.value, found.low, found.high) == pytest.approx((0.6, 0.1705, 0.8090), abs=5e-5)
    found = share_difference((10, 10), (0, 20))
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 0.6791, 1.0), abs=5e-5)


def test_a_mean_share_of_one_chance_each_is_clopper_and_pearsons_with_one_chance_less() -> None:
    found = mean_share([1.0] * 9 + [0.0] * 3, 12)
    low, high = proportion_confint(0.75 * 11, 11, method="beta")
    assert (found.value, found.low, found.high) == pytest.approx((0.75, low, high))


def test_a_mean_share_is_surer_the_more_alike_people_are_and_never_leaves_0_to_1() -> None:
    alike, unlike = mean_share([0.9, 0.95, 1.0, 0.95], 60), mean_share([0.8, 1.0, 1.0, 1.0], 60)
    assert alike.value == pytest.approx(unlike.value)
    assert unlike.low < alike.low < alike.high < unlike.high < 1
    all_made = mean_share([1.0] * 12, 180)
    assert (all_made.low, all_made.high) == pytest.approx((0.025 ** (1 / 12), 1))


@pytest.mark.parametrize(("people", "least", "at_most_of_t"), [(40, 0.93, 0.94), (12, 0.9, 0.88)])
def test_the_interval_of_a_mean_share_covers_the_truth_where_that_of_t_does_not(
    people: int, least: float, at_most_of_t: float
) -> None:
    """Beta-binomial visits, 15 for each person, ICC 0.3, mean 0.9: 800 arms, Monte-Carlo error 0.7 to 1 points."""
    random = np.random.default_rng(8)
    alike = 1 / 0.3 - 1
    shares = random.binomial(15, random.beta(0.9 * alike, 0.1 * alike, (800, people))) / 15
    shares = shares[np.ptp(shares, axis=1) > 0]
    found = [mean_share(row, 15 * people) for row in shares]
    student = stats.ttest_1samp(shares, 0, axis=1).confidence_interval()
    assert np.mean([one.low <= 0.9 <= one.high for one in found]) > least
    assert np.mean((student.low <= 0.9) & (student.high >= 0.9)) < at_most_of_t


def test_nobody_and_no_exposure_are_sentences() -> None:
    with pytest.raises(CannotEstimate, match="nobody"):
        share(0, 0)
    with pytest.raises(CannotEstimate, match="nobody"):
        share_difference((1, 3), (0, 0))
    with pytest.raises(CannotEstimate, match="no exposure"):
        rate(0, 0)
    with pytest.raises(CannotEstimate, match="fewer than two people"):
        mean_share([0.5], 10)
    with pytest.raises(CannotEstimate, match="the same share"):
        mean_share([0.5, 0.5], 20)

"""Shares and rates of few events have the intervals of R and of the papers that they come from."""

import json
from pathlib import Path

import pytest

from study.errors import CannotEstimate
from study.statistics.counts import rate, share, share_difference

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


def test_nobody_and_no_exposure_are_sentences() -> None:
    with pytest.raises(CannotEstimate, match="nobody"):
        share(0, 0)
    with pytest.raises(CannotEstimate, match="nobody"):
        share_difference((1, 3), (0, 0))
    with pytest.raises(CannotEstimate, match="no exposure"):
        rate(0, 0)

"""Exact intervals: published values, and what defines them."""

import pytest
from scipy.stats import binom

from audit.figures.exact import exact_share


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [
        # Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, Clopper-Pearson.
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0000, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_the_intervals_are_the_published_ones(count: int, n: int, low: float, high: float) -> None:
    value, at_least, at_most = exact_share(count, n)
    assert value == count / n
    assert at_least == pytest.approx(low, abs=5e-5)
    assert at_most == pytest.approx(high, abs=5e-5)


@pytest.mark.parametrize(("count", "n"), [(1, 30), (118, 120), (60, 61), (5, 190)])
def test_at_either_end_what_was_seen_or_more_extreme_has_a_chance_of_a_fortieth(count: int, n: int) -> None:
    _, low, high = exact_share(count, n)
    assert binom.sf(count - 1, n, low) == pytest.approx(0.025)
    assert binom.cdf(count, n, high) == pytest.approx(0.025)


def test_all_and_none_have_an_interval_and_nothing_has_none() -> None:
    assert exact_share(50, 50)[2] == 1.0
    assert exact_share(50, 50)[1] == pytest.approx(0.025 ** (1 / 50))
    assert exact_share(0, 0) == (None, None, None)

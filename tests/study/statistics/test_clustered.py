"""Bootstrap medians of values that come several from each participant."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from study.statistics.clustered import interval, medians


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_with_one_value_each_it_is_scipys_bootstrap() -> None:
    """Another implementation, of the difference of two medians; the Monte-Carlo error of 5,000 draws remains."""
    one, other = rng(2).lognormal(7, 0.4, 60), rng(3).lognormal(6.8, 0.5, 50)
    drawn = [medians([np.array([value]) for value in values], 5000, rng(4)) for values in (one, other)]
    theirs = stats.bootstrap(
        (one, other),
        lambda x, y, axis: np.median(x, axis=axis) - np.median(y, axis=axis),
        n_resamples=5000,
        method="percentile",
        vectorized=True,
        rng=rng(5),
    ).confidence_interval
    # The bootstrap distribution of a median is coarse: its percentiles move by a step between neighbouring values.
    ours = interval(drawn[0] - medians([np.array([value]) for value in other], 5000, rng(6)), 0.95)
    width = theirs.high - theirs.low
    assert ours == (pytest.approx(theirs.low, abs=0.06 * width), pytest.approx(theirs.high, abs=0.06 * width))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=6), st.integers(0, 1000))
def test_each_draw_is_the_median_of_the_values_of_the_drawn_participants(groups: list[list[int]], seed: int) -> None:
    """By the definition: the values of each participant as often as they were drawn, put together."""
    found = medians([np.array(group, dtype=float) for group in groups], 5, rng(seed))
    times = rng(seed).multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=5)
    for drawn, median in zip(times, found, strict=True):
        values = [value for group, n in zip(groups, drawn, strict=True) for value in group * n]
        assert median == np.median(values)


def test_more_values_of_the_same_participants_say_hardly_more() -> None:
    """Each participant's value repeated ten times: an interval that took them for new ones would be a third as wide."""
    values = rng(7).normal(1000, 200, 40)
    once = interval(medians([np.array([value]) for value in values], 2000, rng(8)), 0.95)
    ten = interval(medians([np.repeat(value, 10) for value in values], 2000, rng(8)), 0.95)
    assert once == ten


def test_ninety_five_in_a_hundred_intervals_hold_the_median() -> None:
    """Participants who differ, with several answers each; the coverage of 300 studies, with its Monte-Carlo error."""
    source = rng(9)
    held = 0
    for _ in range(300):
        groups = [source.normal(level, 100, 8) for level in source.normal(1000, 150, 30)]
        low, high = interval(medians(groups, 400, source), 0.95)
        held += low <= 1000 <= high
    assert 0.91 <= held / 300 <= 0.985

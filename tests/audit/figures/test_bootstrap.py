"""The intervals of the audit: against scipy, against exact cases, and their coverage."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats import binomtest

from audit.figures.bootstrap import contrast, difference, mean, share, statistic, wilson


def _rows(items: int, each: int, seed: int, rate: float = 0.4, alike: float = 1.0) -> pd.DataFrame:
    """Items whose replies resemble each other: each item's own rate is from a beta distribution around `rate`."""
    random = np.random.default_rng(seed)
    rates = random.beta(alike * rate, alike * (1 - rate), items)
    right = random.random((items, each)) < rates[:, None]
    return pd.DataFrame({"item": np.repeat([f"i{n:03}" for n in range(items)], each), "right": right.ravel() * 1.0})


def test_a_share_has_the_interval_that_scipy_finds_for_the_means_of_the_items():
    rows = _rows(120, 5, seed=1)
    value, low, high = share(rows, "right", seed=7)
    of_items = rows.groupby("item")["right"].mean().to_numpy()
    other = stats.bootstrap(
        (of_items,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    assert value == pytest.approx(rows["right"].mean())
    assert low == pytest.approx(other.low, abs=0.006)
    assert high == pytest.approx(other.high, abs=0.006)


def test_a_difference_has_the_interval_that_scipy_finds_for_the_paired_items():
    a, b = _rows(120, 4, seed=1), _rows(120, 4, seed=2, rate=0.6)
    value, low, high = difference(a, b, "right", seed=7)
    first, second = (rows.groupby("item")["right"].mean().to_numpy() for rows in (a, b))
    other = stats.bootstrap(
        (first, second), lambda x, y, axis=-1: x.mean(axis) - y.mean(axis), paired=True, n_resamples=9999,
        method="percentile", rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    assert value == pytest.approx(first.mean() - second.mean())
    assert (low, high) == (pytest.approx(other.low, abs=0.01), pytest.approx(other.high, abs=0.01))


def test_a_statistic_of_the_rows_agrees_with_the_fast_way():
    rows = _rows(60, 3, seed=5)
    slow = statistic(rows, lambda drawn: drawn["right"].mean(), seed=1)
    fast = share(rows, "right", seed=1)
    assert slow.value == pytest.approx(fast.value)
    assert slow.low == pytest.approx(fast.low, abs=0.015)
    assert slow.high == pytest.approx(fast.high, abs=0.015)


def test_rows_of_one_item_count_together_and_not_as_trials_of_their_own():
    clustered = _rows(40, 10, seed=3, alike=0.2)
    loose = clustered.assign(item=[f"r{n}" for n in range(len(clustered))])
    (_, low, high), (_, close_low, close_high) = share(clustered, "right", seed=1), share(loose, "right", seed=1)
    assert high - low > 2 * (close_high - close_low)


@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_none_or_all_of_the_items_have_wilsons_interval(constant):
    rows = _rows(30, 4, seed=1).assign(right=constant)
    value, low, high = share(rows, "right", seed=1)
    exact = binomtest(int(constant * 30), 30).proportion_ci(method="wilson")
    assert value == constant
    assert (low, high) == (pytest.approx(exact.low, abs=1e-9), pytest.approx(exact.high, abs=1e-9))


def test_wilsons_interval_is_that_of_scipy():
    for hits, n in [(0, 5), (1, 9), (20, 40), (9, 9)]:
        other = binomtest(hits, n).proportion_ci(method="wilson")
        assert wilson(hits / n, n) == (pytest.approx(other.low), pytest.approx(other.high))


def test_two_sides_that_are_alike_in_every_item_may_still_differ_in_one_to_come():
    rows = _rows(50, 1, seed=4)
    value, low, high = difference(rows, rows, "right", seed=1)
    most = 1.959963984540054**2 / (50 + 1.959963984540054**2)  # Wilson's upper end for none of 50
    assert value == 0
    assert (low, high) == (pytest.approx(-most), pytest.approx(most))


def test_a_difference_in_every_item_is_not_told_as_certain():
    a, b = (_rows(50, 1, seed=4).assign(right=one) for one in (1.0, 0.0))
    value, low, high = difference(a, b, "right", seed=1)
    assert value == 1
    assert 0.8 < low < 0.95
    assert high == 1


def test_one_error_in_eighty_items_does_not_exclude_four_in_a_hundred():
    rows = pd.DataFrame({"item": [f"i{n}" for n in range(80)], "right": [1.0] + [0.0] * 79})
    assert share(rows, "right", seed=1).high > 0.06


def test_a_difference_of_differences_is_the_sum_of_its_four_cells():
    rows = pd.concat([_rows(80, 2, seed=n, rate=0.3 + 0.1 * n).assign(cell=n) for n in range(4)], ignore_index=True)
    cells = [(weight, (rows["cell"] == n).to_numpy()) for n, weight in enumerate((1.0, -1.0, -1.0, 1.0))]
    value, low, high = contrast(rows, "right", cells, seed=1)
    means = rows.groupby("cell")["right"].mean()
    assert value == pytest.approx(means[0] - means[1] - means[2] + means[3])
    assert low < value < high


def test_replies_without_a_value_are_left_out():
    rows = _rows(40, 2, seed=1)
    holes = pd.concat([rows, rows.assign(right=np.nan)], ignore_index=True)
    assert share(holes, "right", seed=1) == share(rows, "right", seed=1)


def test_no_rows_have_no_figure():
    rows = _rows(10, 1, seed=1)
    assert share(rows.iloc[:0], "right", seed=1) == (None, None, None)
    assert difference(rows, rows.iloc[:0], "right", seed=1) == (None, None, None)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    rows = _rows(40, 2, seed=1)
    assert share(rows, "right", seed=1) == share(rows, "right", seed=1)
    assert share(rows, "right", seed=1) != share(rows, "right", seed=2)


def test_a_mean_on_another_scale_is_the_share_stretched():
    rows = _rows(40, 2, seed=1)
    stretched = mean(rows.assign(right=rows["right"] * 100), "right", seed=1, bounds=(0, 100))
    assert stretched == pytest.approx(share(rows, "right", seed=1).times(100))


@pytest.mark.parametrize(("rate", "items"), [(0.5, 40), (0.05, 60), (0.02, 60)])
def test_nineteen_in_twenty_intervals_cover_the_share_that_the_items_come_from(rate, items):
    covered = [
        low <= rate <= high
        for _, low, high in (share(_rows(items, 3, seed=n, rate=rate), "right", seed=n) for n in range(300))
    ]
    assert np.mean(covered) >= 0.92  # three standard errors of 300 trials below 0.95 are 0.912


def test_nineteen_in_twenty_intervals_cover_the_difference_even_when_few_items_change():
    covered = []
    for seed in range(300):
        random = np.random.default_rng(seed)
        before = pd.DataFrame({"item": range(60), "right": (random.random(60) < 0.5) * 1.0})
        lost = random.random(60) < 0.06
        after = before.assign(right=np.where(lost, 0.0, before["right"]))
        _, low, high = difference(after, before, "right", seed=seed)
        covered.append(low <= -0.03 <= high)
    assert np.mean(covered) >= 0.92

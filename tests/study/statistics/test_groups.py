"""Means of groups agree with R's t.test and with scipy."""

import numpy as np
import pytest
from scipy import stats

from study.errors import CannotEstimate
from study.statistics.groups import mean, welch

# Student's sleep data: R's example(t.test) prints t = -1.8608, df = 17.776, p = 0.07939, -3.3654832 to 0.2054832.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_the_difference_of_students_sleep_data_is_what_r_prints() -> None:
    found = welch(FIRST, SECOND)
    assert found.statistic == pytest.approx(-1.8608, abs=5e-5)
    assert found.df == pytest.approx(17.776, abs=5e-4)
    assert found.p == pytest.approx(0.07939, abs=5e-6)
    assert (found.low, found.high) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)


def test_groups_of_unequal_size_agree_with_scipy() -> None:
    random = np.random.default_rng(2)
    first, second = random.normal(3, 4, 9), random.normal(5, 1, 23)
    found, want = welch(first, [*second, np.nan], level=0.9), stats.ttest_ind(first, second, equal_var=False)
    interval = want.confidence_interval(0.9)
    assert (found.statistic, found.df, found.p) == pytest.approx((want.statistic, want.df, want.pvalue))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    one, interval = mean(second), stats.ttest_1samp(second, 0).confidence_interval()
    assert (one.low, one.high) == pytest.approx((interval.low, interval.high))


def test_too_few_values_and_values_that_do_not_vary_are_sentences() -> None:
    with pytest.raises(CannotEstimate, match="fewer than two"):
        welch([1.0], [2.0, 3])
    with pytest.raises(CannotEstimate, match="do not vary"):
        welch([1.0, 1], [1.0, 1])
    with pytest.raises(CannotEstimate, match="fewer than two"):
        mean([4, np.nan])

"""Estimates, their intervals and p values, Holm's adjustment, effect sizes."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from study.errors import CannotEstimate
from study.statistics.ancova import fit_ancova
from study.statistics.effect import observed_sd, standardised
from study.statistics.estimate import Estimate, holm
from tests.study.statistics.diaries import design, diary


def test_interval_and_p_value_are_students() -> None:
    sample = np.random.default_rng(1).normal(1, 2, 12)
    found = Estimate("mean", sample.mean(), sample.std(ddof=1) / math.sqrt(12), 11, level=0.9)
    theirs = stats.ttest_1samp(sample, 0)
    assert (found.statistic, found.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval(0.9)))


@pytest.mark.parametrize("seed", range(10))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    values = (np.random.default_rng(seed).random(1 + seed) ** 3).round(3).tolist()
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1].tolist())


def test_what_is_not_known_counts_for_nothing_in_a_family() -> None:
    found = holm([0.01, math.nan, 0.04])
    assert (found[0], found[2]) == pytest.approx((0.02, 0.04))
    assert math.isnan(found[1])


def test_a_standardised_difference_keeps_its_p_value() -> None:
    difference = Estimate("robot - chat", -4.0, 1.6, 30.0)
    effect = standardised(difference, 8.0)
    assert (effect.value, effect.low, effect.high) == pytest.approx((-0.5, difference.low / 8, difference.high / 8))
    assert (effect.p, effect.df) == (pytest.approx(difference.p), 30.0)
    with pytest.raises(CannotEstimate, match="robot - chat cannot be standardised"):
        standardised(difference, 0.0)


def test_the_standard_deviation_within_arms_is_the_root_of_the_residual_variance_of_least_squares() -> None:
    frame = diary(4, participants=20, days=1, missing=0.2)
    fit = fit_ancova(design(frame, "arm"))
    assert observed_sd(frame["y"], list(frame["arm"])) == pytest.approx(math.sqrt(fit.variances["residual"]))
    with pytest.raises(CannotEstimate, match="No arm has two values"):
        observed_sd([1.0, 2.0, math.nan], ["robot", "chat", "chat"])

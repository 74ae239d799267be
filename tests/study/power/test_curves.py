"""Power, bias, coverage and width, reckoned by hand from a few replicates and against closed forms from many."""

import math

import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.proportion import proportion_confint

from study.power.assumptions import Assumptions
from study.power.curves import Share, points
from study.power.figure import figure
from study.power.planned import replicate
from study.power.replicates import Replicate
from study.power.running import Request
from study.protocol import Protocol
from tests.power import kian, two_arms

INF = math.inf
P04, P02, P001 = (float(stats.norm.isf(p / 2)) for p in (0.04, 0.02, 0.001))
"""Values that, with a standard error of 1 and infinite degrees of freedom, have these p values."""

SE_ONE = 2 * 1.959964
"""The width of such an interval."""


def request(protocol: Protocol, replicates: int, **effects: float) -> Request:
    return Request(protocol, Assumptions(effects=effects), (30,), replicates=replicates)


def test_points_are_those_reckoned_by_hand() -> None:
    made = [
        Replicate(0, ((-P001, 1, INF), (P04, 1, INF), (0.5, 1, INF))),  # Holm: .003, .08, ...
        Replicate(1, ((-P02, 1, INF), (P04, 1, INF), (0.0, 1, INF))),  # .06, .08: nothing
        Replicate(2, ((-P001, 1, INF), (0.0, 1, INF), (-P02, 1, INF))),  # .003, ., .04
        Replicate(3, None, said="It could not be."),
    ]
    first, second, third, either = points(request(kian(), 4, robot=-3.0), [made])
    assert [one.contrast for one in (first, second, third, either)] == [
        "robot - chatbot",
        "worksheet - chatbot",
        "robot - worksheet",
        "any",
    ]
    assert [one.effect for one in (first, second, third)] == [-3, 0, -3]
    assert [(one.raw.count, one.adjusted.count) for one in (first, second, third, either)] == [
        (3, 2), (2, 0), (1, 1), (3, 2),
    ]  # fmt: skip
    # Who could not be analysed counts as showing nothing, and not at all where there is nothing to count.
    assert {one.raw.of for one in (first, second, third, either)} == {4}
    assert {one.failed for one in (first, either)} == {1}
    assert first.coverage == Share(3, 3)
    assert second.coverage == Share(1, 3)
    assert third.coverage == Share(1, 3)
    assert first.mean == pytest.approx(-(2 * P001 + P02) / 3)
    assert first.bias == pytest.approx(-(2 * P001 + P02) / 3 + 3)
    assert first.mean_error == pytest.approx((P001 - P02) / 3)  # the SD of a, a, b is |a - b| / sqrt 3
    assert first.width == pytest.approx(SE_ONE, rel=1e-6)


def test_without_adjustment_every_contrast_stands_alone() -> None:
    made = [Replicate(0, ((-P04, 1, INF), (P04, 1, INF), (0.5, 1, INF)))]
    alone = points(request(kian(multiplicity="none"), 1, robot=-3.0), [made])
    assert [one.adjusted.count for one in alone] == [1, 1, 0, 1]
    assert [one.adjusted.count for one in points(request(kian(), 1, robot=-3.0), [made])] == [0, 0, 0, 0]


def test_the_level_is_the_plans() -> None:
    made = [Replicate(0, ((-P02, 1, INF), (0.0, 1, INF), (0.0, 1, INF)))]
    strict = points(request(kian(multiplicity="none", alpha=0.01), 1, robot=-3.0), [made])[0]
    assert strict.raw.count == 0
    assert strict.width == pytest.approx(2 * 2.575829, rel=1e-6)


def test_nothing_could_be_analysed() -> None:
    first, *_, either = points(request(kian(), 2, robot=-3.0), [[Replicate(n, None, said="no") for n in range(2)]])
    assert (first.mean, first.bias, first.width, first.coverage, first.failed) == (None, None, None, Share(0, 0), 2)
    assert either.adjusted == Share(0, 2)
    assert first.as_json()["coverage"] is None


@pytest.mark.parametrize(("count", "of"), [(0, 20), (50, 1000), (19, 20), (20, 20)])
def test_intervals_are_those_of_clopper_and_pearson(count: int, of: int) -> None:
    assert Share(count, of).interval == pytest.approx(proportion_confint(count, of, 0.05, method="beta"), abs=1e-9)


def test_power_of_a_comparison_of_two_arms_is_that_of_the_closed_form() -> None:
    """Ancova of 20 and 20: a t test with what is left of the standard deviation (Frison and Pocock, 1992)."""
    protocol, count, correlation = two_arms(), 250, 0.7
    assumed = Assumptions(
        effects={"robot": -6.5}, sd_between=10, sd_within=5, baseline_correlation=correlation, dropout=0, missed=0
    )
    made = [replicate(protocol, assumed, 40, 1.0, 1, number) for number in range(count)]
    first, _ = points(Request(protocol, assumed, (40,), replicates=count), [made])
    left = math.hypot(10, 5) * math.sqrt(1 - correlation**2)
    closed = TTestIndPower().power(effect_size=6.5 / left, nobs1=20, alpha=0.05, df=37)
    low, high = proportion_confint(first.raw.count, count, 0.001, method="beta")
    # One degree of freedom goes to the baseline, whose chance imbalance costs a little more: less than 0.02 here.
    assert low - 0.02 < closed < high
    assert abs(first.bias or 0) < 4 * (first.mean_error or 0)
    assert first.width == pytest.approx(2 * stats.t.ppf(0.975, 37) * left * math.sqrt(2 / 20), rel=0.05)


def test_without_a_baseline_power_is_that_of_a_t_test() -> None:
    """A measure that is taken on the last day alone has nothing to be adjusted for, whatever correlation is assumed."""
    protocol, count = two_arms(primary={"measure": "sus", "when": "day 15"}), 250
    assumed = Assumptions(
        effects={"robot": 8.0}, sd_between=10, sd_within=5, baseline_correlation=0.7, dropout=0, missed=0
    )
    made = [replicate(protocol, assumed, 40, 1.0, 1, number) for number in range(count)]
    first, _ = points(Request(protocol, assumed, (40,), replicates=count), [made])
    closed = TTestIndPower().power(effect_size=8.0 / math.hypot(10, 5), nobs1=20, alpha=0.05)
    low, high = proportion_confint(first.raw.count, count, 0.001, method="beta")
    assert low < closed < high
    assert first.width == pytest.approx(2 * stats.t.ppf(0.975, 38) * math.hypot(10, 5) * math.sqrt(2 / 20), rel=0.05)


def test_under_the_null_two_arms_are_told_apart_as_often_as_alpha_says() -> None:
    protocol, count = two_arms(), 250
    assumed = Assumptions(effects={"robot": -9.0})
    made = [replicate(protocol, assumed, 40, 0.0, 2, number) for number in range(count)]
    first, _ = points(Request(protocol, assumed, (40,), (0.0,), replicates=count), [made])
    for share, true in ((first.raw, 0.05), (first.coverage, 0.95)):
        assert share is not None
        low, high = proportion_confint(share.count, share.of, 0.001, method="beta")
        assert low < true < high


def test_a_trial_that_cannot_be_analysed_says_why() -> None:
    made = replicate(kian(), Assumptions(effects={}, missed=0.99), 6, 1.0, 1, 0)
    assert made.estimates is None
    assert made.said


def test_the_figure_has_a_panel_for_each_contrast_and_is_the_same_bytes() -> None:
    made = [Replicate(n, ((-P001, 1, INF), (P04, 1, INF), (0.5, 1, INF))) for n in range(4)]
    asked = Request(kian(), Assumptions(effects={"robot": -3.0}), (30, 60), (1.0, 0.5), replicates=4)
    drawn = figure(points(asked, [made] * 4))
    assert drawn == figure(points(asked, [made] * 4))
    assert drawn.startswith("<svg")
    panels = {line for line in drawn.split('"') if line.startswith("power-axes_")}
    assert len(panels) == 4
    over_effects = Request(kian(), Assumptions(effects={"robot": -3.0}), (30,), (1.0, 0.5, 0.0), replicates=4)
    assert figure(points(over_effects, [made] * 3)) != drawn

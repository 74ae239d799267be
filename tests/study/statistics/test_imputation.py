"""Imputation: the distribution of what is imputed against closed forms, the estimates against the likelihood analysis."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from study.errors import CannotEstimate
from study.statistics.design import build
from study.statistics.imputation import Imputer, Repeated, compare, filled, means, own_weights, summary_weights
from study.statistics.incomplete import Model
from study.statistics.mixed import fit_mixed

PAIRS = [(0, 1), (0, 2), (1, 2)]
NAMES = ["0-1", "0-2", "1-2"]
TIMES = np.arange(1.0, 5)


def trial(
    seed: int, n: int = 45, days: int = 4, effects: Sequence[float] = (0.0, 3.0, 6.0), missing: float = 0.1
) -> Repeated:
    """Three arms; participants differ by an intercept; whoever did badly yesterday is likelier to be lost for good."""
    rng = np.random.default_rng(seed)
    arms = np.arange(n) % 3
    baseline = rng.normal(0, 5, size=n)
    own = rng.normal(0, 5, size=n) + 0.5 * baseline
    values = 40 + own[:, None] + np.asarray(effects)[arms][:, None] + rng.normal(0, 4, size=(n, days))
    values[rng.random(values.shape) < missing] = np.nan
    for person in range(n):
        for day in range(1, days):
            if values[person, day - 1] > 48 and rng.random() < 0.35:
                values[person, day:] = np.nan
    return Repeated(values, arms, baseline[:, None], np.arange(1.0, days + 1), "factor")


def by_hand(
    data: Repeated, coefficients: np.ndarray, sigma: np.ndarray, assumption: str, reference: int
) -> list[tuple[int, list[int], np.ndarray, np.ndarray]]:
    """For each participant with a missing value: which, and the mean and the covariance of what is missing.

    With explicit loops, from the definitions of Carpenter, Roger and Kenward (2013): the joint distribution of all
    occasions is written down, and conditioned on the observed ones.
    """
    found = []
    count, occasions = data.values.shape
    arms = sorted(set(data.arms.tolist()))
    centre = data.covariates.mean(axis=0)

    def mean_of(person: int, arm: int, occasion: int) -> float:
        place = arms.index(arm) * occasions + occasion
        adjusted = (data.covariates[person] - centre) @ coefficients[len(arms) * occasions :]
        return float(coefficients[place] + adjusted)

    for person in range(count):
        seen = [t for t in range(occasions) if not np.isnan(data.values[person, t])]
        lost = [t for t in range(occasions) if t not in seen]
        if not lost:
            continue
        last = max(seen, default=-1)
        left = last < occasions - 1
        own = data.arms[person]
        mu = []
        for t in range(occasions):
            if (assumption == "jump_to_reference" and t > last) or (assumption == "copy_reference" and left):
                arm = reference
            else:
                arm = own
            mu.append(mean_of(person, arm, t))
        s_oo = sigma[np.ix_(seen, seen)]
        s_mo = sigma[np.ix_(lost, seen)]
        s_mm = sigma[np.ix_(lost, lost)]
        deviation = np.array([data.values[person, t] - mu[t] for t in seen])
        weights = s_mo @ np.linalg.inv(s_oo) if seen else np.zeros((len(lost), 0))
        found.append((person, lost, np.array([mu[t] for t in lost]) + weights @ deviation, s_mm - weights @ s_mo.T))
    return found


def known_model(data: Repeated, draws: int) -> tuple[Model, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    coefficients = rng.normal(40, 5, size=3 * 4 + 1)
    coefficients[-1] = 0.7
    root = rng.normal(size=(4, 4))
    sigma = root @ root.T + 2 * np.eye(4)
    model = Model(np.tile(coefficients, (draws, 1)), np.tile(sigma, (draws, 1, 1)), np.ones(draws, dtype=bool))
    return model, coefficients, sigma


@pytest.mark.parametrize("assumption", ["mar", "jump_to_reference", "copy_reference"])
def test_what_is_imputed_has_the_mean_and_the_covariance_of_the_definition(assumption) -> None:  # type: ignore[no-untyped-def]
    """Also for who has values before and after a gap, and for who has none at all."""
    data = trial(2, n=18, missing=0.25)
    data.values[0] = np.nan
    data.values[1] = [41.0, np.nan, 45.0, np.nan]
    model, coefficients, sigma = known_model(data, 1)
    expected = by_hand(data, coefficients, sigma, assumption, 2)
    # Without chance, each is at its conditional mean; with it, many draws have the conditional covariance.
    still = filled(data, model, np.zeros((1, *data.values.shape)), assumption, 2)[0]
    draws = 4000
    chance = np.random.default_rng(3).standard_normal((draws, *data.values.shape))
    moving = filled(data, known_model(data, draws)[0], chance, assumption, 2)
    assert len(expected) > 8
    for person, lost, mean, covariance in expected:
        assert still[person, lost] == pytest.approx(mean, rel=1e-9)
        spread = np.cov(moving[:, person, lost], rowvar=False).reshape(len(lost), len(lost))
        scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
        assert np.abs((spread - covariance) / scale).max() < 5 * (2 / draws) ** 0.5
        error = np.sqrt(np.diag(covariance) / draws)
        assert np.abs((moving[:, person, lost].mean(axis=0) - mean) / error).max() < 4.5
    observed = ~data.missing
    assert (moving[:, observed] == data.values[observed]).all()


def test_the_mean_given_one_observed_value_is_that_of_the_textbook() -> None:
    """Two occasions: mu2 + rho s2/s1 (y1 - mu1), variance s2^2 (1 - rho^2)."""
    data = Repeated(
        np.array([[10.0, np.nan], [9.0, 12.0]]), np.array([0, 0]), np.empty((2, 0)), np.array([1.0, 2.0]), "factor"
    )
    model = Model(np.array([[8.0, 11.0]]), np.array([[[4.0, 3.0], [3.0, 9.0]]]), np.array([True]))
    assert filled(data, model, np.zeros((1, 2, 2)), "mar", None)[0, 0, 1] == pytest.approx(11 + 0.5 * 3 / 2 * (10 - 8))
    chance = np.zeros((1, 2, 2))
    chance[0, 0, 1] = 1.0
    up = filled(data, model, chance, "mar", None)[0, 0, 1] - (11 + 0.5 * 3 / 2 * 2)
    assert up**2 == pytest.approx(9 * (1 - 0.25))


def test_jumping_and_copying_as_their_authors_describe_them() -> None:
    """Carpenter, Roger and Kenward (2013): who did better than the reference by 6 until they dropped out is imputed at
    the reference's mean, less 0 under jump to reference beyond what they deviate from their own arm, and keeps under
    copy reference what the regression makes of 6. The reference arm itself is imputed at random under each."""
    arms = np.array([0, 0, 1, 1])
    values = np.array([[34.0, np.nan], [33.0, 32.0], [40.0, np.nan], [41.0, 40.0]])
    data = Repeated(values, arms, np.empty((4, 0)), np.array([1.0, 2.0]), "factor")
    sigma = np.array([[[8.0, 4.0], [4.0, 8.0]]])
    model = Model(np.array([[34.0, 33.0, 40.0, 39.0]]), sigma, np.array([True]))
    nothing = np.zeros((1, 4, 2))
    at_random = filled(data, model, nothing, "mar", None)[0]
    jumping = filled(data, model, nothing, "jump_to_reference", 1)[0]
    copying = filled(data, model, nothing, "copy_reference", 1)[0]
    assert (at_random[0, 1], jumping[0, 1], copying[0, 1]) == pytest.approx((33.0, 39.0, 39.0 - 0.5 * 6))
    assert at_random[2, 1] == jumping[2, 1] == copying[2, 1] == pytest.approx(39.0)


@pytest.mark.parametrize(
    ("estimate", "day"), [("mean", "linear"), ("mean", "factor"), ("last", "factor"), ("trend", "linear")]
)
def test_with_nothing_missing_the_estimates_are_those_of_the_mixed_model(estimate, day) -> None:  # type: ignore[no-untyped-def]
    """And of least squares on the participants' means, last values or slopes, which are the same then."""
    data = trial(4, missing=0.0)
    data = Repeated(np.where(data.missing, 44.0, data.values), data.arms, data.covariates, data.times, day)
    weights = summary_weights(data.times, estimate)
    found = compare(np.repeat(data.values[None], 2, axis=0), data, weights, PAIRS, NAMES)
    numbers = data.values @ weights
    x = np.column_stack([data.arms[:, None] == np.arange(3), data.covariates]).astype(float)
    for (a, b), one in zip(PAIRS, found, strict=True):
        contrast = np.zeros(4)
        contrast[[a, b]] = 1, -1
        t = sm.OLS(numbers, x).fit().t_test(contrast)
        assert one.value == pytest.approx(float(t.effect[0]))
        assert one.se == pytest.approx(float(np.squeeze(t.sd)))
    if estimate != "mean" or day != "factor":
        return
    frame = table_of(data)
    fit = fit_mixed(build(frame, "value", ["baseline", "arm", "day"], participant="person", occasion="day"))
    assert found[0].value == pytest.approx(-fit.coefficient("arm[b]").value, rel=1e-6)
    assert found[0].se == pytest.approx(fit.coefficient("arm[b]").se, rel=1e-6)


def table_of(data: Repeated) -> pd.DataFrame:
    count, days = data.values.shape
    return pd.DataFrame(
        {
            "value": data.values.ravel(),
            "arm": np.array(["a", "b", "c"])[np.repeat(data.arms, days)],
            "day": np.array([f"d{day}" for day in range(days)])[np.tile(np.arange(days), count)],
            "baseline": np.repeat(data.covariates[:, 0], days),
            "person": np.repeat(np.arange(count), days),
        }
    )


def test_imputing_at_random_agrees_with_the_likelihood_analysis() -> None:
    """On a simulated data set with dropout that depends on the values seen, the estimates differ by no more than the
    Monte-Carlo error of the imputations (an eighth of a standard error here), and so do the standard errors."""
    data = trial(5, n=60, missing=0.15)
    assert 0.2 < data.missing.mean() < 0.4
    imputer = Imputer(data, "intercept", imputations=400, rng=np.random.default_rng(6))
    found = compare(imputer.imputed("mar"), data, summary_weights(data.times, "mean"), PAIRS, NAMES)
    design = build(table_of(data), "value", ["baseline", "arm", "day"], participant="person", occasion="day")
    likelihood = fit_mixed(design)
    for one, weights in zip(found, ({"arm[b]": -1}, {"arm[c]": -1}, {"arm[b]": 1, "arm[c]": -1}), strict=True):
        row = [weights.get(name, 0) for name in likelihood.names]
        other = likelihood.estimate(row, "x")
        assert abs(one.value - other.value) < other.se / 8
        assert one.se == pytest.approx(other.se, rel=0.08)
    # Whoever is seen at all times did better than those who were lost; the imputations know it from what they saw.
    whole = ~data.missing.any(axis=1)
    assert data.values[whole].mean() < imputer.imputed("mar").mean() - 0.4


def test_intervals_cover_the_difference_as_often_as_they_say() -> None:
    """80 trials of 30 with a quarter of the values missing at random: 95 % intervals hold the true difference of 3
    within four Monte-Carlo standard errors of 95 %, and the estimate is not biased."""
    inside, estimates = 0, []
    for seed in range(80):
        data = trial(1000 + seed, n=30, days=3, missing=0.1)
        imputer = Imputer(data, "intercept", imputations=10, rng=np.random.default_rng(seed))
        one = compare(imputer.imputed("mar"), data, summary_weights(data.times, "mean"), [(1, 0)], ["x"])[0]
        inside += one.low <= 3.0 <= one.high
        estimates.append(one.value)
    assert abs(inside / 80 - 0.95) < 4 * (0.95 * 0.05 / 80) ** 0.5
    assert abs(np.mean(estimates) - 3.0) < 4 * np.std(estimates) / 80**0.5


def shortened(data: Repeated, days: int, people: int) -> Repeated:
    """The same, when the first `people` were only ever to be measured on the first `days` occasions."""
    expected = np.ones(data.values.shape, dtype=bool)
    expected[:people, days:] = False
    values = np.where(expected, data.values, np.nan)
    return Repeated(values, data.arms, data.covariates, data.times, data.day, expected)


@pytest.mark.parametrize("estimate", ["mean", "last", "trend"])
def test_what_was_never_to_be_measured_is_not_imputed_and_in_no_number(estimate) -> None:  # type: ignore[no-untyped-def]
    """With every value there that was to be measured, each assumption says what least squares say of the participants'
    own numbers, adjusted for the days that they had."""
    whole = trial(14, missing=0.0)
    data = shortened(
        Repeated(np.where(whole.missing, 44.0, whole.values), whole.arms, whole.covariates, whole.times), 2, 18
    )
    assert not data.missing.any()
    assert not data.dropped.any()
    imputer = Imputer(data, "intercept", imputations=4, rng=np.random.default_rng(1))
    weights = own_weights(data.times, estimate, data.due)
    shift = np.full(data.values.shape, 100.0) * ~data.due
    numbers, rows = [], []
    for person, own in enumerate(data.values):
        seen = own[~np.isnan(own)]
        if estimate == "last" and len(seen) < 4:
            continue
        made = {"mean": seen.mean(), "last": seen[-1], "trend": np.polyfit(np.arange(len(seen)), seen, 1)[0]}
        numbers.append(made[estimate])
        version = [] if estimate == "last" else [float(len(seen) < 4)]
        rows.append([*(data.arms[person] == np.arange(3)), data.covariates[person, 0], *version])
    t = sm.OLS(numbers, np.array(rows, dtype=float)).fit()
    for assumption in ("mar", "jump_to_reference", "copy_reference"):
        complete = imputer.imputed(assumption, 0)
        assert np.isnan(complete[:, ~data.due]).all()
        found = compare(complete, data, weights, [(1, 0)], ["x"], delta=shift)[0]
        assert found.value == pytest.approx(t.params[1] - t.params[0])
        assert found.se == pytest.approx(float(np.squeeze(t.t_test([-1, 1, *[0] * (len(rows[0]) - 2)]).sd)))


def test_who_leaves_a_shorter_version_drops_out_of_its_days_only() -> None:
    data = shortened(trial(15, missing=0.0), 3, 10)
    data.values[:] = np.where(data.due, 40.0, np.nan)
    data.values[0, 1:] = np.nan
    data.values[20, 1:] = np.nan
    assert data.dropped[0].tolist() == [False, True, True, False]
    assert data.dropped[20].tolist() == [False, True, True, True]
    assert not np.delete(data.dropped, [0, 20], axis=0).any()
    coefficients = np.array([[*[40.0] * 4, *[30.0] * 4, *[20.0] * 4, 0.0]])
    # The first is of arm 0, the other of arm 2, which is the reference: copied is the whole course of the first alone.
    copied = means(data, coefficients, "copy_reference", 2)[0]
    assert copied[0].tolist() == [20.0] * 4
    assert copied[1:3, 0].tolist() == [30.0, 20.0]


def test_intervals_cover_also_where_some_were_to_have_fewer_days() -> None:
    """As above, with four days of which the first half of the participants had two, and values that fall from day to
    day: which days somebody had is not taken for a difference between arms."""
    inside, estimates = 0, []
    for seed in range(80):
        whole = trial(2000 + seed, n=36, missing=0.1)
        falling = Repeated(whole.values - 6 * whole.times, whole.arms, whole.covariates, whole.times)
        data = shortened(falling, 2, 18)
        imputer = Imputer(data, "intercept", imputations=10, rng=np.random.default_rng(seed))
        weights = own_weights(data.times, "mean", data.due)
        one = compare(imputer.imputed("mar"), data, weights, [(1, 0)], ["x"])[0]
        inside += one.low <= 3.0 <= one.high
        estimates.append(one.value)
    assert abs(inside / 80 - 0.95) < 4 * (0.95 * 0.05 / 80) ** 0.5
    assert abs(np.mean(estimates) - 3.0) < 4 * np.std(estimates) / 80**0.5


def test_references_draw_the_arms_together_and_deltas_move_them_apart() -> None:
    data = trial(7, n=60, effects=(0.0, 8.0, 8.0))
    imputer = Imputer(data, "unstructured", imputations=60, rng=np.random.default_rng(8))
    weights = summary_weights(data.times, "last")
    at_random, jumping, copying = (
        compare(imputer.imputed(name, 0), data, weights, [(1, 0)], ["x"])[0]  # type: ignore[arg-type]
        for name in ("mar", "jump_to_reference", "copy_reference")
    )
    assert jumping.value < copying.value < at_random.value
    shift = np.where(data.missing & (data.arms == 1)[:, None], 5.0, 0.0)
    moved = compare(imputer.imputed("mar"), data, weights, [(1, 0)], ["x"], delta=shift)[0]
    lost = data.missing[:, -1] & (data.arms == 1)
    x = np.column_stack([data.arms[:, None] == np.arange(3), data.covariates]).astype(float)
    of_shift = np.linalg.lstsq(x, 5.0 * lost, rcond=None)[0]
    assert moved.value - at_random.value == pytest.approx(of_shift[1] - of_shift[0])
    assert moved.value > at_random.value + 1


def test_the_same_seed_gives_the_same_numbers() -> None:
    data = trial(9)
    one, other = (Imputer(data, "slope", imputations=5, rng=np.random.default_rng(1)).imputed() for _ in range(2))
    assert (one == other).all()


def test_a_course_that_is_a_line_goes_on_as_a_line() -> None:
    data = trial(10)
    linear = Repeated(data.values, data.arms, data.covariates, data.times, "linear")
    coefficients = np.array([[40.0, -2.0, 30.0, 1.0, 20.0, 0.0, 0.0]])
    found = means(linear, coefficients, "mar", None)[0]
    assert found[0] == pytest.approx(40 - 2 * (TIMES - 2.5))
    assert found[1] == pytest.approx(30 + 1 * (TIMES - 2.5))


def test_what_cannot_be_imputed_is_refused_in_words() -> None:
    rng = np.random.default_rng(1)
    data = trial(11)
    data.values[data.arms == 2] = np.nan
    with pytest.raises(CannotEstimate, match="arm has no value"):
        Imputer(data, "intercept", imputations=5, rng=rng)
    data = trial(12, n=9)
    data.values[data.arms == 1, 3] = np.nan
    with pytest.raises(CannotEstimate):
        Imputer(data, "intercept", imputations=5, rng=rng)
    data = trial(13)
    with pytest.raises(CannotEstimate, match="no reference"):
        Imputer(data, "intercept", imputations=2, rng=rng).imputed("jump_to_reference")
    with pytest.raises(CannotEstimate, match="one occasion"):
        summary_weights(np.array([1.0]), "trend")

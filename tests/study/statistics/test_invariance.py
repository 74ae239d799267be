"""What must not matter doesn't, and where two models are one they agree."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from study.statistics.ancova import fit_ancova
from study.statistics.fit import Fit
from study.statistics.means import weights
from study.statistics.mixed import fit_mixed
from study.statistics.repeated import fit_repeated
from tests.study.statistics.diaries import design, diary

FITS = {
    "intercept": lambda made: fit_mixed(made, "intercept"),
    "slope": lambda made: fit_mixed(made, "slope", df="satterthwaite"),
    "slope, kenward-roger": lambda made: fit_mixed(made, "slope"),
    "unstructured": lambda made: fit_repeated(made, "unstructured"),
    "ar1": lambda made: fit_repeated(made, "ar1"),
    "compound_symmetry": lambda made: fit_repeated(made, "compound_symmetry", df="satterthwaite"),
}
seeds = st.integers(0, 10_000)
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def numbers(fit: Fit, per: float = 1.0) -> list[float]:
    """Estimates and standard errors in units of `per`, degrees of freedom, the chat's and the trend's test."""
    rows = [fit.coefficient(name) for name in fit.names if name != "(Intercept)"]
    tests = list(fit.f_test(fit.term("arm:day")))
    return [x for one in rows for x in (one.value / per, one.se / per, one.df)] + tests


def same(one: Fit, other: Fit, per: float = 1.0) -> None:
    assert numbers(one, per) == pytest.approx(numbers(other), rel=1e-5, abs=1e-7)
    assert one.singular == other.singular


@pytest.mark.parametrize("model", FITS)
@few
@given(seed=seeds)
def test_the_order_of_rows_and_the_names_of_participants_do_not_matter(model: str, seed: int) -> None:
    frame = diary(seed, participants=24, days=4, slope=0.5, missing=0.1)
    shuffled = frame.sample(frac=1, random_state=seed)
    names = {old: f"{(7 * place) % 24:03}" for place, old in enumerate(dict.fromkeys(frame["participant"]))}
    shuffled["participant"] = shuffled["participant"].map(names)
    fit = FITS[model]
    same(fit(design(frame)), fit(design(shuffled)))


@pytest.mark.parametrize("model", FITS)
@few
@given(seed=seeds, scale=st.sampled_from([1e-6, 0.1, 7.0, 1e6]), shift=st.sampled_from([0.0, -3.0, 1e4]))
def test_the_unit_of_the_outcome_and_where_it_begins_do_not_matter(
    model: str, seed: int, scale: float, shift: float
) -> None:
    frame = diary(seed, participants=24, days=4, slope=0.5, missing=0.1)
    other = frame.assign(y=(frame["y"] + shift) * scale)
    fit = FITS[model]
    same(fit(design(other)), fit(design(frame)), per=scale)


@few
@given(seed=seeds)
def test_when_the_days_are_counted_from_does_not_matter(seed: int) -> None:
    frame = diary(seed, participants=24, slope=0.5, missing=0.1)
    late = frame.assign(day=(frame["day"] + 100) / 7)
    rows = []
    for table in (frame, late):
        made = design(table)
        fit = fit_mixed(made, "slope")
        day = made.times[-1]
        row = weights(made, {"arm": "robot", "day": day}) - weights(made, {"arm": "chat", "day": day})
        one = fit.estimate(row, "robot - chat")
        rows.append((one.value, one.se, one.df))
    assert rows[0] == pytest.approx(rows[1], rel=1e-5)


@few
@given(seed=seeds)
def test_compound_symmetry_is_a_random_intercept_where_participants_are_alike_within(seed: int) -> None:
    made = design(diary(seed, missing=0.15))
    repeated = fit_repeated(made, "compound_symmetry", df="satterthwaite")
    assume(repeated.variances["correlation"] > 0.01)
    mixed = fit_mixed(made, "intercept", df="satterthwaite")
    same(mixed, repeated)
    assert mixed.loglik == pytest.approx(repeated.loglik)
    assert mixed.icc == pytest.approx(repeated.icc)
    assert mixed.within == pytest.approx(repeated.within, rel=1e-5)


@pytest.mark.parametrize("random", ["intercept", "slope"])
def test_where_participants_do_not_differ_a_mixed_model_is_least_squares(random: str) -> None:
    # The participants' effects are taken out, so that their variance is estimated as 0.
    frame = diary(5, participants=18, days=6, intercept=0)
    frame["y"] -= frame.groupby("participant")["y"].transform("mean")
    if random == "slope":
        day = frame["day"] - frame["day"].mean()
        trend = (frame["y"] * day).groupby(frame["participant"]).transform("sum") / (day**2).sum() * 18
        frame["y"] -= trend * day
    made = design(frame)
    fit = fit_mixed(made, random, df="satterthwaite")  # type: ignore[arg-type]
    plain = fit_ancova(made)
    assert fit.singular
    assert fit.variances["intercept"] == pytest.approx(0, abs=1e-12)
    assert fit.variances["residual"] == pytest.approx(plain.variances["residual"])
    for name in fit.names:
        one, other = fit.coefficient(name), plain.coefficient(name)
        assert (one.value, one.se, one.df) == pytest.approx((other.value, other.se, other.df), rel=1e-6, abs=1e-9)


@few
@given(seed=seeds)
def test_of_complete_data_the_difference_of_two_arms_is_students_t_of_participants_means(seed: int) -> None:
    frame = diary(seed, participants=14, arms=("robot", "chat"))
    means = frame.groupby(["arm", "participant"])["y"].mean()
    t = stats.ttest_ind(means["chat"], means["robot"])
    for df in ("kenward-roger", "satterthwaite"):
        for fit in (
            fit_mixed(design(frame, "arm", "day"), "intercept", df=df),  # type: ignore[arg-type]
            fit_repeated(design(frame, "arm", "day"), "compound_symmetry", df=df),  # type: ignore[arg-type]
        ):
            one = fit.coefficient("arm[chat]")
            if not fit.singular:
                assert (one.statistic, one.df, one.p) == pytest.approx((t.statistic, 12, t.pvalue), rel=1e-5)


@pytest.mark.parametrize("model", FITS)
def test_the_residuals_that_the_model_makes_independent_have_variance_1(model: str) -> None:
    made = design(diary(3, participants=30, slope=0.4, missing=0.1))
    fit = FITS[model](made)
    # At the maximum of the restricted likelihood the weighted sum of squares is n - p.
    assert (fit.standardised**2).sum() == pytest.approx(fit.n_values - len(fit.names), rel=1e-6)
    assert fit.fitted + fit.residuals == pytest.approx(made.values)

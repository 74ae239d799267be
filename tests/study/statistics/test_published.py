"""What others published of the same data with another program is what we find, to the last digit that they print."""

import numpy as np
import pytest

from benchmarks.validation import table
from study.statistics.design import Design, build
from study.statistics.fit import Fit
from study.statistics.mixed import fit_mixed
from study.statistics.repeated import fit_repeated


def shown(value: float, published: str) -> bool:
    """Whether the value, rounded to the digits of the published one, is that one."""
    decimals = len(published.partition(".")[2])
    return abs(value - float(published)) <= 1.0000001 * 10**-decimals / 2


def agree(fit: Fit, published: dict[str, tuple[str, str]]) -> None:
    assert list(fit.names) == list(published)
    for name, (value, se) in published.items():
        estimate = fit.coefficient(name)
        assert shown(estimate.value, value), (name, estimate.value, value)
        assert not se or shown(estimate.se, se), (name, estimate.se, se)


def children(*terms: str, age: bool = False) -> Design:
    factors: dict[str, list[object]] = {"Sex": ["Male", "Female"]} | ({"age": [8, 10, 12, 14]} if age else {})
    return build(table("Orthodont"), "distance", terms, participant="Subject", occasion="age", factors=factors)


def test_beat_the_blues_as_in_the_handbook_of_statistical_analyses_using_r() -> None:
    # Everitt and Hothorn (2006), A Handbook of Statistical Analyses Using R, chapter 10, by lme4.
    design = build(
        table("btheb"),
        "bdi",
        ["bdi.pre", "time", "treatment", "drug", "length"],
        participant="subject",
        occasion="time",
        factors={"treatment": ["TAU", "BtheB"], "drug": ["No", "Yes"], "length": ["<6m", ">6m"]},
    )
    fit = fit_mixed(design, "intercept", df="satterthwaite")
    assert (fit.n_values, fit.n_participants) == (280, 97)
    agree(
        fit,
        {
            "(Intercept)": ("5.9215", ""),
            "bdi.pre": ("0.6389", ""),
            "time": ("-0.7135", "0.1466"),
            "treatment[BtheB]": ("-2.3590", "1.7084"),
            "drug[Yes]": ("-2.7889", ""),
            "length[>6m]": ("0.2381", ""),
        },
    )
    assert shown(fit.variances["intercept"], "51.4")
    assert shown(fit.variances["residual"], "25.3")


def test_reaction_times_under_lack_of_sleep_as_in_the_paper_on_lme4() -> None:
    # Bates, Maechler, Bolker and Walker (2015), J Stat Softw 67(1), section 5.2.
    design = build(table("sleepstudy"), "Reaction", ["Days"], participant="Subject", occasion="Days")
    fit = fit_mixed(design, "slope")
    agree(fit, {"(Intercept)": ("251.405", "6.825"), "Days": ("10.467", "1.546")})
    published = {"slope": "35.07", "correlation": "0.066", "residual": "654.94"}
    assert fit.variances["intercept"] == pytest.approx(612.10, abs=0.02)  # lme4 stops a little before the maximum
    assert all(shown(fit.variances[name], value) for name, value in published.items())
    assert shown(-2 * fit.loglik, "1743.6")
    # Balanced, so that Kenward and Roger's degrees of freedom are those of 18 participants' slopes.
    assert fit.coefficient("Days").df == pytest.approx(17)


def test_growth_of_children_as_in_pinheiro_and_bates() -> None:
    # Pinheiro and Bates (2000), Mixed-Effects Models in S and S-PLUS, section 4.2, by nlme.
    slope = fit_mixed(children("age"), "slope", df="satterthwaite")
    agree(slope, {"(Intercept)": ("16.7611", "0.77525"), "age": ("0.6602", "0.07125")})
    assert (shown(slope.aic, "454.64"), shown(slope.loglik, "-221.32")) == (True, True)
    assert shown(slope.variances["intercept"] ** 0.5, "2.32704")
    assert shown(slope.variances["slope"] ** 0.5, "0.22643")
    assert shown(slope.variances["correlation"], "-0.609")
    assert shown(slope.variances["residual"] ** 0.5, "1.31004")
    sex = fit_mixed(children("age", "Sex"), "intercept", df="satterthwaite")
    agree(
        sex,
        {"(Intercept)": ("17.7067", "0.83392"), "age": ("0.6602", "0.06161"), "Sex[Female]": ("-2.3210", "0.76142")},
    )
    assert (shown(sex.aic, "447.51"), shown(sex.loglik, "-218.76")) == (True, True)
    assert shown(sex.variances["intercept"] ** 0.5, "1.80742")
    assert shown(sex.variances["residual"] ** 0.5, "1.43159")


@pytest.mark.parametrize(
    ("model", "deviance", "parameters"),
    [
        ("unstructured means, unstructured", "416.509", 18),
        ("two lines, unstructured", "419.477", 14),
        ("parallel lines, unstructured", "426.153", 13),
        ("two lines, ar1", "440.681", 6),
        ("two lines, slope", "427.806", 8),
        ("two lines, compound_symmetry", "428.639", 6),
    ],
)
def test_growth_of_children_by_maximum_likelihood_as_in_verbeke_and_molenberghs(
    model: str, deviance: str, parameters: int
) -> None:
    # Verbeke and Molenberghs (2000), Linear Mixed Models for Longitudinal Data, chapter 17, by SAS PROC MIXED; the
    # same models in Jennrich and Schluchter (1986), Biometrics 42:805.
    means, covariance = model.split(", ")
    terms = ("age", "Sex") if means == "parallel lines" else ("age", "Sex", "age:Sex")
    design = children(*terms, age=means == "unstructured means")
    if covariance == "slope":
        fit = fit_mixed(design, "slope", df="satterthwaite", method="ml")
    else:
        fit = fit_repeated(design, covariance, df="satterthwaite", method="ml")  # type: ignore[arg-type]
    assert shown(-2 * fit.loglik, deviance)
    assert fit.aic == pytest.approx(-2 * fit.loglik + 2 * parameters)


def test_growth_of_children_as_in_the_documentation_of_sas() -> None:
    # SAS/STAT User's Guide, The MIXED Procedure, example "Repeated Measures".
    design = children("Sex", "age", "age:Sex")
    fit = fit_repeated(design, "unstructured", df="satterthwaite", method="ml")
    agree(
        fit,
        {
            "(Intercept)": ("15.8423", "0.9356"),
            "Sex[Female]": ("1.5831", "1.4658"),
            "age": ("0.8268", "0.07911"),
            "age:Sex[Female]": ("-0.3504", "0.1239"),
        },
    )
    published = ["5.1192", "2.4409", "3.9279", "3.6105", "2.7175", "5.9798", "2.5222", "3.0624", "3.8235", "4.6180"]
    found = fit.within[np.tril_indices(4)]
    assert found == pytest.approx([float(one) for one in published], abs=1e-4)  # where SAS stopped


def test_of_complete_data_with_an_unstructured_covariance_the_test_is_hotellings() -> None:
    # Kenward and Roger (1997) chose their F so that it is exact where Hotelling's T squared is.
    fit = fit_repeated(children("age", "Sex", "age:Sex", age=True), "unstructured")
    f, df1, df2, _ = fit.f_test(fit.term("age:Sex"))
    wide = table("Orthodont").pivot_table(index=["Sex", "Subject"], columns="age", values="distance", observed=True)
    change = np.diff(wide.to_numpy(), axis=1)
    boys = change[wide.index.get_level_values("Sex") == "Male"]
    girls = change[wide.index.get_level_values("Sex") == "Female"]
    n, m, q = len(boys), len(girls), 3
    pooled = ((n - 1) * np.cov(boys.T) + (m - 1) * np.cov(girls.T)) / (n + m - 2)
    apart = boys.mean(axis=0) - girls.mean(axis=0)
    t2 = n * m / (n + m) * apart @ np.linalg.solve(pooled, apart)
    assert (df1, df2) == (q, pytest.approx(n + m - 2 - q + 1))
    assert f == pytest.approx(t2 * (n + m - 2 - q + 1) / ((n + m - 2) * q))

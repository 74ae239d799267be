"""Comparisons as tables and as sentences, the same for the primary and the secondary outcomes.

Only a contrast between arms makes a sentence about a difference. An interval that includes 0 is said to leave the
question open, never to show that arms are alike.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from study.analysis.compare import Comparison, Contrast
from study.analysis.results import INTERVAL, Cell, Column, Table, cell
from study.report.numbers import interval, number, p_value
from study.statistics.estimate import Estimate

__all__ = [
    "contrast_table",
    "contrast_words",
    "means_table",
    "residual_table",
    "test_table",
    "variance_table",
]

OUTCOME = Column("outcome", "Outcome")

TESTED = (
    Column("se", "SE", "number"),
    Column("df", "df", "number", 1),
    Column("t", "t", "number"),
    Column("p", "p", "p"),
)


def tested(found: Estimate) -> tuple[Cell, ...]:
    """The cells of `TESTED`."""
    return cell(found.se), cell(found.df), cell(found.statistic), cell(found.p)


def contrast_table(name: str, title: str, comparisons: Sequence[Comparison], adjusted_by: str) -> Table:
    """One row for each contrast of each outcome."""
    columns = (
        OUTCOME,
        Column("arm", "Arm"),
        Column("compared_with", "minus"),
        Column("difference", "Difference", "number"),
        *INTERVAL,
        *TESTED,
        Column("p_adjusted", "p, adjusted", "p"),
        Column("standardised", "Standardised", "number"),
        Column("standardised_low", "from", "number"),
        Column("standardised_high", "to", "number"),
    )
    rows = []
    for each in comparisons:
        for one in each.contrasts:
            found, sds = one.estimate, one.standardised
            numbers = (found.value, found.low, found.high, found.se, found.df, found.statistic, found.p, one.p_adjusted)
            in_sds = (sds.value, sds.low, sds.high) if sds else (math.nan,) * 3
            rows.append((each.title, *one.arms, *map(cell, (*numbers, *in_sds))))
    models = dict.fromkeys(
        f"{each.title}, in {each.values.unit}: {each.how}; {each.compares}{_unit_of_sd(each)}." for each in comparisons
    )
    note = (
        f"{' '.join(models)} Intervals are of {_level(comparisons)}, not adjusted for multiplicity; adjusted p: "
        f"{adjusted_by}."
    )
    return Table(name, title, columns, tuple(rows), note)


def _unit_of_sd(each: Comparison) -> str:
    if not each.unit > 0:
        return ""
    return f"; standardised by the standard deviation {each.unit_of} within arms, {number(each.unit)} points"


def _level(comparisons: Sequence[Comparison]) -> str:
    levels = [one.estimate.level for each in comparisons for one in each.contrasts]
    return f"{100 * levels[0]:g}%" if levels else "95%"


def means_table(name: str, title: str, comparisons: Sequence[Comparison]) -> Table:
    """One row for each arm of each outcome: what was observed, and what the model says."""
    columns = (
        OUTCOME,
        Column("arm", "Arm"),
        Column("participants", "Participants", "count"),
        Column("with_values", "with values", "count"),
        Column("values", "Values", "count"),
        Column("observed_mean", "Observed mean", "number"),
        Column("observed_sd", "SD", "number"),
        Column("mean", "Adjusted mean", "number"),
        Column("se", "SE", "number"),
        Column("df", "df", "number", 1),
        *INTERVAL,
    )
    rows = []
    for each in comparisons:
        for arm, own in each.frame.groupby("arm", observed=False):
            present = own[own["value"].notna()]
            sd = float(present["value"].std()) if len(present) > 1 else math.nan
            head = (each.title, str(arm), own["participant"].nunique(), present["participant"].nunique(), len(present))
            observed = (cell(float(present["value"].mean())) if len(present) else None, cell(sd))
            mean = each.means.get(str(arm))
            model = (mean.value, mean.se, mean.df, mean.low, mean.high) if mean else (math.nan,) * 5
            rows.append((*head, *observed, *map(cell, model)))
    note = "Adjusted means are for average baselines and, of covariates, for their levels in equal parts."
    return Table(name, title, columns, tuple(rows), note)


def test_table(name: str, title: str, comparisons: Sequence[Comparison]) -> Table:
    """Tests of several contrasts at once."""
    columns = (
        OUTCOME,
        Column("test", "Test"),
        Column("f", "F", "number"),
        Column("df1", "df", "number", 0),
        Column("df2", "df of the error", "number", 1),
        Column("p", "p", "p"),
    )
    words = {"arms": "any difference between the arms", "arm x day": "arms differ in their course over the days"}
    rows = tuple(
        (each.title, words[one.name], cell(one.statistic), cell(one.df1), cell(one.df2), cell(one.p))
        for each in comparisons
        for one in each.tests
    )
    return Table(name, title, columns, rows, "Not adjusted for multiplicity.")


def variance_table(name: str, title: str, comparisons: Sequence[Comparison]) -> Table:
    """The parameters of the covariance, and the ICC where the model has one."""
    rows: list[tuple[Cell, ...]] = []
    for each in comparisons:
        shown = {name: value for name, value in each.fit.variances.items() if not name.startswith("covariance[")}
        if len(shown) < len(each.fit.variances):  # unstructured: as many covariances as there are pairs of days
            sd = np.sqrt(np.diag(each.fit.within))
            apart = np.tril_indices(len(sd), -1)
            shown["mean correlation of two days"] = float((each.fit.within / np.outer(sd, sd))[apart].mean())
        if each.fit.icc is not None:
            shown["intraclass correlation"] = each.fit.icc
        restricted = each.values.repeated and each.model != "ancova"
        shown["restricted log-likelihood" if restricted else "log-likelihood"] = each.fit.loglik
        rows += [(each.title, name, cell(value)) for name, value in shown.items()]
    columns = (OUTCOME, Column("component", "Component"), Column("value", "Value", "number", 3))
    note = "Variances are in squared points; a slope is over one day, and the intercept is that of day 0."
    return Table(name, title, columns, tuple(rows), note)


def residual_table(name: str, title: str, comparisons: Sequence[Comparison]) -> Table:
    """How the standardised residuals are spread, next to what a normal distribution would give."""
    columns = (
        OUTCOME,
        Column("n", "Residuals", "count"),
        Column("skewness", "Skewness", "number"),
        Column("kurtosis", "Excess kurtosis", "number"),
        Column("beyond_3", "beyond 3 SD", "count"),
        Column("largest", "largest", "number"),
        Column("shapiro_w", "Shapiro-Wilk W", "number", 3),
        Column("shapiro_p", "p", "p"),
    )
    rows = []
    for each in comparisons:
        found = np.asarray(each.fit.standardised)
        some = len(found) >= 3 and float(np.ptp(found)) > 0
        w, p = stats.shapiro(found) if some and len(found) <= 5000 else (math.nan, math.nan)
        numbers = (stats.skew(found), stats.kurtosis(found)) if some else (math.nan, math.nan)
        beyond = int((np.abs(found) > 3).sum())
        largest = float(np.abs(found).max())
        rows.append((each.title, len(found), *map(cell, map(float, numbers)), beyond, largest, cell(w), cell(p)))
    note = (
        "Residuals made uncorrelated and of variance 1 by the model's covariance. 0.27% of a normal distribution lie "
        "beyond 3 SD. With many residuals the test finds deviations that do no harm: look at the figure."
    )
    return Table(name, title, columns, tuple(rows), note)


def contrast_words(one: Contrast, each: Comparison, alpha: float, multiplicity: str) -> str:
    """What a contrast says, in one sentence."""
    first, second = one.arms
    found = one.estimate
    if not math.isfinite(found.p):
        return f"{first} minus {second} could not be tested: its standard error is no number."
    adjusted = " adjusted by Holm" if multiplicity == "holm" else ""
    said = (
        f"{number(found.value)} points ({100 * found.level:g}% interval {interval(found.low, found.high)}; "
        f"{p_value(one.p_adjusted, alone=True)}{adjusted})"
    )
    if one.p_adjusted < alpha:
        side = "higher" if found.value > 0 else "lower"
        return f"{first} and {second} differ: {first} minus {second} is {said}; {each.compares} is {side} in {first}."
    if found.low <= 0 <= found.high:
        rest = f"The data are compatible with anything from {interval(found.low, found.high)} points."
    else:
        rest = "The interval, which is not adjusted for the number of contrasts, leaves 0 out."
    return f"No difference between {first} and {second} is shown: {first} minus {second} is {said}. {rest}"

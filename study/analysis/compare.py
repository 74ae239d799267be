"""The comparison of the arms on one outcome: the plan's model, its means by arm, and its contrasts between arms.

A contrast between arms is the only thing here that says whether arms differ. Missing baselines are put at the mean of
all participants, so that everybody who has a value of the outcome counts: with a baseline from before the allocation
that leaves the comparison unbiased (White and Thompson 2005, Stat Med 24:993).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.analysis.outcomes import Values
from study.errors import CannotEstimate
from study.grammar import Analysis
from study.statistics.ancova import fit_ancova
from study.statistics.design import Design, build
from study.statistics.effect import observed_sd, standardised
from study.statistics.estimate import Estimate, holm
from study.statistics.fit import Fit
from study.statistics.means import weights
from study.statistics.mixed import fit_mixed
from study.statistics.repeated import fit_repeated

__all__ = [
    "COVARIANCES",
    "Comparison",
    "Contrast",
    "Model",
    "adjusted",
    "certain",
    "compare",
    "pairs",
    "planned_model",
    "prepared",
]

Model = Literal["mixed", "mmrm", "ancova"]

COVARIANCES = {
    "unstructured": "unstructured",
    "ar1": "first-order autoregressive",
    "compound_symmetry": "compound symmetry",
}
"""Those of repeated measures, in words."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """One arm minus another."""

    arms: tuple[str, str]
    estimate: Estimate
    """In the units of the outcome."""
    standardised: Estimate | None
    """In standard deviations; None where there is none."""
    p_adjusted: float
    """After Holm within its family; the plain p value where the plan adjusts none."""


@dataclass(frozen=True, slots=True)
class Test:
    """That several contrasts are all 0."""

    name: str
    statistic: float
    df1: float
    df2: float
    p: float


@dataclass(frozen=True)
class Comparison:
    """What a model says of an outcome."""

    values: Values
    frame: pd.DataFrame
    """The rows of the outcome that are compared: all, or those of the last day."""
    model: Model
    how: str
    """The model in words: linear mixed model, day as a line, random intercept and slope."""
    compares: str
    """What of the outcome is compared: the mean over days 1 to 15."""
    fit: Fit
    means: dict[str, Estimate]
    """By arm: the estimated marginal means."""
    contrasts: tuple[Contrast, ...]
    tests: tuple[Test, ...]
    sd: float
    """The standard deviation of single values within arms (and days); NaN where there is none."""
    unit: float
    """The standard deviation within arms by which contrasts are standardised; NaN where there is none."""
    unit_of: str
    """Of what it is: of the baseline, or of single values."""
    notes: tuple[str, ...]
    """What somebody has to know: a fallback, arms without values, baselines filled in; a sentence each."""
    fell_back: bool = False
    """Whether the model is not the one that the plan names first."""

    @property
    def title(self) -> str:
        return self.values.title


def planned_model(values: Values, plan: Analysis) -> Model:
    """The model that the plan has for this outcome."""
    return plan.model if values.repeated else "ancova"


def pairs(plan: Analysis, arms: Sequence[str]) -> list[tuple[str, str]]:
    """The contrasts of the plan; all pairs if it names none."""
    return [(one, other) for one, other in plan.contrasts] or list(combinations(arms, 2))


def compare(values: Values, plan: Analysis, model: Model | None = None, *, adjust: bool = True) -> Comparison:
    """The arms compared by `model`, or by that of the plan; without `adjust`, not adjusted for baseline and covariates.

    Raises `CannotEstimate` when fewer than two arms have values, or when the model cannot be fitted.
    """
    model = model or planned_model(values, plan)
    frame, terms, notes = prepared(values) if adjust else (values.frame, [], [])
    fallen: list[str] = []
    days = sorted(frame["day"].unique().tolist()) if values.repeated else []
    seen = sorted(frame.loc[frame["value"].notna(), "day"].unique().tolist()) if days else []
    if values.repeated and model != "ancova" and len(seen) == 1:
        model, days = "ancova", seen
        fallen.append(f"There are values of day {seen[0]} only, so they are compared by analysis of covariance.")
    if values.repeated and model == "ancova":
        frame, days = frame[frame["day"] == days[-1]], days[-1:]
    elif unseen := [day for day in days if day not in seen]:
        if plan.estimate == "last" and seen and unseen[-1] > seen[-1]:
            raise CannotEstimate(f"{values.title}: nobody has a value on day {days[-1]}, which the plan compares.")
        notes.append(f"Nobody has a value on day {', '.join(map(str, unseen))}; {days[-1]} days were planned.")
        days = seen
    known = [arm for arm in frame["arm"].cat.categories if frame.loc[frame["arm"] == arm, "value"].notna().any()]
    if len(known) < 2:
        who = f"Only {known[0]} has" if known else "No arm has"
        when = f" on day {days[0]}" if values.repeated and model == "ancova" else ""
        raise CannotEstimate(f"{values.title}: {who} values{when}, so there is nothing to compare.")
    fit, how, failures = _fit(frame.rename(columns={"value": values.title}), values.title, terms, plan, model)
    fallen += failures
    if fit.singular:
        notes.append("A variance of the random effects, or their correlation, is at its bound (a singular fit).")
    rows = {arm: _row(fit.design, arm, days, plan.estimate if model != "ancova" else "last") for arm in known}
    level = 1 - plan.alpha
    arms = list(frame["arm"].cat.categories)
    unit, whose = _unit(values, frame)
    contrasts = []
    for one, other in pairs(plan, arms):
        if lacking := [arm for arm in (one, other) if arm not in known]:
            notes.append(f"{one} minus {other} cannot be estimated: {lacking[0]} has no values.")
            continue
        found = fit.estimate(rows[one] - rows[other], f"{one} - {other}", level)
        contrasts.append(Contrast((one, other), found, standardised(found, unit) if unit > 0 else None, found.p))
    family = holm([one.estimate.p for one in contrasts]) if plan.multiplicity == "holm" else None
    return Comparison(
        values=values,
        frame=frame,
        model=model,
        how=how,
        compares=_compares(days, plan.estimate if model != "ancova" else "last", values.repeated),
        fit=fit,
        means={arm: fit.estimate(rows[arm], arm, level) for arm in known},
        contrasts=tuple(
            replace(one, p_adjusted=family[place]) if family else one for place, one in enumerate(contrasts)
        ),
        tests=tuple(_tests(fit, rows)),
        sd=_sd(frame),
        unit=unit,
        unit_of=whose,
        notes=(*notes, *fallen),
        fell_back=bool(fallen),
    )


def adjusted(comparisons: Sequence[Comparison], plan: Analysis) -> list[Comparison]:
    """The secondary outcomes, with p values adjusted over the families of the plan."""
    if plan.multiplicity != "holm" or plan.families == "outcome":
        return list(comparisons)
    family = iter(holm([one.estimate.p for each in comparisons for one in each.contrasts]))
    return [
        replace(each, contrasts=tuple(replace(one, p_adjusted=next(family)) for one in each.contrasts))
        for each in comparisons
    ]


def prepared(values: Values) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The frame with missing baselines put at their mean, what to adjust for, and sentences about it."""
    frame = values.frame
    terms: list[str] = []
    notes: list[str] = []
    for name in values.covariates:
        if frame[name].nunique() > 1:
            terms.append(name)
        elif len(frame):
            notes.append(f"All participants have the same {name}, so the model is not adjusted for it.")
    if values.has_baseline:
        each = frame.drop_duplicates("participant")["baseline"]
        lacking = int(each.isna().sum())
        if lacking:
            frame = frame.assign(baseline=frame["baseline"].fillna(float(each.mean())))
            whose = "1 participant has" if lacking == 1 else f"{lacking} participants have"
            notes.append(f"{whose} no baseline; it is put at the mean of all (White and Thompson, 2005).")
        if each.nunique() > 1:
            terms.insert(0, "baseline")
        else:
            notes.append("All baselines are the same, so the model is not adjusted for them.")
    return frame, terms, notes


def _fit(
    frame: pd.DataFrame, outcome: str, terms: list[str], plan: Analysis, model: Model
) -> tuple[Fit, str, list[str]]:
    """The fit, the model in words, and what had to be done otherwise than planned."""
    if model == "ancova":
        return certain(fit_ancova(_design(frame, outcome, [*terms, "arm"], daily=False))), "analysis of covariance", []
    whole = [*terms, "arm", "day", "arm:day"]
    failures: list[str] = []
    if model == "mixed":
        line = plan.day == "linear"
        design = _design(frame, outcome, whole, factor=not line)
        day = "day as a line" if line else "day as a factor"
        choices: list[Literal["intercept", "slope"]] = (
            ["slope", "intercept"] if plan.random == "slope" else ["intercept"]
        )
        for random in choices:
            random_words = "random intercept and slope" if random == "slope" else "random intercept"
            try:
                fit = certain(fit_mixed(design, random=random, df=plan.df))
            except CannotEstimate as error:
                failures.append(f"The model with a {random_words} could not be fitted: {error}")
                continue
            return fit, f"linear mixed model, {day}, {random_words}", failures
    else:
        design = _design(frame, outcome, whole, factor=True)
        for covariance in plan.covariance:
            words = COVARIANCES[covariance]
            try:
                fit = certain(fit_repeated(design, covariance=covariance, df=plan.df))
            except CannotEstimate as error:
                failures.append(f"The model with the covariance {words} could not be fitted: {error}")
                continue
            return fit, f"mixed model for repeated measures, covariance {words}", failures
    raise CannotEstimate(" ".join(failures))


def certain(fit: Fit) -> Fit:
    """The fit. Raises `CannotEstimate` where there is too little to say how uncertain it is."""
    if not np.isfinite(fit.covariance).all() or (np.diag(fit.covariance) < 0).any():
        who = "1 participant is" if fit.n_participants == 1 else f"{fit.n_participants} participants are"
        raise CannotEstimate(f"{who} too few to say how uncertain the means are.")
    return fit


def _design(frame: pd.DataFrame, outcome: str, terms: list[str], *, daily: bool = True, factor: bool = False) -> Design:
    days = {"day": sorted(frame["day"].unique().tolist())} if factor else {}
    return build(frame, outcome, terms, participant="participant", occasion="day" if daily else None, factors=days)


def _row(design: Design, arm: str, days: Sequence[int], estimate: str) -> NDArray[np.float64]:
    """(p,), the weights of what is compared in an arm."""
    if not days or "day" not in {*design.factors, *design.means}:
        return weights(design, {"arm": arm})
    if estimate in ("mean", "last"):
        return weights(design, {"arm": arm, "day": list(days) if estimate == "mean" else days[-1]})
    points = np.array([weights(design, {"arm": arm, "day": day}) for day in days])
    away = np.array(days, dtype=float) - np.mean(days)
    found: NDArray[np.float64] = away @ points / max(float(away @ away), math.ulp(1.0))
    return found


def _compares(days: Sequence[int], estimate: str, repeated: bool) -> str:
    if not repeated:
        return "the value"
    if estimate == "last":
        return f"the value on day {days[-1]}"
    what = "the mean" if estimate == "mean" else "the change a day"
    return f"{what} over days {days[0]} to {days[-1]}"


def _unit(values: Values, frame: pd.DataFrame) -> tuple[float, str]:
    """The standard deviation by which contrasts are standardised, within arms, and of what it is.

    That of the baseline (Feingold 2009, Psychol Methods 14:43), which is between participants and before any treatment;
    without a baseline that of single values.
    """
    if values.has_baseline:
        each = values.frame.loc[frame.drop_duplicates("participant").index]
        try:
            found = observed_sd(each["baseline"], list(each["arm"]))
        except CannotEstimate:
            found = 0.0
        if found > 0:
            return found, "of the baseline"
    return _sd(frame), "of single values"


def _sd(frame: pd.DataFrame) -> float:
    known = frame[frame["value"].notna()]
    cells = [f"{arm} {day}" for arm, day in zip(known["arm"], known.get("day", known["arm"]), strict=True)]
    try:
        return observed_sd(known["value"], cells)
    except CannotEstimate:
        return math.nan


def _tests(fit: Fit, rows: dict[str, NDArray[Any]]) -> Iterator[Test]:
    first, *others = rows.values()
    yield Test("arms", *fit.f_test(np.array([row - first for row in others])))
    if "arm:day" in fit.design.owners:
        yield Test("arm x day", *fit.f_test(fit.term("arm:day")))

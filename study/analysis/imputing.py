"""An outcome of the study, imputed: under the plan's model of it, on the arms and covariates that the analysis has.

The imputation model has the means and, as far as the participants can carry it, the covariance of the planned model,
so that imputing at random says what the likelihood analysis says. Everybody who was allocated to an arm of which there
are values is in it, also who has no value at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.analysis.compare import Comparison, Contrast, pairs, planned_model, prepared
from study.analysis.outcomes import Values
from study.errors import CannotEstimate
from study.grammar import Analysis
from study.statistics.effect import standardised
from study.statistics.estimate import Estimate, holm
from study.statistics.imputation import Assumption, Imputer, Repeated, compare, own_weights
from study.statistics.incomplete import Covariance

__all__ = ["Imputed", "adjusted_of", "columns_of", "imputed", "matrix_of", "models_of", "planned", "reference_of"]

Floats = NDArray[np.float64]

Day = Literal["linear", "factor"]

_WORDS = {
    "slope": "random intercept and slope",
    "intercept": "random intercept",
    "unstructured": "unstructured covariance",
    "ar1": "first-order autoregressive covariance",
    "compound_symmetry": "compound symmetry",
}

_PER_OCCASION = 3
"""An unstructured covariance is imputed from when there are so many participants for each occasion. With fewer, a
bootstrap sample, which has two thirds of the participants, leaves it nearly singular."""


def planned(found: Comparison, plan: Analysis) -> Comparison:
    """`found` with the contrasts that the plan calls its main analysis.

    They are those of the observed values where the plan takes missing ones to be missing at random, or where none is
    missing; otherwise missing values are imputed as the plan says, and the estimates pooled by Rubin's rules. Raises
    `CannotEstimate`.
    """
    if plan.missing == "mar" or not found.values.frame["value"].isna().any():
        return found
    ready = imputed(found.values, plan)
    estimates = ready.contrasts(plan.missing)
    contrasts = tuple(
        Contrast(pair, one, standardised(one, found.unit) if found.unit > 0 else None, p)
        for pair, one, p in zip(ready.pairs, estimates, adjusted_of(estimates, plan), strict=True)
    )
    how = f"missing values imputed under {plan.missing.replace('_', ' ')} ({ready.model}), then analysis of covariance"
    if not ready.fewer:
        return replace(found, contrasts=contrasts, how=how)
    what = {"mean": "the mean over", "trend": "the change a day over"}.get(plan.estimate)
    own = what and found.model != "ancova"
    compares = f"{what} the study days that each participant's version has" if own else found.compares
    return replace(found, contrasts=contrasts, how=how, compares=compares, notes=(*found.notes, ready.fewer))


def adjusted_of(estimates: Sequence[Estimate], plan: Analysis) -> list[float]:
    """Their p values, adjusted as the plan has it for the contrasts of the primary outcome."""
    ps = [one.p for one in estimates]
    return holm(ps) if plan.multiplicity == "holm" else ps


def reference_of(plan: Analysis, arms: tuple[str, ...]) -> str:
    """The arm whose course is copied or jumped to."""
    return plan.reference or pairs(plan, arms)[0][1]


@dataclass(frozen=True)
class Imputed:
    """An outcome with draws of what is missing in it."""

    plan: Analysis
    data: Repeated
    imputer: Imputer
    arms: tuple[str, ...]
    """By their number in `data`."""
    pairs: tuple[tuple[str, str], ...]
    """The contrasts of the plan whose arms both have values."""
    model: str
    """The model from which values are imputed, in words."""
    weights: Floats
    """(N, T): what each participant's number is made with; NaN for who has none."""
    _complete: dict[str, Floats] = field(default_factory=dict)

    @cached_property
    def fewer(self) -> str:
        """A sentence on those who have fewer days than others by their version of the protocol; empty without any."""
        count = int((~self.data.due.all(axis=1)).sum())
        if not count:
            return ""
        out = int(np.isnan(self.weights).any(axis=1).sum())
        who = "1 participant has" if count == 1 else f"{count} participants have"
        said = f"{who} fewer study days than others, by their version of the protocol: nothing is imputed on days that "
        said += "a version does not have, and imputed data are adjusted for the days of the version"
        return f"{said}; {out} of them do not have the last day and are not compared." if out else f"{said}."

    @cached_property
    def names(self) -> list[str]:
        return [f"{one} - {other}" for one, other in self.pairs]

    def complete(self, assumption: Assumption) -> Floats:
        """(M, N, T)."""
        if assumption not in self._complete:
            reference = reference_of(self.plan, self.arms)
            if assumption != "mar" and reference not in {self.arms[one] for one in np.unique(self.data.arms)}:
                raise CannotEstimate(
                    f"The reference arm, {reference}, has no value, so nobody can be imputed as in it."
                )
            number = self.arms.index(reference) if assumption != "mar" else None
            self._complete[assumption] = self.imputer.imputed(assumption, number)
        return self._complete[assumption]

    def contrasts(
        self, assumption: Assumption = "mar", *, arm: str | None = None, delta: float = 0.0
    ) -> list[Estimate]:
        """One estimate for each of `pairs`; what is imputed in `arm` is raised by `delta`."""
        numbers = [(self.arms.index(one), self.arms.index(other)) for one, other in self.pairs]
        moved = None
        if arm is not None:
            moved = np.where(self.data.missing & (self.data.arms == self.arms.index(arm))[:, None], delta, 0.0)
        complete = self.complete(assumption)
        return compare(
            complete, self.data, self.weights, numbers, self.names, level=1 - self.plan.alpha, delta=moved
        )  # fmt: skip


def imputed(values: Values, plan: Analysis) -> Imputed:
    """Ready to be imputed under every assumption, with chance from the plan's seed. Raises `CannotEstimate`."""
    frame, terms, _ = prepared(values)
    arms = tuple(map(str, frame["arm"].cat.categories))
    matrix, times, people, expected = matrix_of(values, frame)
    number = people["arm"].cat.codes.to_numpy()
    model = planned_model(values, plan) if len(times) > 1 else "ancova"
    weights = own_weights(times, plan.estimate if model != "ancova" else "last", expected)
    counted = np.asarray(np.isfinite(weights).all(axis=1))
    known = [
        code for code in range(len(arms)) if np.isfinite(matrix[number == code]).any() and counted[number == code].any()
    ]
    chosen = tuple(pair for pair in pairs(plan, arms) if all(arms.index(arm) in known for arm in pair))
    if not chosen:
        raise CannotEstimate("There are no two arms with values that the plan compares.")
    here = np.isin(number, known)
    covariates = columns_of(people[here], terms, number[here])
    failures = []
    for covariance, day in models_of(values, plan, int(here.sum()), len(times)):
        data = Repeated(matrix[here], number[here].astype(np.intp), covariates, times, day, expected[here])
        try:
            rng = np.random.default_rng([plan.seed, 1])
            imputer = Imputer(data, covariance, imputations=plan.imputations, rng=rng)
        except CannotEstimate as error:
            failures.append(str(error))
            continue
        words = _WORDS[covariance] + (", day as a line" if day == "linear" else ", a mean for each day")
        words = words if len(times) > 1 else "linear regression"
        return Imputed(plan, data, imputer, arms, chosen, words, weights[here])
    raise CannotEstimate(failures[-1])


def matrix_of(values: Values, frame: pd.DataFrame) -> tuple[Floats, Floats, pd.DataFrame, NDArray[np.bool_]]:
    """Values (N, T) on the days on which anybody has one, these days (T,), a row of `frame` for each participant, and
    which values `frame` expects (N, T): after an amendment of the days not everybody has all of them.

    Participants are in the order of the frame. Raises `CannotEstimate` when there is no value.
    """
    people = frame.drop_duplicates("participant").reset_index(drop=True)
    if not frame["value"].notna().any():
        raise CannotEstimate("There are no values.")
    if not values.repeated:
        return people[["value"]].to_numpy(dtype=float), np.ones(1), people, np.ones((len(people), 1), dtype=bool)
    wide = frame.pivot(index="participant", columns="day", values="value").loc[people["participant"]]
    rows = pd.crosstab(frame["participant"], frame["day"]).loc[people["participant"]] > 0
    seen = wide.columns[wide.notna().any()]
    return wide[seen].to_numpy(dtype=float), seen.to_numpy(dtype=float), people, rows[seen].to_numpy(dtype=bool)


def columns_of(people: pd.DataFrame, terms: list[str], arms: NDArray[np.generic]) -> Floats:
    """(N, q): what the model is adjusted for, factors as indicators; without what follows from the columns before."""
    kept = np.column_stack([arms == one for one in np.unique(arms)]).astype(float)
    count = kept.shape[1]
    for name in terms:
        column = people[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            levels = [level for level in column.cat.categories if (column == level).any()][1:]
            parts = [(column == level).to_numpy(dtype=float) for level in levels]
        else:
            parts = [column.to_numpy(dtype=float)]
        for part in parts:
            wider = np.column_stack([kept, part - part.mean()])
            if np.linalg.matrix_rank(wider) == wider.shape[1] < len(people):
                kept = wider
    return kept[:, count:]


def models_of(values: Values, plan: Analysis, people: int, occasions: int) -> list[tuple[Covariance, Day]]:
    """Models of the values, the planned one first; simpler ones follow for when it cannot be estimated."""
    if occasions == 1:
        return [("unstructured", "factor")]
    model = planned_model(values, plan)
    last: tuple[Covariance, Day] = ("intercept", "linear")
    if model == "mixed":
        planned: list[tuple[Covariance, Day]] = [(plan.random, plan.day), ("intercept", plan.day), last]
        return list(dict.fromkeys(planned))
    named: list[Covariance] = [*plan.covariance] if model == "mmrm" else ["unstructured"]
    carried: list[Covariance] = [one for one in named if one != "unstructured" or people >= _PER_OCCASION * occasions]
    choices: list[Covariance] = [*carried, "compound_symmetry"]
    return list(dict.fromkeys([*((one, "factor") for one in choices), last]))

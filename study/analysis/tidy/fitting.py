"""Fitting a plan to a tidy table: everything that the model says, for people and for JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from study.analysis.compare import certain
from study.analysis.tidy.plan import Level, TidyPlan
from study.analysis.tidy.table import TidyTable
from study.errors import CannotEstimate, StudyError
from study.statistics.ancova import fit_ancova
from study.statistics.design import Design, build
from study.statistics.estimate import Estimate, holm
from study.statistics.fit import Fit
from study.statistics.means import weights
from study.statistics.mixed import fit_mixed
from study.statistics.repeated import fit_repeated

__all__ = ["TidyResult", "fit"]

ROW = "(row)"
"""The column that stands in for participants where the plan names none."""


@dataclass(frozen=True)
class TidyResult:
    """What a model says of a tidy table."""

    plan: TidyPlan
    table: TidyTable
    fit: Fit
    estimates: tuple[Estimate, ...]
    """Of the coefficients, in the order of the design."""
    means: tuple[Estimate, ...]
    contrasts: tuple[tuple[Estimate, float], ...]
    """Each with its p value adjusted."""
    tests: tuple[tuple[str, float, float, float, float], ...]
    """Of the terms that are part of no product: term, F, its two degrees of freedom, p."""

    @property
    def how(self) -> str:
        """The model in words."""
        model = self.plan.model
        method = model.method.upper()
        match model.kind:
            case "ancova":
                return "least squares"
            case "mmrm":
                return f"repeated measures, covariance {model.covariance.replace('_', ' ')}, {method}, {model.df}"
            case _:
                random = "intercept" if model.random == "intercept" else "intercept and slope"
                return f"linear mixed model, random {random}, {method}, {model.df}"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        found = self.fit
        return {
            "model": self.how,
            "outcome": self.plan.data.outcome,
            "terms": list(found.design.terms),
            "n_rows": len(self.table.frame),
            "n_values": found.n_values,
            "n_left_out": len(self.table.frame) - found.n_values,
            "n_participants": found.n_participants,
            "estimates": [_told(one) for one in self.estimates],
            "covariance": {"names": list(found.names), "matrix": found.covariance.tolist()},
            "loglik": found.loglik,
            "reml_criterion" if self.plan.model.is_restricted else "deviance": -2 * found.loglik,
            "aic": found.aic,
            "variances": dict(found.variances),
            "icc": found.icc,
            "singular": found.singular,
            "tests": [dict(zip(("term", "f", "df1", "df2", "p"), one, strict=True)) for one in self.tests],
            "means": [_told(one) for one in self.means],
            "contrasts": [{**_told(one), "p_adjusted": p} for one, p in self.contrasts],
            "data_sha256": self.table.sha256,
            "plan_sha256": self.plan.sha256,
            "version": version("bedside"),
        }


def fit(table: TidyTable, plan: TidyPlan) -> TidyResult:
    """The plan's model, fitted. Raises `CannotEstimate` for what the data cannot tell, `StudyError` for the plan."""
    with threadpool_limits(1):
        return _fit(table, plan)


def _fit(table: TidyTable, plan: TidyPlan) -> TidyResult:
    data, model = plan.data, plan.model
    frame = table.frame
    who = data.participant
    if who is None:
        who = ROW
        frame = frame.assign(**{ROW: np.arange(len(frame))})
    used = {part for term in plan.terms for part in term.split(":")}
    factors = {name: levels for name, levels in table.factors.items() if name in used}
    occasion = data.day if model.kind != "ancova" else None
    design = build(frame, data.outcome, plan.terms, participant=who, occasion=occasion, factors=factors)
    match model.kind:
        case "ancova":
            found = fit_ancova(design)
        case "mmrm":
            found = fit_repeated(design, covariance=model.covariance, df=model.df, method=model.method)
        case _:
            found = fit_mixed(design, random=model.random, df=model.df, method=model.method)
    certain(found)
    means, contrasts = _means(found, plan)
    return TidyResult(
        plan=plan,
        table=table,
        fit=found,
        estimates=tuple(found.coefficient(name, model.level) for name in found.names),
        means=means,
        contrasts=contrasts,
        tests=tuple(_tests(found)),
    )


def _tests(found: Fit) -> list[tuple[str, float, float, float, float]]:
    """F tests of the terms. Those that are part of a product would be of one point of it, and are left out."""
    terms = found.design.terms
    whole = [one for one in terms if not any(set(one.split(":")) < set(other.split(":")) for other in terms)]
    return [(term, *found.f_test(found.term(term))) for term in whole if term in found.design.owners]


def _means(found: Fit, plan: TidyPlan) -> tuple[tuple[Estimate, ...], tuple[tuple[Estimate, float], ...]]:
    """Marginal means, and the differences between them."""
    asked = plan.contrasts
    design = found.design
    arm = plan.data.arm
    of = asked.means or ([arm] if arm is not None and arm in design.factors else [])
    if not of:
        if asked.pairs or asked.at:
            raise StudyError("contrasts: name the factors of which means are compared: means = [...].")
        return (), ()
    for name in of:
        if name not in design.factors:
            raise StudyError(
                f"contrasts.means has {name!r}; the factors of the model are {', '.join(design.factors) or 'none'}."
            )
    held = {name: _held(design, name, value) for name, value in asked.at.items()}
    rows: dict[tuple[Any, ...], NDArray[np.float64]] = {}
    for levels in product(*(design.factors[name] for name in of)):
        rows[levels] = weights(design, {**held, **dict(zip(of, levels, strict=True))})
    level = plan.model.level
    means = tuple(found.estimate(row, _name(of, levels), level) for levels, row in rows.items())
    pairs = _pairs(design, of, asked.pairs, rows)
    made = [found.estimate(rows[one] - rows[other], f"{_short(one)} - {_short(other)}", level) for one, other in pairs]
    ps = [one.p for one in made]
    adjusted = holm(ps) if asked.multiplicity == "holm" else ps
    return means, tuple(zip(made, adjusted, strict=True))


def _pairs(
    design: Design,
    of: Sequence[str],
    asked: Sequence[Sequence[Level]],
    rows: dict[tuple[Any, ...], NDArray[np.float64]],
) -> list[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Which means are compared: the pairs of the first factor's levels at each combination of the others."""
    known = design.factors[of[0]]
    chosen = [(_level(known, one, of[0]), _level(known, other, of[0])) for one, other in asked]
    chosen = chosen or list(combinations(known, 2))
    rest = list(product(*(design.factors[name] for name in of[1:])))
    return [((one, *others), (other, *others)) for others in rest for one, other in chosen]


def _level(known: Sequence[Any], asked: Level, name: str) -> Any:
    for one in known:
        if one == asked or str(one) == str(asked):
            return one
    raise StudyError(f"{name} has no level {asked!r} among the values; it has {', '.join(map(_text, known))}.")


def _held(design: Design, name: str, value: Level | list[Level]) -> Any:
    if name not in design.factors and name not in design.means:
        known = ", ".join([*design.factors, *design.means])
        raise StudyError(f"contrasts.at has {name!r}; the columns of the model are {known}.")
    values = value if isinstance(value, list) else [value]
    if name in design.factors:
        return [_level(design.factors[name], one, name) for one in values]
    for one in values:
        if isinstance(one, bool | str):
            raise StudyError(f"contrasts.at.{name} is {one!r}, and {name} is a number.")
    if not values:
        raise CannotEstimate(f"contrasts.at.{name} is empty, so there is nowhere to take the means.")
    return [float(one) for one in values]


def _name(of: Sequence[str], levels: Sequence[Any]) -> str:
    return ", ".join(f"{name} {_text(level)}" for name, level in zip(of, levels, strict=True))


def _short(levels: Sequence[Any]) -> str:
    return " ".join(map(_text, levels))


def _text(level: Any) -> str:
    return f"{level:g}" if isinstance(level, float) else str(level)


def _told(one: Estimate) -> dict[str, Any]:
    numbers = {
        "value": one.value,
        "se": one.se,
        "df": one.df,
        "statistic": one.statistic,
        "p": one.p,
        "low": one.low,
        "high": one.high,
    }
    return {"name": one.name, **{key: value if np.isfinite(value) else None for key, value in numbers.items()}}

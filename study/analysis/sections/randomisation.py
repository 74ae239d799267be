"""The primary outcome by the randomisation alone: the study's own allocation, run again, beside the planned model.

Each participant is summed up by one number (the mean over the days, each less the mean of that day, so that missed days
do no harm; the last day; or the one value that there is), which is compared by |t| of an analysis of covariance; so are
its ranks. For a mean over days there is also the score statistic of generalised least squares, which weighs each
participant by their days. For slopes that statistic is the one that is shown first. Its covariance is estimated without
the arms, so that it is the same in every re-allocation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.analysis.compare import Comparison, compare, pairs, planned_model, prepared
from study.analysis.data import AnalysisData
from study.analysis.imputing import columns_of, matrix_of, models_of
from study.analysis.outcomes import Values, values
from study.analysis.reallocating import procedure_in_words, reallocations
from study.analysis.results import Cell, Column, Section, Table, cell
from study.errors import CannotEstimate
from study.report.numbers import interval, number, p_value, words
from study.statistics.imputation import Repeated
from study.statistics.incomplete import fit
from study.statistics.randomisation import Adjusted, Contrasts, adjusted, adjusted_gls, contrasts

__all__ = ["section"]

Floats = NDArray[np.float64]

TITLE = "Randomisation test"

_STATISTICS = {
    "covariance": "analysis of covariance",
    "ranks": "analysis of covariance of ranks",
    "gls": "generalised least squares over all days",
}


@dataclass(frozen=True)
class _Prepared:
    """The primary outcome without the arms, for each of `_STATISTICS`, the main one first."""

    what: str
    statistics: dict[str, Adjusted]
    lacking: tuple[str, ...] = ()
    """Why there is no generalised least squares beside the others, where that could be; a sentence."""


def section(data: AnalysisData) -> Section:
    """Each contrast's p by re-running the allocation, beside the model's. What cannot be tested is a warning."""
    plan = data.plan
    warnings: list[str] = []
    try:
        outcome = values(data, plan.primary)
        ready = _prepare(outcome, data)
        drawn, made = reallocations(data, plan.randomisations, np.random.default_rng([plan.seed, 2]))
        warnings += ready.lacking
        main = next(iter(ready.statistics.values()))
        known = {data.arms[number] for number in np.unique(made[main.present])}
        chosen = [pair for pair in pairs(plan, data.arms) if known.issuperset(pair)]
        if not chosen:
            raise CannotEstimate("There are no two arms with values that the plan compares.")
        numbers = [(data.arms.index(one), data.arms.index(other)) for one, other in chosen]
        found = {
            name: contrasts(
                one, drawn, made, numbers, arms=len(data.arms), level=1 - plan.alpha if one is main else None
            )
            for name, one in ready.statistics.items()
        }
    except CannotEstimate as error:
        return Section("randomisation", TITLE, warnings=(f"The randomisation test could not be made: {error}",))
    try:
        model: Comparison | None = compare(outcome, plan)
    except CannotEstimate as error:
        model = None
        warnings.append(f"There is no model beside the randomisation test: {error}")
    if left := [pair for pair in pairs(plan, data.arms) if pair not in chosen]:
        warnings += [f"{one} minus {other} cannot be tested: one of them has no values." for one, other in left]
    text = (
        f"The allocation of the study was run {plan.randomisations:,} times anew, for its {len(made)} participants in "
        f"the order in which they were enrolled, with their own strata: {procedure_in_words(data)}. p is the share of "
        "these allocations in which the arms are at least as far apart as in the one that was made. It rests on the "
        "allocation alone, whatever the distribution of the outcome, and holds for values that are missing if nobody "
        "would have been missed otherwise in another arm.",
        f"{outcome.title}: what is compared of each participant is {ready.what}.",
        *(_words(pair, place, next(iter(found.values())), model) for place, pair in enumerate(chosen)),
    )
    tables = (_contrasts(chosen, found, model, plan.alpha), _any(found))
    return Section("randomisation", TITLE, text, tables, tuple(warnings))


def _prepare(outcome: Values, data: AnalysisData) -> _Prepared:
    plan = data.plan
    frame, terms, _ = prepared(outcome)
    matrix, times, people, _ = matrix_of(outcome, frame)
    everybody = np.zeros(len(people), dtype=np.intp)
    covariates = columns_of(people, terms, everybody)
    estimate = plan.estimate if len(times) > 1 and planned_model(outcome, plan) != "ancova" else "last"
    tail = f", adjusted for {words(terms)}" if terms else ""
    if estimate == "trend":
        slopes = adjusted(_slopes(matrix, times), covariates, ranks=True)
        gls = _gls(outcome, data, matrix, times, covariates, slopes=True)
        return _Prepared("the slope over the days", {"gls": gls, "ranks": slopes})
    others: dict[str, Adjusted] = {}
    lacking: list[str] = []
    if estimate == "last":
        what = f"the value on day {times[-1]:g}" if outcome.repeated else "the value"
        summary = matrix[:, -1]
    else:
        what = "the mean over the days that there are, each less the mean of all participants on that day"
        present = ~np.isnan(matrix)
        some = present.any(axis=1)
        summary = np.full(len(people), np.nan)
        centred = np.where(present, matrix - np.nanmean(matrix, axis=0), 0.0)
        summary[some] = centred[some].sum(axis=1) / present[some].sum(axis=1) + float(np.nanmean(matrix))
        try:
            others["gls"] = _gls(outcome, data, matrix, times, covariates, slopes=False)
        except CannotEstimate as error:
            lacking.append(f"There is no randomisation test by {_STATISTICS['gls']}: {error}")
    found = {"covariance": adjusted(summary, covariates), "ranks": adjusted(summary, covariates, ranks=True)}
    return _Prepared(what + tail, found | others, tuple(lacking))


def _slopes(matrix: Floats, times: Floats) -> Floats:
    """(N,): of each participant's own values over the days; NaN for who has fewer than two."""
    present = ~np.isnan(matrix)
    count = present.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_time = (present * times).sum(axis=1) / count
        away = np.where(present, times - mean_time[:, None], 0.0)
        slopes = (away * np.nan_to_num(matrix)).sum(axis=1) / (away**2).sum(axis=1)
    return np.where(count > 1, slopes, np.nan)


def _gls(
    outcome: Values, data: AnalysisData, matrix: Floats, times: Floats, covariates: Floats, *, slopes: bool
) -> Adjusted:
    """The planned model without arms, and the response adjusted by it.

    For `slopes` each participant has a mean of their own, so that arms are compared by their slopes alone. Raises
    `CannotEstimate` when no covariance of the plan can be fitted.
    """
    nobody = np.zeros(len(matrix), dtype=np.intp)
    for covariance, day in models_of(outcome, data.plan, len(matrix), len(times)):
        course = Repeated(matrix, nobody, covariates, times, day)
        model = fit(matrix, nobody, course.basis, course.centred, covariance, times=times)
        if not model.converged.all():
            continue
        person, occasion = np.nonzero(~np.isnan(matrix))
        design = np.column_stack([course.basis[occasion], course.centred[person]])
        places = [occasion[person == one] for one in np.unique(person)]
        blocks = [model.covariance[0][np.ix_(place, place)] for place in places]
        profile = None
        if slopes:
            own = (person[:, None] == np.unique(person)).astype(float)
            design, profile = np.column_stack([course.basis[occasion], own]), times[occasion] - times.mean()
        return adjusted_gls(matrix[person, occasion], design, person, blocks, len(matrix), profile)
    raise CannotEstimate(
        "The covariance of the days within participants, estimated without the arms, does not converge."
    )


def _words(pair: tuple[str, str], place: int, found: Contrasts, model: Comparison | None) -> str:
    test = found.tests[place]
    low, high = found.intervals[place]
    beside = ""
    if model is not None:
        own = next((one for one in model.contrasts if one.arms == pair), None)
        beside = f"; the model has {p_value(own.estimate.p, alone=True)}" if own else ""
    ends = unsure = ""
    if test.high >= 0.001:
        unsure = f" (Monte-Carlo interval {p_value(test.low)} to {p_value(test.high)})"
    if np.isfinite([low, high]).all():
        ends = f" ({interval(low, high)} by inversion of the test)"
    return (
        f"{pair[0]} minus {pair[1]}: {number(found.estimates[place])} points{ends}, {p_value(test.p, alone=True)} by "
        f"the randomisation test{unsure}{beside}."
    )


def _contrasts(
    chosen: Sequence[tuple[str, str]], found: dict[str, Contrasts], model: Comparison | None, alpha: float
) -> Table:
    columns = (
        Column("arm", "Arm"),
        Column("compared_with", "minus"),
        Column("difference", "Difference", "number"),
        Column("low", "Interval from", "number"),
        Column("high", "to", "number"),
        Column("p_randomisation", "p, randomisation", "p"),
        Column("monte_carlo_low", "Monte-Carlo interval from", "p"),
        Column("monte_carlo_high", "to", "p"),
        Column("p_largest", "p, largest of all contrasts", "p"),
        Column("p_ranks", "p, ranks", "p"),
        Column("p_gls", "p, generalised least squares", "p"),
        Column("model_difference", "Difference of the model", "number"),
        Column("model_p", "p of the model", "p"),
    )
    own = {one.arms: one.estimate for one in model.contrasts} if model else {}
    main = next(iter(found.values()))
    rows: list[tuple[Cell, ...]] = []
    for place, pair in enumerate(chosen):
        test = main.tests[place]
        gls = found["gls"].tests[place].p if "gls" in found else None
        beside = own.get(pair)
        rows.append(
            (
                *pair,
                cell(main.estimates[place]),
                *map(cell, main.intervals[place]),
                test.p,
                test.low,
                test.high,
                main.largest[place].p,
                found["ranks"].tests[place].p,
                gls,
                cell(beside.value) if beside else None,
                cell(beside.p) if beside else None,
            )
        )
    note = (
        f"{main.tests[0].draws:,} re-allocations; p counts the allocation that was made among them. "
        f"Intervals of {100 * (1 - alpha):g}% by inversion of the test. p values are not adjusted for the number of "
        "contrasts, but for the largest: the share of allocations in which any contrast is as extreme."
    )
    return Table("randomisation_contrasts", "Contrasts by the randomisation", columns, tuple(rows), note)


def _any(found: dict[str, Contrasts]) -> Table:
    columns = (
        Column("statistic", "Statistic"),
        Column("f", "F", "number"),
        Column("p", "p", "p"),
        Column("monte_carlo_low", "Monte-Carlo interval from", "p"),
        Column("monte_carlo_high", "to", "p"),
    )
    rows = []
    for name, title in _STATISTICS.items():
        if name in found:
            test = found[name].any_difference
            rows.append((title, cell(test.observed), test.p, test.low, test.high))
    note = "Of the hypothesis that nobody would have had another value in another arm."
    return Table("randomisation_tests", "All arms at once, by the randomisation", columns, tuple(rows), note)

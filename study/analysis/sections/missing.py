"""What is missing of the primary outcome and why, and what the answer hangs on: other assumptions about it.

The likelihood analysis of the observed values and multiple imputation at random assume the same and should say the
same. Jump to reference and copy reference assume that whoever left did as if they had been in the reference arm; the
tipping point is how much worse than at random the missing values of one arm would have to be for another conclusion.
"""

from collections.abc import Iterator, Sequence

import pandas as pd

from study.analysis.absences import REASONS, absences
from study.analysis.compare import Comparison, compare
from study.analysis.data import AnalysisData
from study.analysis.imputing import Imputed, adjusted_of, imputed, reference_of
from study.analysis.outcomes import Values, values
from study.analysis.results import INTERVAL, Cell, Column, Section, Table, cell
from study.analysis.sections._tipping import delta_table, moved, tipping_table, tipping_words
from study.analysis.telling import TESTED, tested
from study.errors import CannotEstimate
from study.grammar import Analysis
from study.report.numbers import number, percent, words
from study.statistics.estimate import Estimate
from study.statistics.imputation import Assumption

__all__ = ["section"]

TITLE = "Missing values"

_ASSUMPTIONS: dict[Assumption, str] = {
    "mar": "missing at random, imputed",
    "jump_to_reference": "jump to reference, imputed",
    "copy_reference": "copy reference, imputed",
}

_HIGHER_IS_BETTER = ("sus", "wai_sr", "csq8", "ceq", "rosas.warmth", "rosas.competence")
"""Measures, each with all its scales, and single scales, of which a lower value is the worse one."""

Row = tuple[str, bool, tuple[str, str], Estimate, float]
"""An analysis, whether it is the plan's main one, the arms, the estimate and its adjusted p."""


def section(data: AnalysisData) -> Section:
    """The missing values of the primary outcome. What cannot be imputed is a warning."""
    plan = data.plan
    try:
        outcome = values(data, plan.primary)
    except CannotEstimate as error:
        return Section("missing", TITLE, warnings=(str(error),))
    if outcome.frame.empty:
        return Section("missing", TITLE, warnings=("Nobody was allocated, so there are no values.",))
    rows = absences(data, outcome, plan.primary)
    tables = [_reasons(rows, outcome)]
    if outcome.repeated:
        tables.append(_days(rows, outcome))
    text = [_counts(rows, outcome)]
    warnings = []
    lacking = rows["reason"].notna()
    if not lacking.any():
        text.append("So nothing had to be imputed, and no assumption about missing values matters.")
        return Section("missing", TITLE, tuple(text), tuple(tables))
    if pending := int((rows["reason"] == "open").sum()):
        warnings.append(f"The study is not over: {pending} of these values may still come. Here they count as missing.")
    try:
        found = compare(outcome, plan)
        ready = imputed(outcome, plan)
        results, failures = _results(data, found, ready)
        text += [_how(data, ready), *_agreement(ready, results, plan)]
        tables.append(_estimates(results, outcome, plan))
        worse = _worse(data)
        deltas = plan.deltas or [found.sd * step / 10 for step in range(1, 21)]
        steps = list(moved(ready, plan, [delta for delta in deltas if delta > 0], worse))
        text += tipping_words(ready, steps, plan, worse)
        tables += [tipping_table(ready, steps, plan), delta_table(steps, plan)]
        warnings += [*failures, *([ready.fewer] if ready.fewer else [])]
    except CannotEstimate as error:
        warnings.append(f"Missing values could not be imputed: {error}")
    return Section("missing", TITLE, tuple(text), tuple(tables), tuple(warnings))


def _worse(data: AnalysisData) -> float:
    """1 where a higher value of the primary outcome is the worse one, -1 where a lower one is.

    An outcome may be named by its measure alone, which means the first scale, or with its scale: `sus` and `sus.total`.
    """
    info = data.scales[data.plan.primary.measure]
    return -1.0 if {info.measure, f"{info.measure}.{info.scale}"} & set(_HIGHER_IS_BETTER) else 1.0


# What is missing


def _counts(rows: pd.DataFrame, outcome: Values) -> str:
    lacking = rows[rows["reason"].notna()]
    people = rows["participant"].nunique()
    whose = "1 participant" if people == 1 else f"{people} participants"
    if lacking.empty:
        return f"{outcome.title}: none of the {len(rows):,} values of {whose} is missing."
    counts = lacking["reason"].value_counts()
    parts = [
        f"{counts[reason]} ({title[0].lower()}{title[1:]})" for reason, title in REASONS.items() if reason in counts
    ]
    empty = rows.groupby("participant")["value"].apply(lambda own: own.notna().sum()).eq(0).sum()
    nobody = f" Participants without any value: {empty}." if empty else ""
    return (
        f"{outcome.title}: {len(lacking):,} of {len(rows):,} values ({percent(len(lacking) / len(rows))}) are missing, "
        f"of {whose}: {words(parts)}.{nobody}"
    )


def _reasons(rows: pd.DataFrame, outcome: Values) -> Table:
    occurring = [reason for reason in REASONS if (rows["reason"] == reason).any()]
    columns = (
        Column("arm", "Arm"),
        Column("participants", "Participants", "count"),
        Column("expected", "Values expected", "count"),
        Column("missing", "missing", "count"),
        Column("share", "Share", "percent"),
        *(Column(reason, REASONS[reason], "count") for reason in occurring),
    )
    cells: list[tuple[Cell, ...]] = []
    for arm, own in rows.groupby("arm", observed=False):
        lacking = int(own["reason"].notna().sum())
        counts = [int((own["reason"] == reason).sum()) for reason in occurring]
        share = lacking / len(own) if len(own) else None
        cells.append((str(arm), own["participant"].nunique(), len(own), lacking, share, *counts))
    note = (
        f"{outcome.title}. One reason for each value, the first that holds in the order of the columns; those who left "
        "count from the day on which they left."
    )
    return Table("missing_reasons", "Missing values by arm and reason", columns, tuple(cells), note)


def _days(rows: pd.DataFrame, outcome: Values) -> Table:
    columns = (
        Column("day", "Day", "count"),
        Column("arm", "Arm"),
        Column("expected", "Values expected", "count"),
        Column("missing", "missing", "count"),
        Column("share", "Share", "percent"),
        Column("left", "of those who left", "count"),
    )
    cells: list[tuple[Cell, ...]] = []
    for (day, arm), own in rows.groupby(["day", "arm"], observed=True):
        lacking = int(own["reason"].notna().sum())
        left = int(own["reason"].isin(["withdrawn", "erased"]).sum())
        cells.append((int(day), str(arm), len(own), lacking, lacking / len(own), left))
    return Table("missing_days", "Missing values by day and arm", columns, tuple(cells), f"{outcome.title}.")


# Under other assumptions


def _results(data: AnalysisData, found: Comparison, ready: Imputed) -> tuple[list[Row], list[str]]:
    plan = data.plan
    rows: list[Row] = []
    failures = []
    likelihood = [one.estimate for one in found.contrasts]
    adjusted = [one.p_adjusted for one in found.contrasts]
    arms = [one.arms for one in found.contrasts]
    name = "missing at random, likelihood" if found.values.repeated and found.model != "ancova" else "observed values"
    rows += [
        (name, plan.missing == "mar", pair, one, p) for pair, one, p in zip(arms, likelihood, adjusted, strict=True)
    ]
    for assumption, title in _ASSUMPTIONS.items():
        if assumption != "mar" and data.blinded:
            continue
        try:
            estimates = ready.contrasts(assumption)
        except CannotEstimate as error:
            failures.append(f"{title[0].upper()}{title[1:]}: {error}")
            continue
        main = plan.missing == assumption != "mar"
        rows += [
            (title, main, pair, one, p)
            for pair, one, p in zip(ready.pairs, estimates, adjusted_of(estimates, plan), strict=True)
        ]
    if data.blinded:
        failures.append(
            "Jump to reference and copy reference need a reference arm, which is masked; they are left out."
        )
    return rows, failures


def _how(data: AnalysisData, ready: Imputed) -> str:
    plan = data.plan
    how = (
        f"Missing values were imputed {plan.imputations} times from a model of the observed ones ({ready.model}), "
        "fitted to as many bootstrap samples of the participants; the estimates were pooled by Rubin's rules, with the "
        f"degrees of freedom of Barnard and Rubin. The seed is {plan.seed}."
    )
    if data.blinded:
        return how
    return (
        f"{how} Under jump to reference and copy reference, what is missing after somebody's last value is taken to be "
        f"as in the reference arm, which is {reference_of(plan, ready.arms)}. The variance by Rubin's rules then is "
        "too large rather than too small: it keeps the uncertainty that missing values have at random (Cro, Carpenter "
        "and Kenward, 2019)."
    )


def _agreement(ready: Imputed, results: Sequence[Row], plan: Analysis) -> Iterator[str]:
    for pair in ready.pairs:
        own = [row for row in results if row[2] == pair]
        low, high = min(row[3].value for row in own), max(row[3].value for row in own)
        below = [row[0] for row in own if row[4] < plan.alpha]
        adjusted = "adjusted p" if plan.multiplicity == "holm" else "p"
        where = "all" if len(below) == len(own) else "none" if not below else f"{len(below)} ({words(below)})"
        yield (
            f"{pair[0]} minus {pair[1]}: {number(low)} to {number(high)} points over {len(own)} analyses; {adjusted} "
            f"is below {plan.alpha:g} in {where} of them."
        )


def _estimates(results: Sequence[Row], outcome: Values, plan: Analysis) -> Table:
    columns = (
        Column("assumption", "Missing values"),
        Column("main", "Main analysis"),
        Column("arm", "Arm"),
        Column("compared_with", "minus"),
        Column("difference", "Difference", "number"),
        *INTERVAL,
        *TESTED,
        Column("p_adjusted", "p, adjusted", "p"),
    )
    rows = tuple(
        (name, "yes" if main else "", *pair, *map(cell, (one.value, one.low, one.high)), *tested(one), cell(p))
        for name, main, pair, one, p in results
    )
    how = "Holm, over the contrasts of each analysis" if plan.multiplicity == "holm" else "none, as planned"
    note = (
        f"{outcome.title}. Intervals of {100 * (1 - plan.alpha):g}%, not adjusted for multiplicity; adjusted p: {how}."
    )
    return Table("missing_estimates", "Contrasts under assumptions about missing values", columns, rows, note)

"""What is missing of the primary outcome and why, and what the answer hangs on: other assumptions about it.

The likelihood analysis of the observed values and multiple imputation at random assume the same and should say the
same. Jump to reference and copy reference assume that whoever left did as if they had been in the reference arm; the
tipping point is how much worse than at random the missing values of one arm would have to be for another conclusion.
"""

from collections.abc import Iterator, Sequence

import pandas as pd

from study.analysis.absences import REASONS, absences
from study.analysis.compare import Comparison, compare, pairs
from study.analysis.data import AnalysisData
from study.analysis.imputing import Imputed, imputed, reference_of
from study.analysis.outcomes import Values, values
from study.analysis.results import Cell, Column, Section, Table
from study.analysis.telling import INTERVAL, TESTED, finite, tested
from study.errors import CannotEstimate
from study.grammar import Analysis
from study.report.numbers import number, percent, words
from study.statistics.estimate import Estimate, holm
from study.statistics.imputation import Assumption

__all__ = ["section"]

TITLE = "Missing values"

_ASSUMPTIONS: dict[Assumption, str] = {
    "mar": "missing at random, imputed",
    "jump_to_reference": "jump to reference, imputed",
    "copy_reference": "copy reference, imputed",
}

_HIGHER_IS_BETTER = ("sus", "wai_sr", "csq8", "ceq", "rosas.warmth", "rosas.competence")
"""Measures and scales of which a lower value is the worse one."""

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
        warnings.append(
            f"The study is not over: {pending} of these values may still come. Here they count as missing, and they are "
            "imputed."
        )
    try:
        found = compare(outcome, plan)
        ready = imputed(outcome, plan)
        results, failures = _results(data, found, ready)
        text += [_how(data, ready), *_agreement(ready, results, plan)]
        tables.append(_estimates(results, outcome, plan))
        worse = -1.0 if plan.primary.measure in _HIGHER_IS_BETTER else 1.0
        deltas = plan.deltas or [found.sd * step / 10 for step in range(1, 21)]
        moved = list(_moved(ready, plan, [delta for delta in deltas if delta > 0], worse))
        text += _tipping_words(ready, moved, plan, worse)
        tables += [_tipping(moved, plan), _deltas(moved, plan)]
        warnings += failures
    except CannotEstimate as error:
        warnings.append(f"Missing values could not be imputed: {error}")
    return Section("missing", TITLE, tuple(text), tuple(tables), tuple(warnings))


# What is missing


def _counts(rows: pd.DataFrame, outcome: Values) -> str:
    lacking = rows[rows["reason"].notna()]
    people = rows["participant"].nunique()
    if lacking.empty:
        return f"{outcome.title}: none of the {len(rows):,} values of {people} participants is missing."
    counts = lacking["reason"].value_counts()
    parts = [
        f"{counts[reason]} ({title[0].lower()}{title[1:]})" for reason, title in REASONS.items() if reason in counts
    ]
    empty = rows.groupby("participant")["value"].apply(lambda own: own.notna().sum()).eq(0).sum()
    nobody = f" Participants without any value: {empty}." if empty else ""
    return (
        f"{outcome.title}: {len(lacking):,} of {len(rows):,} values ({percent(len(lacking) / len(rows))}) are missing, "
        f"of {people} participants: {words(parts)}.{nobody}"
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
            for pair, one, p in zip(ready.pairs, estimates, _adjusted(estimates, plan), strict=True)
        ]
    if data.blinded:
        failures.append(
            "Jump to reference and copy reference need a reference arm, which is masked; they are left out."
        )
    return rows, failures


def _adjusted(estimates: Sequence[Estimate], plan: Analysis) -> list[float]:
    ps = [one.p for one in estimates]
    return holm(ps) if plan.multiplicity == "holm" else ps


def _how(data: AnalysisData, ready: Imputed) -> str:
    plan = data.plan
    reference = "" if data.blinded else f"; the reference arm is {reference_of(plan, ready.arms)}"
    return (
        f"Missing values were imputed {plan.imputations} times from a model of the observed ones ({ready.model}), fitted "
        "to as many bootstrap samples of the participants, and the estimates pooled by Rubin's rules with Barnard and "
        f"Rubin's degrees of freedom{reference}; the seed is {plan.seed}. Under the references, what is missing after "
        "somebody's last value is taken to be as in the reference arm. Rubin's variance then is too large rather than "
        "too small: it keeps the uncertainty that missing values have at random (Cro, Carpenter and Kenward, 2019)."
    )


def _agreement(ready: Imputed, results: Sequence[Row], plan: Analysis) -> Iterator[str]:
    for pair in ready.pairs:
        own = [row for row in results if row[2] == pair]
        low, high = min(row[3].value for row in own), max(row[3].value for row in own)
        below = [row[0] for row in own if row[4] < plan.alpha]
        adjusted = "adjusted p" if plan.multiplicity == "holm" else "p"
        where = "all" if len(below) == len(own) else "none" if not below else f"{len(below)} ({words(below)})"
        yield (
            f"{pair[0]} minus {pair[1]}: {number(low)} to {number(high)} points over {len(own)} analyses; {adjusted} is "
            f"below {plan.alpha:g} in {where} of them."
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
        (name, "yes" if main else "", *pair, *map(finite, (one.value, one.low, one.high)), *tested(one), finite(p))
        for name, main, pair, one, p in results
    )
    how = "Holm, over the contrasts of each analysis" if plan.multiplicity == "holm" else "none, as planned"
    note = (
        f"{outcome.title}. Intervals of {100 * (1 - plan.alpha):g}%, not adjusted for multiplicity; adjusted p: {how}."
    )
    return Table("missing_estimates", "Contrasts under assumptions about missing values", columns, rows, note)


# The tipping point


Moved = tuple[str, float, list[tuple[str, str]], list[Estimate], list[float]]
"""The arm of which missing values are worse, by how much, the pairs with this arm, their estimates and adjusted p."""


def _moved(ready: Imputed, plan: Analysis, deltas: Sequence[float], worse: float) -> Iterator[Moved]:
    """Arm by arm, from 0 on, of the arms that have missing values."""
    involved = dict.fromkeys(arm for pair in ready.pairs for arm in pair)
    for arm in involved:
        if not ready.data.missing[ready.data.arms == ready.arms.index(arm)].any():
            continue
        for delta in (0.0, *deltas):
            estimates = ready.contrasts("mar", arm=arm, delta=worse * delta)
            adjusted = _adjusted(estimates, plan)
            own = [place for place, pair in enumerate(ready.pairs) if arm in pair]
            pairs_of = [ready.pairs[place] for place in own]
            yield arm, delta, pairs_of, [estimates[place] for place in own], [adjusted[place] for place in own]


def _verdict(estimate: Estimate, p: float, alpha: float) -> int:
    """1 or -1 for a difference that is shown, by its sign; 0 for none."""
    return 0 if not p < alpha else 1 if estimate.value > 0 else -1


Tip = tuple[tuple[str, str], str, float, Moved | None]
"""The pair, the arm that is made worse, the largest delta tried, and where the conclusion first is another one."""


def _tips(moved: Sequence[Moved], plan: Analysis) -> Iterator[Tip]:
    for arm in dict.fromkeys(one[0] for one in moved):
        steps = [one for one in moved if one[0] == arm]
        for place, pair in enumerate(steps[0][2]):
            first = _verdict(steps[0][3][place], steps[0][4][place], plan.alpha)
            tipped = (one for one in steps if _verdict(one[3][place], one[4][place], plan.alpha) != first)
            yield pair, arm, steps[-1][1], next(tipped, None)


def _tipping_words(ready: Imputed, moved: Sequence[Moved], plan: Analysis, worse: float) -> list[str]:
    side = "higher" if worse > 0 else "lower"
    said = []
    tips = list(_tips(moved, plan))
    for pair in ready.pairs:
        parts = []
        for _, arm, most, tip in (one for one in tips if one[0] == pair):
            whose = f"missing values of {arm}"
            if tip is None:
                parts.append(f"it stays when {whose} are worse by up to {number(most)} points")
            else:
                parts.append(f"it changes when {whose} are worse by at least {number(tip[1])} points")
        if parts:
            said.append(f"The conclusion on {pair[0]} minus {pair[1]}: {'; '.join(parts)} (worse is {side}).")
    return said


def _tipping(moved: Sequence[Moved], plan: Analysis) -> Table:
    columns = (
        Column("arm", "Arm"),
        Column("compared_with", "minus"),
        Column("worse_in", "Missing values worse in"),
        Column("tried", "by up to", "number"),
        Column("tipping_point", "Tipping point", "number"),
        Column("difference", "Difference there", "number"),
        *INTERVAL,
        Column("p_there", "p there, adjusted", "p"),
    )
    rows: list[tuple[Cell, ...]] = []
    for pair, arm, most, tip in _tips(moved, plan):
        there: tuple[Cell, ...] = (None,) * 5
        if tip is not None:
            one, p = tip[3][tip[2].index(pair)], tip[4][tip[2].index(pair)]
            there = (tip[1], *map(finite, (one.value, one.low, one.high, p)))
        rows.append((*pair, arm, most, *there))
    order = {pair: place for place, pair in enumerate(pairs(plan, ()))}
    rows.sort(key=lambda row: order.get((str(row[0]), str(row[1])), len(order)))
    note = (
        "Values are imputed at random, and those of one arm then made worse by more and more points. The tipping point "
        f"is where it first changes whether a difference is shown (adjusted p below {plan.alpha:g}), or its direction. "
        "Empty: it does not change within what was tried."
    )
    return Table("missing_tipping", "Tipping points", columns, tuple(rows), note)


def _deltas(moved: Sequence[Moved], plan: Analysis) -> Table:
    columns = (
        Column("worse_in", "Missing values worse in"),
        Column("delta", "by", "number"),
        Column("arm", "Arm"),
        Column("compared_with", "minus"),
        Column("difference", "Difference", "number"),
        *INTERVAL,
        Column("p_there", "p, adjusted", "p"),
    )
    rows = tuple(
        (arm, delta, *pair, *map(finite, (one.value, one.low, one.high, p)))
        for arm, delta, pairs_of, estimates, adjusted in moved
        for pair, one, p in zip(pairs_of, estimates, adjusted, strict=True)
    )
    note = f"Intervals of {100 * (1 - plan.alpha):g}%, not adjusted for multiplicity."
    return Table("missing_deltas", "Contrasts with missing values made worse", columns, rows, note)

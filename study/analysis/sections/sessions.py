"""The single session: distress after minus before the exercise, by arm, with sessions within participants.

Earlier reports tested the change within each arm, session by session (arXiv 2402.17937). These tests are made here as
well, so that they can be set beside those; a change that is significant in one arm and not in another is no difference
between them (Gelman and Stern 2006, Am Stat 60:328), so the contrasts between arms stand beside them.

The model is not adjusted for the rating before the session itself, which from day 2 on comes after the treatment.
"""

import math

import numpy as np
import pandas as pd
from scipy import stats

from study.analysis.compare import certain, pairs, prepared
from study.analysis.data import AnalysisData
from study.analysis.outcomes import Values, values
from study.analysis.results import INTERVAL, Cell, Column, Section, Table, cell
from study.analysis.sections._references import cite
from study.analysis.telling import TESTED, tested
from study.errors import CannotEstimate
from study.grammar import Outcome
from study.protocol import DISTRESS
from study.report.numbers import interval, number, p_value, words
from study.statistics.design import build
from study.statistics.estimate import Estimate, holm
from study.statistics.means import weights
from study.statistics.mixed import fit_mixed

__all__ = ["section"]

TITLE = "Change within a session"

NO_COMPARISON = "A test within an arm compares nothing: without the other arms it cannot tell what the medium does."


def section(data: AnalysisData) -> Section:
    """Changes within sessions: by arm and day, by arm over all days, and between arms."""
    change = values(data, Outcome(measure=DISTRESS, when="after", change_from="before"))
    frame = change.frame.merge(_befores(data), on=["participant", "day"], how="left")
    present = frame[frame["value"].notna()]
    if present.empty:
        return Section("sessions", TITLE, warnings=("No visit has a rating before and after, so there is no change.",))
    days = _daily_table(present, data)
    try:
        means, contrasts = _model(change, data)
    except CannotEstimate as error:
        return Section("sessions", TITLE, tables=(days,), warnings=(str(error),))
    adjusted = holm([one.p for _, one in contrasts]) if data.plan.multiplicity == "holm" else None
    ps = adjusted or [one.p for _, one in contrasts]
    text = (
        f"{len(present)} sessions of {present['participant'].nunique()} participants have a rating of distress before "
        "and after. The mean change in a session is "
        + words([f"{number(one.value)} ({interval(one.low, one.high)}) in {arm}" for arm, one in means.items()])
        + f" points ({100 * (1 - data.plan.alpha):g}% intervals).",
        *_within_words(means, data.plan.alpha),
        *(_between_words(pair, one, p, data) for (pair, one), p in zip(contrasts, ps, strict=True)),
    )
    tables = (_contrast_table(contrasts, ps), _arm_table(present, means), days)
    return Section("sessions", TITLE, text, tables)


def _befores(data: AnalysisData) -> pd.DataFrame:
    rated = data.scores[(data.scores["measure"] == DISTRESS) & (data.scores["occasion"] == "before")]
    return rated[["participant", "day", "score"]].rename(columns={"score": "before"})


def _model(change: Values, data: AnalysisData) -> tuple[dict[str, Estimate], list[tuple[tuple[str, str], Estimate]]]:
    """By arm the mean change, and the contrasts: change on baseline, covariates, arm and day as a factor, with a random
    intercept of participants. Without a second day there is no day, and without a second session nobody's intercept."""
    frame, terms, _ = prepared(change)
    present = frame[frame["value"].notna()]
    known = [arm for arm in data.arms if (present["arm"] == arm).any()]
    days = sorted(present["day"].unique().tolist())
    if len(known) > 1:
        terms.append("arm")
    if len(days) > 1:
        terms.append("day")
    factors = {"day": days} if len(days) > 1 else {}
    design = build(
        frame.rename(columns={"value": change.title}),
        change.title,
        terms,
        participant="participant",
        occasion="day",
        factors=factors,
    )
    fit = certain(fit_mixed(design, df=data.plan.df))
    level = 1 - data.plan.alpha
    rows = {arm: weights(design, {"arm": arm} if len(known) > 1 else {}) for arm in known}
    means = {arm: fit.estimate(row, arm, level) for arm, row in rows.items()}
    contrasts = [
        ((one, other), fit.estimate(rows[one] - rows[other], f"{one} - {other}", level))
        for one, other in pairs(data.plan, data.arms)
        if one in rows and other in rows
    ]
    return means, contrasts


def _within_words(means: dict[str, Estimate], alpha: float) -> list[str]:
    """What the tests within arms say, and that it is no comparison."""
    changed = [arm for arm, one in means.items() if one.p < alpha]
    others = [arm for arm in means if arm not in changed]
    tests = words([f"{p_value(one.p, alone=True)} in {arm}" for arm, one in means.items()])
    said = [f"Tests within each arm, of whether its own mean change is 0: {tests}. {NO_COMPARISON}"]
    if changed and others:
        said.append(
            f"That the change is significant in {words(changed)} and not in {words(others)} is not itself a difference "
            f"between them {cite('gelman2006')}; only the contrasts between arms say whether they differ."
        )
    return said


def _between_words(pair: tuple[str, str], found: Estimate, p: float, data: AnalysisData) -> str:
    one, other = pair
    adjusted = " adjusted by Holm" if data.plan.multiplicity == "holm" else ""
    if not math.isfinite(p):
        return f"Between arms, {one} minus {other} could not be tested: its standard error is no number."
    verdict = "the arms differ" if p < data.plan.alpha else "no difference is shown"
    return (
        f"Between arms, {one} minus {other}: {number(found.value)} points ({interval(found.low, found.high)}; "
        f"{p_value(p, alone=True)}{adjusted}); {verdict}."
    )


def _contrast_table(contrasts: list[tuple[tuple[str, str], Estimate]], ps: list[float]) -> Table:
    columns = (
        Column("arm", "Arm"),
        Column("compared_with", "minus"),
        Column("difference", "Difference", "number"),
        *INTERVAL,
        *TESTED,
        Column("p_adjusted", "p, adjusted", "p"),
    )
    rows = tuple(
        (*pair, cell(one.value), cell(one.low), cell(one.high), *tested(one), cell(p))
        for (pair, one), p in zip(contrasts, ps, strict=True)
    )
    note = (
        "Points of distress, after minus before. Linear mixed model of all sessions: baseline, covariates, arm and day "
        "as a factor, with a random intercept for each participant. Contrasts, not the tests within arms, compare."
    )
    return Table("sessions_contrasts", "Change within a session, between arms", columns, rows, note)


def _arm_table(present: pd.DataFrame, means: dict[str, Estimate]) -> Table:
    columns = (
        Column("arm", "Arm"),
        Column("participants", "Participants", "count"),
        Column("sessions", "Sessions", "count"),
        Column("before", "Mean before", "number", 1),
        Column("after", "after", "number", 1),
        Column("change", "Mean change (model)", "number"),
        *INTERVAL,
        *TESTED,
        Column("participants_change", "of participants' means", "number"),
        Column("participants_t", "t", "number"),
        Column("participants_p", "p", "p"),
    )
    rows = []
    for arm, one in means.items():
        own = present[present["arm"] == arm]
        each = own.groupby("participant", observed=True)["value"].mean().to_numpy()
        mean, _, t, _, p = _one_sample(each)
        before = float(own["before"].mean())
        after = float((own["before"] + own["value"]).mean())
        model = (cell(one.value), cell(one.low), cell(one.high), *tested(one))
        rows.append((arm, len(each), len(own), before, after, *model, mean, t, p))
    note = (
        "No comparison: each arm by itself. The model is that of the contrasts; beside it a t test of participants' "
        "own mean changes, each participant counted once."
    )
    return Table("sessions_within", "Change within a session, each arm by itself", columns, tuple(rows), note)


def _daily_table(present: pd.DataFrame, data: AnalysisData) -> Table:
    columns = (
        Column("arm", "Arm"),
        Column("day", "Day", "count"),
        Column("n", "n", "count"),
        Column("before", "Mean before", "number", 1),
        Column("after", "after", "number", 1),
        Column("change", "Mean change", "number"),
        Column("sd", "SD", "number"),
        Column("t", "t", "number"),
        Column("df", "df", "count"),
        Column("p", "p", "p"),
    )
    rows: list[tuple[Cell, ...]] = []
    for (arm, day), own in present.groupby(["arm", "day"], observed=True):
        mean, sd, t, df, p = _one_sample(own["value"].to_numpy())
        before = float(own["before"].mean())
        rows.append((arm, int(day), len(own), before, before + (mean or 0.0), mean, sd, t, df, p))
    note = (
        "Paired t tests within each arm, session by session, not adjusted for their number: as in earlier reports, and "
        f"no comparison of the arms. {len(rows)} tests at the level {data.plan.alpha:g} find about "
        f"{number(len(rows) * data.plan.alpha, 1)} changes where there is none."
    )
    return Table("sessions_days", "Each session, each arm by itself", columns, tuple(rows), note)


def _one_sample(found: np.ndarray) -> tuple[float | None, float | None, float | None, int | None, float | None]:
    """Mean, standard deviation, t, df and p of the mean being 0; None for what too few or equal values cannot say."""
    n = len(found)
    mean = float(np.mean(found)) if n else None
    if n < 2 or mean is None:
        return mean, None, None, None, None
    sd = float(np.std(found, ddof=1))
    if sd <= 1e-12 * max(1.0, float(np.abs(found).max())):
        return mean, 0.0, None, n - 1, None
    test = stats.ttest_1samp(found, 0.0)
    return mean, sd, float(test.statistic), n - 1, float(test.pvalue)

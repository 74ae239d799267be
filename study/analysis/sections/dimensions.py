"""Three dimensions side by side, and never one score: bond, clinical safety, epistemic cost.

They are not averaged, because the exchange rate between them would be the result: a warm manner can raise the bond and
the number of errors at once (arXiv 2507.21919), and a sum would show neither.
"""

from collections.abc import Mapping

import pandas as pd

from study.analysis.attendance import visits_begun
from study.analysis.data import AnalysisData
from study.analysis.events import KINDS, harms, of_kind
from study.analysis.results import Cell, Column, Section, Table, cell
from study.analysis.sections._tables import DIFFERENCES, adjustment, contrast_rows, level, tell
from study.errors import CannotEstimate
from study.statistics.counts import rate
from study.statistics.estimate import Estimate
from study.statistics.groups import mean, welch

__all__ = ["section"]

NOT_AUDITED = "not measured"

WHY_NOT_ONE = (
    "Bond, clinical safety and epistemic cost stand side by side and are never made into one score. A sum or a mean"
    " would need to say how much bond pays for one serious event or one false statement, and that is a judgement, "
    "not a result. A manner can also raise one and worsen another at once, which a single score would hide."
)

NO_AUDIT = (
    "Epistemic cost: not measured, since no audit was run. It is how many more errors the model makes in the "
    "persona of the study than without it, above all to somebody who is sad or mistaken; a trial cannot tell it, "
    "because nobody checks what participants were told. Results of an audit that belong to clinical safety are not "
    "there either."
)


def section(data: AnalysisData) -> Section:
    """The three, by arm, each in its own unit."""
    warnings: list[str] = []
    text = [WHY_NOT_ONE]
    bond, contrasts = _bond(data, text, warnings)
    rates = _rates(data, warnings)
    text.append(
        "Clinical safety: events per 100 visits that were begun, with exact Poisson intervals. Events of one "
        "participant are not independent of each other, so these intervals are rather too narrow; the section on "
        "harms counts people."
    )
    text.append(NO_AUDIT)
    epistemic = _epistemic_cost(data)
    rows: list[tuple[Cell, ...]] = []
    for arm in data.arms:
        safety = [
            next((row[3:6] for row in rates if row[:2] == (KINDS[kind], arm)), (None,) * 3)
            for kind in ("any", "serious")
        ]
        mean_bond = bond.get(arm, (None, None, None, None))
        rows.append((arm, *mean_bond, *safety[0], *safety[1], epistemic[arm]))
    columns = (
        Column("arm", "Arm"),
        Column("bond_participants", "Bond: participants", "count"),
        Column("bond", "Bond: mean", "number"),
        Column("bond_low", "Low", "number"),
        Column("bond_high", "High", "number"),
        Column("events", "Safety: events per 100 visits", "number"),
        Column("events_low", "Low", "number"),
        Column("events_high", "High", "number"),
        Column("serious", "Safety: serious events per 100 visits", "number"),
        Column("serious_low", "Low", "number"),
        Column("serious_high", "High", "number"),
        Column("epistemic_cost", "Epistemic cost"),
    )
    tables = [Table("dimensions", "Bond, clinical safety and epistemic cost, by arm", columns, tuple(rows))]
    tables.append(_rates_table(data, rates))
    if contrasts:
        tables.append(contrasts)
    shown = tuple(table for table in tables if table.rows)
    return Section("dimensions", "Bond, clinical safety, epistemic cost", tuple(text), shown, tuple(warnings))


def _epistemic_cost(data: AnalysisData) -> Mapping[str, str]:
    """Each arm's epistemic cost. Here the audit of the study's model and personas is to be read; there is none yet."""
    return dict.fromkeys(data.arms, NOT_AUDITED)


def _bond(data: AnalysisData, text: list[str], warnings: list[str]) -> tuple[dict[str, tuple[Cell, ...]], Table | None]:
    """By arm: how many, mean, low, high; and the contrasts."""
    scores = data.scores[(data.scores["scale"] == "bond") | (data.scores["measure"] == "bond")]
    scores = scores.dropna(subset=["score"])
    if scores.empty:
        text.append(
            "Bond: not measured in this study. It is measured by adding a [[measures]] with a scale called bond to "
            'study.toml, due on the last day: measure = "wai_sr", whose wording is licensed and for the researcher to '
            "supply, or a measure of one's own with openly licensed items (docs/measures.md)."
        )
        return {}, None
    measure, scale, occasion = _last(data, scores)
    chosen = scores[(scores["measure"] == measure) & (scores["scale"] == scale) & (scores["occasion"] == occasion)]
    each = chosen.groupby(["arm", "participant"], sort=False)["score"].mean()
    known = set(each.index.get_level_values("arm"))

    def of(arm: str) -> list[float]:
        return each[arm].tolist() if arm in known else []

    named = f"{measure}.{scale}"
    info = data.scales.get(named)
    bounds = f", {info.low:g} to {info.high:g}" if info else ""
    text.append(
        f"Bond: {info.title if info else named}{bounds}, at the occasion {occasion}, of those who answered then. It "
        "has no baseline, since there is no bond before the first visit; arms are compared by Welch's t, and those "
        "who stayed to answer may differ between arms."
    )
    found: dict[str, tuple[Cell, ...]] = {}
    for arm in data.arms:
        try:
            one = mean(of(arm), level=level(data))
            found[arm] = (len(of(arm)), one.value, cell(one.low), cell(one.high))
        except CannotEstimate:
            found[arm] = (len(of(arm)), *((of(arm)[0] if of(arm) else None), None, None))
            tell(warnings, f"Bond, {arm}: fewer than two participants answered, so there is no interval.")

    def difference(first: str, second: str) -> Estimate:
        return welch(of(first), of(second), level=level(data))

    rows = contrast_rows(data, (), difference, warnings, "Bond")
    table = Table(
        "bond_contrasts",
        "Bond, difference between arms",
        DIFFERENCES,
        tuple(rows),
        note=f"Points of the scale. Welch's t. {adjustment(data)}",
    )
    return found, table


def _last(data: AnalysisData, scores: pd.DataFrame) -> tuple[str, str, str]:
    """The measure and scale of the bond, and its last occasion at which anybody answered: of the study days first."""
    order = {name: place for place, name in enumerate(data.protocol.occasions)}
    follow_ups = {one.name for one in data.protocol.follow_ups}
    found = sorted(
        set(scores[["measure", "scale", "occasion"]].itertuples(index=False, name=None)),
        key=lambda one: (one[0] == "wai_sr", one[2] not in follow_ups, order.get(one[2], -1), one),
    )
    measure, scale, occasion = found[-1]
    return str(measure), str(scale), str(occasion)


def _rates(data: AnalysisData, warnings: list[str]) -> list[tuple[Cell, ...]]:
    """kind, arm, events, rate, low, high, visits."""
    events, visits = harms(data), visits_begun(data)
    rows: list[tuple[Cell, ...]] = []
    for kind, title in KINDS.items():
        chosen = of_kind(events, kind)
        for arm in data.arms:
            count = int((chosen["arm"] == arm).sum())
            try:
                found = rate(count, visits[arm], 100, level(data))
            except CannotEstimate:
                tell(warnings, f"In {arm} no visit was begun, so events per 100 visits cannot be reckoned.")
                continue
            rows.append((title, arm, count, found.value, found.low, found.high, visits[arm]))
    return rows


def _rates_table(data: AnalysisData, rates: list[tuple[Cell, ...]]) -> Table:
    return Table(
        "safety_rates",
        "Safety events per 100 visits, by kind and arm",
        (
            Column("kind", "Kind"),
            Column("arm", "Arm"),
            Column("events", "Events", "count"),
            Column("rate", "Per 100 visits", "number"),
            Column("low", "Low", "number"),
            Column("high", "High", "number"),
            Column("visits", "Visits begun", "count"),
        ),
        tuple(rates),
        note=f"Exact {100 * level(data):g}% Poisson intervals (Garwood). Events at any time after the allocation.",
    )

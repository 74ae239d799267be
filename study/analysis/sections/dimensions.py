"""Three dimensions side by side, and never one score: bond, clinical safety, epistemic cost.

They are not averaged, because the exchange rate between them would be the result: a warm manner can raise the bond and
the number of errors at once (arXiv 2507.21919), and a sum would show neither.
"""

import pandas as pd

from study.analysis.attendance import visits_begun
from study.analysis.data import AnalysisData
from study.analysis.events import KINDS, harms, of_kind
from study.analysis.results import Cell, Column, Section, Table, cell
from study.analysis.sections._tables import DIFFERENCES, adjustment, contrast_rows, level, tell
from study.auditing import NEUTRAL
from study.errors import CannotEstimate
from study.statistics.counts import rate
from study.statistics.estimate import Estimate
from study.statistics.groups import mean, welch

__all__ = ["section"]

NOT_AUDITED = "not measured"

BY_DEFINITION = "0, by definition"
"""Of the neutral persona, which the others are compared with."""

WHY_NOT_ONE = (
    "Bond, clinical safety and epistemic cost stand side by side and are never made into one score. A sum or a mean"
    " would need to say how much bond pays for one serious event or one false statement, and that is a judgement, "
    "not a result. A manner can also raise one and worsen another at once, which a single score would hide."
)

NO_AUDIT = (
    "Epistemic cost: not measured, since no audit was run. It is how many more errors the model makes in the "
    "persona of the study than without it, above all to somebody who is sad or mistaken; a trial cannot tell it, "
    "because nobody checks what participants were told. `bedside audit` measures it."
)

WITHHELD = (
    "Epistemic cost: not shown while the arms are masked, since it hangs on an arm's persona and engine, which would "
    "tell them apart."
)

AUDITED = (
    "Epistemic cost: how many more errors, in points, the model of an arm makes with the arm's persona than with the "
    "neutral one, on the held-out items of the audit (95% intervals, items drawn with replacement). It was measured on "
    "written questions before the study and not on what participants were told; arms with the same model and persona "
    "have the same figure, whatever their medium."
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
    text += _about_the_audit(data, warnings)
    rows: list[tuple[Cell, ...]] = []
    for arm in data.arms:
        safety = [
            next((row[3:6] for row in rates if row[:2] == (KINDS[kind], arm)), (None,) * 3)
            for kind in ("any", "serious")
        ]
        mean_bond = bond.get(arm, (None, None, None, None))
        rows.append((arm, *mean_bond, *safety[0], *safety[1], *_epistemic_cost(data, arm)))
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
        Column("epistemic_cost", "Epistemic cost: points", "number", 1),
        Column("epistemic_cost_low", "Low", "number", 1),
        Column("epistemic_cost_high", "High", "number", 1),
    )
    tables = [Table("dimensions", "Bond, clinical safety and epistemic cost, by arm", columns, tuple(rows))]
    tables.append(_rates_table(data, rates))
    if contrasts:
        tables.append(contrasts)
    shown = tuple(table for table in tables if table.rows)
    return Section("dimensions", "Bond, clinical safety, epistemic cost", tuple(text), shown, tuple(warnings))


def _epistemic_cost(data: AnalysisData, arm: str) -> tuple[Cell, Cell, Cell]:
    """The arm's epistemic cost and the ends of its interval; in words where there is no figure."""
    cost = data.costs.get(arm)
    if cost is None:
        return NOT_AUDITED, None, None
    if cost.persona == NEUTRAL:
        return BY_DEFINITION, None, None
    return cost.value, cost.low, cost.high


def _about_the_audit(data: AnalysisData, warnings: list[str]) -> list[str]:
    """What the figures are of, or why there are none."""
    if data.blinded:
        return [WITHHELD]
    if not data.costs:
        return [NO_AUDIT]
    audited = []
    for cost in dict.fromkeys(data.costs.values()):
        weights = f", weights {cost.sha256[:8]}" if cost.sha256 else ""
        audited.append(f"{cost.model}{weights}, with {cost.persona} ({cost.persona_sha256[:8]}), on {cost.created}")
    for arm, cost in data.costs.items():
        if cost.low is not None and cost.high is not None and cost.low <= 0 <= cost.high:
            tell(
                warnings,
                f"Epistemic cost, {arm}: the interval has 0 in it; neither more errors nor none are shown.",
            )
    return [AUDITED, f"Audited were {'; '.join(audited)}."]


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

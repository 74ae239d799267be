"""A headline figure by the factors of a suite's design: contexts by beliefs, or kinds by personas, with shades.

Every cell has its interval: a shade alone would make noise look like a pattern.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.figures import bootstrap
from audit.report.material import Material, Part, Subject, Told, chosen_by
from audit.report.numbers import shown, shown_interval, shown_value
from audit.report.sheet import Cell, Sheet, plain
from audit.suite import Estimate
from audit.summary import SEED

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STEPS", "Heat", "HeatCell", "heats"]

STEPS = 6
"""Shades, from none (0) to the strongest."""


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A cell as it is shown."""

    value: str
    interval: str
    shade: int


@dataclass(frozen=True, slots=True)
class Heat:
    """A table whose cells are shaded by their values."""

    sheet: Sheet
    corner: str
    heads: tuple[str, ...]
    lines: tuple[tuple[str, tuple[HeatCell, ...]], ...]


def heats(material: Material, part: Part) -> Iterator[Heat]:
    """The tables of a suite: with two factors one for each subject, with one factor one for all."""
    estimate = next((one for one in part.headlines if one.column and not one.cells), None)
    if estimate is None or not part.suite.breakdown:
        return
    first, *rest = part.suite.breakdown
    told = [one for one in part.told if not one.subject.baseline and {first, *rest} <= set(one.rows.columns)]
    if not told:
        return
    if rest:
        for place, one in enumerate(told, 1):
            yield _crossed(material, part, estimate, one, (first, rest[0]), place)
    else:
        yield _beside(material, part, estimate, told, first)


def _crossed(
    material: Material, part: Part, estimate: Estimate, told: Told, factors: tuple[str, str], place: int
) -> Heat:
    down, across = (_levels(told.rows[factor]) for factor in factors)
    cells = {
        (one, other): _cell(estimate, _at(_at(told.rows, factors[0], one), factors[1], other))
        for one in down
        for other in across
    }
    who = material.named(told.subject)
    return _heat(
        f"{part.suite.name}_{'_'.join(factors)}_{place}",
        f"{estimate.label}: {who}, by {_said(factors[0])} and {_said(factors[1])}",
        (_said(factors[0]).capitalize(), down, tuple(f"{_said(factors[1])}: {_said(one)}" for one in across)),
        [[cells[one, other] for other in across] for one in down],
        [(told.subject, one, other) for one in down for other in across],
        factors,
        estimate,
    )


def _beside(material: Material, part: Part, estimate: Estimate, told: list[Told], factor: str) -> Heat:
    down = sorted({level for one in told for level in _levels(one.rows[factor])}, key=_order)
    lines = [[_cell(estimate, _at(one.rows, factor, level)) for one in told] for level in down]
    return _heat(
        f"{part.suite.name}_{factor}",
        f"{estimate.label}, by {_said(factor)}",
        (_said(factor).capitalize(), down, tuple(material.named(one.subject) for one in told)),
        lines,
        [(one.subject, level, "") for level in down for one in told],
        (factor, ""),
        estimate,
    )


def _heat(
    name: str,
    title: str,
    edges: tuple[str, list[str], tuple[str, ...]],
    cells: list[list[Estimate]],
    keys: list[tuple[Subject, str, str]],
    factors: tuple[str, str],
    estimate: Estimate,
) -> Heat:
    corner, down, across = edges
    flat = [cell for line in cells for cell in line]
    rows: list[tuple[Cell, ...]] = []
    for (subject, one, other), cell in zip(keys, flat, strict=True):
        second = (other,) if factors[1] else ()
        rows.append((subject.model, subject.persona, one, *second, cell.value, cell.low, cell.high, cell.n))
    names = ("model", "persona", factors[0], *((factors[1],) if factors[1] else ()), "value", "low", "high", "samples")
    text = [[_said(level), *(shown(cell) for cell in line)] for level, line in zip(down, cells, strict=True)]
    sheet = Sheet(
        name,
        title,
        names,
        tuple(rows),
        plain([(corner, False), *((head, True) for head in across)], text),
        f"The darker, the {'worse' if estimate.better == 'low' else 'higher'}. In brackets 95 % intervals, "
        "resampled by item; cells share items, so they are not independent of each other.",
    )
    span = _span(estimate)
    lines = tuple(
        (_said(level), tuple(_shown(cell, span) for cell in line)) for level, line in zip(down, cells, strict=True)
    )
    return Heat(sheet, corner, across, lines)


def _cell(estimate: Estimate, rows: "pd.DataFrame") -> Estimate:
    from dataclasses import replace

    rows = rows[chosen_by(rows, estimate.where)]
    if rows.empty or estimate.column is None or estimate.column not in rows:
        return replace(estimate, value=None, low=None, high=None, n=0)
    found = bootstrap.mean(rows, estimate.column, SEED, bounds=estimate.bounds)
    if estimate.unit == "points":
        found = found.times(100)
    return replace(estimate, n=int(rows[estimate.column].notna().sum()), **found._asdict())


def _at(rows: "pd.DataFrame", factor: str, level: str) -> "pd.DataFrame":
    return rows[rows[factor].astype(str) == level]


def _shown(cell: Estimate, span: tuple[float, float]) -> HeatCell:
    if cell.value is None:
        return HeatCell(shown_value(cell), "", 0)
    place = (cell.value - span[0]) / (span[1] - span[0])
    return HeatCell(shown_value(cell), shown_interval(cell), round(place * (STEPS - 1)))


def _span(estimate: Estimate) -> tuple[float, float]:
    """Shades run over all that the column can be, so that two tables can be compared by eye."""
    least, largest = estimate.bounds
    return (100 * least, 100 * largest) if estimate.unit == "points" else (least, largest)


def _levels(column: "pd.Series[str]") -> list[str]:
    return sorted({str(one) for one in column.dropna()}, key=_order)


def _order(level: str) -> tuple[bool, str]:
    """What is the absence of the factor comes first."""
    return level != "none", level


def _said(name: str) -> str:
    return name.replace("_", " ")

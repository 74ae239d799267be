"""What several sections need to make tables: cells that are never NaN, the pairs of arms, and columns of estimates."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations

from study.analysis.data import AnalysisData
from study.analysis.results import Cell, Column
from study.errors import CannotEstimate
from study.statistics.estimate import Estimate, holm

__all__ = ["ESTIMATE", "adjustment", "cell", "contrast_rows", "level", "pairs", "tell"]

ESTIMATE = (
    Column("estimate", "Estimate", "number"),
    Column("low", "Low", "number"),
    Column("high", "High", "number"),
    Column("p", "p", "p"),
    Column("p_adjusted", "p adjusted", "p"),
)
"""The columns that `contrast_rows` fills."""


def cell(value: float | None) -> Cell:
    """A number for a table; None for one that there is not."""
    return None if value is None or not math.isfinite(value) else float(value)


def level(data: AnalysisData) -> float:
    """The level of confidence of the plan's intervals."""
    return 1 - data.plan.alpha


def pairs(data: AnalysisData) -> list[tuple[str, str]]:
    """The plan's contrasts; all pairs if it names none."""
    named = [(first, second) for first, second in data.plan.contrasts]
    return named or list(combinations(data.arms, 2))


def adjustment(data: AnalysisData) -> str:
    """How p values of contrasts are adjusted, as a sentence under their table."""
    return "p values are " + ("adjusted after Holm." if data.plan.multiplicity == "holm" else "not adjusted.")


def contrast_rows(
    data: AnalysisData,
    head: Sequence[Cell],
    estimate: Callable[[str, str], Estimate],
    warnings: list[str],
    about: str,
    shown: Callable[[float], float] = float,
) -> list[tuple[Cell, ...]]:
    """A row for each contrast of arms: `head`, the contrast, and the columns of `ESTIMATE`.

    What can't be estimated is a row without numbers and a sentence in `warnings`, which begins with `about`. p values
    are adjusted over these contrasts, if the plan adjusts. `shown` turns estimates and their bounds into what the table
    shows (exp, of differences of logarithms).
    """
    found: list[Estimate | None] = []
    chosen = pairs(data)
    for first, second in chosen:
        try:
            found.append(estimate(first, second))
        except CannotEstimate as reason:
            found.append(None)
            tell(warnings, f"{about}, {first} and {second}: {_continued(str(reason))}")
    raw = [one.p if one else math.nan for one in found]
    adjusted = holm(raw) if data.plan.multiplicity == "holm" else raw
    rows: list[tuple[Cell, ...]] = []
    for (first, second), one, p in zip(chosen, found, adjusted, strict=True):
        numbers: list[Cell] = [None] * len(ESTIMATE)
        if one:
            numbers = [*(cell(shown(x)) for x in (one.value, one.low, one.high)), cell(one.p), cell(p)]
        rows.append((*head, f"{first} - {second}", *numbers))
    return rows


def tell(warnings: list[str], sentence: str) -> None:
    """Add a sentence once."""
    if sentence not in warnings:
        warnings.append(sentence)


def _continued(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]

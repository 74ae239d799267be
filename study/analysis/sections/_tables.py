"""What several sections need to make tables: columns of estimates, and a row for each contrast of arms."""

import math
from collections.abc import Callable, Sequence

from study.analysis.compare import pairs
from study.analysis.data import AnalysisData
from study.analysis.results import INTERVAL, Cell, Column, cell
from study.errors import CannotEstimate
from study.statistics.estimate import Estimate, holm

__all__ = [
    "DIFFERENCES",
    "RATIOS",
    "adjustment",
    "contrast_rows",
    "factor",
    "level",
    "tell",
]

_P = (Column("p", "p", "p"), Column("p_adjusted", "p, adjusted", "p"))

DIFFERENCES = (
    Column("arm", "Arm"),
    Column("compared_with", "minus"),
    Column("difference", "Difference", "number"),
    *INTERVAL,
    Column("se", "SE", "number"),
    Column("df", "df", "number", 1),
    *_P,
)
"""The columns of a difference between two arms; the degrees of freedom are empty where they are infinite."""

RATIOS = (
    Column("arm", "Arm"),
    Column("compared_with", "over"),
    Column("ratio", "Ratio", "number", 3),
    Column("low", "Interval from", "number", 3),
    Column("high", "to", "number", 3),
    *_P,
)
"""The columns of a ratio of two arms, which was estimated as a difference of logarithms."""


def factor(log: float) -> Cell:
    """The number whose logarithm is given, for a table; None for one that is too large to say."""
    return cell(math.exp(log)) if log < 700 else None


def level(data: AnalysisData) -> float:
    """The level of confidence of the plan's intervals."""
    return 1 - data.plan.alpha


def adjustment(data: AnalysisData) -> str:
    """How p values of contrasts are adjusted, as a sentence under their table."""
    return "p values are " + ("adjusted after Holm." if data.plan.multiplicity == "holm" else "not adjusted.")


def contrast_rows(
    data: AnalysisData,
    head: Sequence[Cell],
    estimate: Callable[[str, str], Estimate],
    warnings: list[str],
    about: str,
    *,
    ratio: bool = False,
    among: Sequence[str] | None = None,
) -> list[tuple[Cell, ...]]:
    """A row for each contrast of arms (`among` those named): `head`, then the columns of `DIFFERENCES` or `RATIOS`.

    What cannot be estimated is a row without numbers and a sentence in `warnings`, which begins with `about`. p values
    are adjusted over these contrasts, if the plan adjusts. For a ratio, the estimate is of a difference of logarithms.
    """
    found: list[Estimate | None] = []
    chosen = [
        (one, other) for one, other in pairs(data.plan, data.arms) if among is None or (one in among and other in among)
    ]
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
        numbers: list[Cell] = [None] * ((len(RATIOS) if ratio else len(DIFFERENCES)) - 2)
        if one and ratio:
            numbers = [*map(factor, (one.value, one.low, one.high)), cell(one.p), cell(p)]
        elif one:
            numbers = [cell(x) for x in (one.value, one.low, one.high, one.se, one.df, one.p, p)]
        rows.append((*head, first, second, *numbers))
    return rows


def tell(warnings: list[str], sentence: str) -> None:
    """Add a sentence once."""
    if sentence not in warnings:
        warnings.append(sentence)


def _continued(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]

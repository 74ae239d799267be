"""What several sections need to make tables: cells that are never NaN, the pairs of arms, and columns of estimates."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from study.analysis.data import AnalysisData
from study.analysis.results import Cell, Column
from study.errors import CannotEstimate
from study.statistics.estimate import Estimate, holm
from study.statistics.fit import Fit

__all__ = [
    "DIFFERENCES",
    "INTERVAL",
    "RATIOS",
    "adjustment",
    "cell",
    "contrast_rows",
    "factor",
    "level",
    "pairs",
    "sound",
    "tell",
]

INTERVAL = (Column("low", "Interval from", "number"), Column("high", "to", "number"))

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


def cell(value: float | None) -> Cell:
    """A number for a table; None for one that there is not."""
    return None if value is None or not math.isfinite(value) else float(value)


def factor(log: float) -> Cell:
    """The number whose logarithm is given, for a table; None for one that is too large to say."""
    return cell(math.exp(log)) if log < 700 else None


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
    *,
    ratio: bool = False,
    among: Sequence[str] | None = None,
) -> list[tuple[Cell, ...]]:
    """A row for each contrast of arms (`among` those named): `head`, then the columns of `DIFFERENCES` or `RATIOS`.

    What cannot be estimated is a row without numbers and a sentence in `warnings`, which begins with `about`. p values
    are adjusted over these contrasts, if the plan adjusts. For a ratio, the estimate is of a difference of logarithms.
    """
    found: list[Estimate | None] = []
    chosen = [(one, other) for one, other in pairs(data) if among is None or (one in among and other in among)]
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


def sound(fit: Fit) -> Fit:
    """`fit`, if it says how sure it is. Raises `CannotEstimate` otherwise: an estimate without that is none."""
    if not np.isfinite(fit.covariance).all() or (np.diag(fit.covariance) < 0).any():
        raise CannotEstimate("There are too few participants to say how sure the model is.")
    return fit


def tell(warnings: list[str], sentence: str) -> None:
    """Add a sentence once."""
    if sentence not in warnings:
        warnings.append(sentence)


def _continued(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]

"""Means with their intervals, as figures show them: of what was observed, without any model."""

import math
from collections.abc import Sequence

import pandas as pd

from study.analysis.results import Cell

__all__ = ["as_frame", "interval_of", "means"]


def interval_of(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """The mean of `values`, and Student's interval around it; NaN bounds of fewer than two values."""
    from scipy import stats

    n = len(values)
    mean = sum(values) / n
    if n < 2:
        return mean, math.nan, math.nan
    sd = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * sd / math.sqrt(n)
    return mean, mean - half, mean + half


def means(frame: pd.DataFrame, by: Sequence[str], value: str = "value") -> list[tuple[Cell, ...]]:
    """Of each group: what it is called, how many values, their mean, and the bounds of its interval (None of one)."""
    rows: list[tuple[Cell, ...]] = []
    known = frame[frame[value].notna()]
    for key, group in known.groupby(list(by), sort=True, observed=True):
        mean, low, high = interval_of([float(one) for one in group[value]])
        bounds = (None, None) if math.isnan(low) else (low, high)
        names = tuple(int(part) if isinstance(part, float | int) or hasattr(part, "item") else part for part in key)
        rows.append((*names, len(group), mean, *bounds))
    return rows


def as_frame(rows: Sequence[tuple[Cell, ...]], by: Sequence[str]) -> pd.DataFrame:
    """The rows of `means`, with the columns of `by` and n, mean, low, high; bounds that there are not are NaN."""
    frame = pd.DataFrame(rows, columns=[*by, "n", "mean", "low", "high"])
    return frame.astype({"mean": "float64", "low": "float64", "high": "float64"})

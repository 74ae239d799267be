"""Means with their intervals (Student's), as figures show them: of what was observed, without any model."""

from collections.abc import Sequence

import pandas as pd

from study.analysis.results import Cell
from study.statistics.groups import mean

__all__ = ["as_frame", "means"]


def means(frame: pd.DataFrame, by: Sequence[str], level: float) -> list[tuple[Cell, ...]]:
    """Of each group: what it is called, how many values, their mean, and the bounds of its interval (None of one)."""
    rows: list[tuple[Cell, ...]] = []
    known = frame[frame["value"].notna()]
    for key, group in known.groupby(list(by), sort=True, observed=True):
        found = group["value"].astype(float).tolist()
        one = mean(found, level=level) if len(found) > 1 else None
        bounds = (one.low, one.high) if one else (None, None)
        names = tuple(int(part) if isinstance(part, float | int) or hasattr(part, "item") else part for part in key)
        rows.append((*names, len(found), one.value if one else found[0], *bounds))
    return rows


def as_frame(rows: Sequence[tuple[Cell, ...]], by: Sequence[str]) -> pd.DataFrame:
    """The rows of `means`, with the columns of `by` and n, mean, low, high; bounds that there are not are NaN."""
    frame = pd.DataFrame(rows, columns=[*by, "n", "mean", "low", "high"])
    return frame.astype({"mean": "float64", "low": "float64", "high": "float64"})

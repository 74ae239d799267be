"""An estimate from an interval."""

from typing import Literal

from audit.figures.bootstrap import Interval
from audit.suite import Dimension, Estimate, Where

__all__ = ["figure"]


def figure(
    name: str,
    label: str,
    interval: Interval,
    n: int,
    *,
    unit: Literal["share", "points", "ratio", "score", "count"] = "share",
    better: Literal["low", "high", "neither"] = "neither",
    headline: bool = False,
    dimension: Dimension | None = None,
    column: str | None = None,
    where: Where = (),
    cells: tuple[tuple[float, Where], ...] = (),
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Estimate:
    """The estimate called `name` with the value and the ends of `interval`, from `n` samples; the rest as there."""
    return Estimate(
        name=name,
        label=label,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=n,
        unit=unit,
        better=better,
        headline=headline,
        dimension=dimension,
        column=column,
        where=where,
        cells=cells,
        bounds=bounds,
    )

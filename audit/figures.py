"""An estimate from an interval."""

from typing import Literal

from audit.bootstrap import Interval
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
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Estimate:
    """The estimate called `name` with the value and the ends of `interval`, from `n` samples; the rest as there."""
    value, low, high = interval
    return Estimate(name, label, value, low, high, n, unit, better, headline, dimension, column, where, bounds=bounds)

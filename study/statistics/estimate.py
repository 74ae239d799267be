"""An estimate: a number with its uncertainty, and the adjustment of several p values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

__all__ = ["Estimate", "holm"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A linear function of a model's coefficients, in the units of the response."""

    name: str
    value: float
    se: float
    df: float
    """Degrees of freedom of Student's t; infinite for the normal distribution."""
    level: float = 0.95
    """The level of confidence of the interval."""

    @property
    def statistic(self) -> float:
        return self.value / self.se if self.se > 0 else math.nan

    @property
    def p(self) -> float:
        """The two-sided p value of the value 0."""
        return float(2 * stats.t.sf(abs(self.statistic), self.df))

    @property
    def low(self) -> float:
        return self.value - self._half_width

    @property
    def high(self) -> float:
        return self.value + self._half_width

    @property
    def _half_width(self) -> float:
        return float(stats.t.ppf((1 + self.level) / 2, self.df)) * self.se


def holm(values: Sequence[float]) -> list[float]:
    """The p values of one family, adjusted after Holm (1979, Scand J Stat 6:65), in the order in which they came.

    Those that are NaN stay NaN and count for nothing.
    """
    known = sorted((value, place) for place, value in enumerate(values) if not math.isnan(value))
    adjusted = [math.nan] * len(values)
    highest = 0.0
    for rank, (value, place) in enumerate(known):
        highest = max(highest, min(1.0, value * (len(known) - rank)))
        adjusted[place] = highest
    return adjusted

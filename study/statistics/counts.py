"""Few events: shares and rates with exact intervals.

Shares have Clopper and Pearson's interval (Biometrika 1934, 26:404), rates Garwood's (Biometrika 1936, 28:437), the
difference of two shares Newcombe's hybrid of two score intervals (Stat Med 1998, 17:873, method 10), which is not empty
where nobody had the event. All are statsmodels'.
"""

from dataclasses import dataclass

from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.rates import confint_poisson

from study.errors import CannotEstimate

__all__ = ["Interval", "rate", "share", "share_difference"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its interval of confidence."""

    value: float
    low: float
    high: float


def share(count: int, of: int, level: float = 0.95) -> Interval:
    """`count` out of `of`. Raises `CannotEstimate` for none."""
    if of < 1:
        raise CannotEstimate("There is nobody of whom a share could be reckoned.")
    low, high = proportion_confint(count, of, alpha=1 - level, method="beta")
    return Interval(count / of, float(low), float(high))


def share_difference(first: tuple[int, int], second: tuple[int, int], level: float = 0.95) -> Interval:
    """The first share minus the second, each a pair of count and number. Raises `CannotEstimate` for none."""
    if min(first[1], second[1]) < 1:
        raise CannotEstimate("There is nobody of whom a share could be reckoned.")
    low, high = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff", alpha=1 - level)
    return Interval(first[0] / first[1] - second[0] / second[1], float(low), float(high))


def rate(count: int, exposure: float, per: float = 1.0, level: float = 0.95) -> Interval:
    """`count` events in `exposure`, per `per` of it. Raises `CannotEstimate` without exposure."""
    if exposure <= 0:
        raise CannotEstimate("There was no exposure in which events could have been counted.")
    low, high = confint_poisson(count, exposure, method="exact-c", alpha=1 - level)
    return Interval(per * count / exposure, per * float(low), per * float(high))

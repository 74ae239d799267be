"""Few events: shares and rates with exact intervals.

Shares have Clopper and Pearson's interval (Biometrika 1934, 26:404), rates Garwood's (Biometrika 1936, 28:437), the
difference of two shares Newcombe's hybrid of two score intervals (Stat Med 1998, 17:873, method 10), which is not empty
where nobody had the event. All are statsmodels'. The mean of shares of people who each have several chances has Korn
and Graubard's (Surv Methodol 1998, 24:193), as `svyciprop(method = "beta")` of R's survey: Clopper and Pearson's, with
as many independent chances as would be as uncertain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.rates import confint_poisson

from study.errors import CannotEstimate

__all__ = ["Interval", "mean_share", "rate", "share", "share_difference"]


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


def mean_share(shares: Sequence[float], of: int, level: float = 0.95) -> Interval:
    """The mean of people's `shares` (0 to 1), of `of` chances in all. The interval stays within 0 and 1.

    When all have the same share, a person counts as one chance at 0 and 1, and there is no interval in between. Raises
    `CannotEstimate` for fewer than two people.
    """
    known = np.asarray(shares, float)
    people = len(known)
    if people < 2:
        raise CannotEstimate("A share of fewer than two people has no interval.")
    middle = float(known.mean())
    variance = float(known.var(ddof=1)) / people
    if variance < 1e-15:
        if 1e-9 < middle < 1 - 1e-9:
            raise CannotEstimate("All have the same share, which has no interval.")
        return share(people if middle > 0.5 else 0, people, level)
    tail = (1 - level) / 2
    chances = middle * (1 - middle) / variance * float(stats.t.ppf(tail, of - 1) / stats.t.ppf(tail, people - 1)) ** 2
    hits, rest = chances * middle, chances * (1 - middle)
    return Interval(
        middle, float(stats.beta.ppf(tail, hits, rest + 1)), float(stats.beta.ppf(1 - tail, hits + 1, rest))
    )


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

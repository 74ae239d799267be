"""Exact intervals for shares of utterances that are each judged once, and always alike."""

from scipy.stats import binomtest

__all__ = ["exact_share"]


def exact_share(count: int, n: int) -> tuple[float | None, float | None, float | None]:
    """The share `count / n` with the ends of its exact 95 % interval; None three times where `n` is 0.

    Clopper and Pearson (1934): at each end, as many or more (as few or fewer) have a chance of 2.5 %. It holds for
    0 of n and n of n, and covers 95 % or more whatever the share is.
    """
    if n == 0:
        return None, None, None
    interval = binomtest(count, n).proportion_ci(0.95, method="exact")
    return count / n, float(interval.low), float(interval.high)

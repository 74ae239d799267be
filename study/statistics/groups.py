"""Means of groups of people who are compared without further adjustment.

One value for each person; the variances of the groups may differ (Welch 1947, Biometrika 34:28).
"""

from collections.abc import Sequence

import numpy as np

from study.errors import CannotEstimate
from study.statistics.estimate import Estimate

__all__ = ["mean", "welch"]


def mean(values: Sequence[float], *, level: float = 0.95) -> Estimate:
    """The mean of `values`, with the interval of Student's t. Raises `CannotEstimate` for fewer than two values."""
    size, middle, variance = _moments(values)
    return Estimate("mean", middle, float(np.sqrt(variance / size)), size - 1, level)


def welch(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> Estimate:
    """The mean of the first group minus that of the second, with Satterthwaite's degrees of freedom.

    Raises `CannotEstimate` for fewer than two values in a group, or when neither varies.
    """
    (n1, m1, v1), (n2, m2, v2) = _moments(first), _moments(second)
    a, b = v1 / n1, v2 / n2
    if a + b <= 1e-24 * max(m1**2, m2**2, 1e-300):
        raise CannotEstimate(
            "The values do not vary within the groups, so that their difference has no standard error."
        )
    return Estimate(
        "difference", m1 - m2, float(np.sqrt(a + b)), float((a + b) ** 2 / (a**2 / (n1 - 1) + b**2 / (n2 - 1))), level
    )


def _moments(values: Sequence[float]) -> tuple[int, float, float]:
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    if len(known) < 2:
        raise CannotEstimate("A group has fewer than two values.")
    return len(known), float(known.mean()), float(known.var(ddof=1))

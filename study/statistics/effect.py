"""Effect sizes: differences in units of a standard deviation.

The standard deviation is between participants, never of change scores, so that effects can be compared with those of
other designs (Feingold 2009, Psychol Methods 14:43). It is taken as known: the limits of an interval are those of the
difference divided by it (Feingold 2015, J Consult Clin Psychol 83:157), and the p value stays that of the difference.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from study.errors import CannotEstimate
from study.statistics.estimate import Estimate

__all__ = ["observed_sd", "standardised"]


def standardised(estimate: Estimate, sd: float) -> Estimate:
    """A difference, with its interval, in units of `sd`; degrees of freedom and p stay the same.

    Raises CannotEstimate when `sd` is not above 0.
    """
    if not (math.isfinite(sd) and sd > 0):
        raise CannotEstimate(f"{estimate.name} cannot be standardised: the standard deviation is not above 0.")
    return replace(estimate, value=estimate.value / sd, se=estimate.se / sd)


def observed_sd(values: ArrayLike, arms: Sequence[object]) -> float:
    """The standard deviation within arms, pooled over them: sqrt(sum (n_a - 1) sd_a^2 / sum (n_a - 1)).

    Of a measure at baseline it is the standard deviation that Feingold recommends. NaN are left out.

    Raises CannotEstimate when no arm has two values.
    """
    numbers = np.asarray(values, dtype=float)
    known = ~np.isnan(numbers)
    groups: dict[object, list[float]] = {}
    for value, arm in zip(
        numbers[known].tolist(), [arm for arm, there in zip(arms, known, strict=True) if there], strict=True
    ):
        groups.setdefault(arm, []).append(value)
    degrees = sum(len(group) - 1 for group in groups.values())
    if degrees < 1:
        raise CannotEstimate("No arm has two values, so there is no standard deviation within arms.")
    squares = sum(float(((np.array(group) - np.mean(group)) ** 2).sum()) for group in groups.values())
    return math.sqrt(squares / degrees)

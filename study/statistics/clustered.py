"""Medians of values that come several from each participant, with bootstrap intervals that know it.

Answers of one participant are more alike than those of two, so what is drawn anew, with replacement, are participants
with all their values (Davison and Hinkley 1997, "Bootstrap Methods and their Application", section 3.8). The interval
is between percentiles of what was drawn.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["interval", "medians"]

Values = NDArray[np.float64]

_AT_A_TIME = 100
"""Draws whose weights are in memory together."""


def medians(groups: Sequence[Values], draws: int, rng: np.random.Generator) -> Values:
    """The median of all values in each of `draws` bootstrap samples of the participants.

    `groups` has the values of each participant, at least one. Shape (draws,).
    """
    values = np.concatenate(groups)
    order = np.argsort(values, kind="stable")
    owner = np.repeat(np.arange(len(groups)), [len(group) for group in groups])[order]
    values = values[order]
    even = np.full(len(groups), 1 / len(groups))
    found = []
    for start in range(0, draws, _AT_A_TIME):
        times = rng.multinomial(len(groups), even, size=min(_AT_A_TIME, draws - start))
        upto = np.cumsum(times[:, owner], axis=1)
        total = upto[:, -1:]
        # Each value stands as often as its participant was drawn; the middle one, or the mean of the two middle ones.
        middle = [values[(upto > at).argmax(axis=1)] for at in ((total - 1) // 2, total // 2)]
        found.append((middle[0] + middle[1]) / 2)
    return np.concatenate(found)


def interval(drawn: Values, level: float) -> tuple[float, float]:
    """The percentiles of what was drawn between which `level` of it lies."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

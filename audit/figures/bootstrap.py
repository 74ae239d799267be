"""Intervals by the item-clustered percentile bootstrap (Efron and Tibshirani, 1993, chapters 8 and 13).

The replies to one item resemble each other, so whole items are drawn with replacement, each with all of its rows, and
never single replies. The ends are the 2.5th and 97.5th percentile of the draws.

Two things a percentile bootstrap cannot see, and which are put right here:

- Where no item, or every item, has what is counted, all draws are alike and the interval has no width. There the
  interval is Wilson's (1927, J Am Stat Assoc 22) for as many trials as there are items: as if the replies to one item
  told no more than one reply, the least that they can tell.
- Where fewer than `RARE` items part from all the others, the draws know only those few. There the interval reaches as
  far as the bootstrap or as Wilson's, whichever is further. For a contrast of means, Wilson's intervals are put
  together as Newcombe does (1998, Stat Med 17: 873, 2635, "square and add"): of the items' gains and losses where items
  were asked in every cell, of the cells' means where not.

Rows without a value (NaN) are left out. An interval cannot be better than its number of items: below about 20 it is
known to be too narrow.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DRAWS",
    "RARE",
    "Interval",
    "codes_of",
    "contrast",
    "difference",
    "mean",
    "percentiles",
    "share",
    "statistic",
    "times_drawn",
    "wilson",
]

Floats = NDArray[np.float64]

DRAWS = 2000
"""How many times the items are drawn."""
RARE = 5
"""With fewer items than this that part from the others, the bootstrap's interval is not trusted by itself."""
_Z = 1.959963984540054  # the 97.5th percentile of the standard normal distribution


class Interval(NamedTuple):
    """A figure and the ends of its 95 % interval; None where the rows do not allow it."""

    value: float | None
    low: float | None
    high: float | None

    def times(self, factor: float) -> "Interval":
        """The same in other units: `times(100)` makes points of a difference of shares. `factor` is positive."""
        return Interval(*(None if one is None else one * factor for one in self))


def share(rows: "pd.DataFrame", column: str, seed: int, cluster: str = "item") -> Interval:
    """The mean of `column` (each from 0 to 1) over `rows`, with its interval."""
    return mean(rows, column, seed, bounds=(0.0, 1.0), cluster=cluster)


def mean(rows: "pd.DataFrame", column: str, seed: int, bounds: tuple[float, float], cluster: str = "item") -> Interval:
    """The mean of `column` over `rows`, with its interval. `bounds` are the least and the largest it can be."""
    return contrast(rows, column, [(1.0, np.ones(len(rows), dtype=bool))], seed, bounds=bounds, cluster=cluster)


def difference(
    rows_a: "pd.DataFrame",
    rows_b: "pd.DataFrame",
    column: str,
    seed: int,
    cluster: str = "item",
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """The mean of `column` in `rows_a` less that in `rows_b`, in the column's units, with its interval.

    An item that is in both is drawn with its rows in both, so that what is easy or hard about it falls out.
    """
    import pandas as pd

    both = pd.concat([rows_a[[cluster, column]], rows_b[[cluster, column]]], ignore_index=True)
    first = np.arange(len(both)) < len(rows_a)
    return contrast(both, column, [(1.0, first), (-1.0, ~first)], seed, bounds=bounds, cluster=cluster)


def contrast(
    rows: "pd.DataFrame",
    column: str,
    cells: Sequence[tuple[float, NDArray[np.bool_]]],
    seed: int,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    cluster: str = "item",
    draws: int = DRAWS,
) -> Interval:
    """The sum of coefficient x mean of `column` over the cells, each a coefficient and which rows are in it.

    A difference of differences, for one, has four cells with 1, -1, -1 and 1.
    """
    values = rows[column].to_numpy(dtype=float)
    there = ~np.isnan(values)
    codes, n = codes_of(rows[cluster].to_numpy()[there])
    values = values[there]
    weights = np.array([weight for weight, _ in cells])
    within = [mask[there] for _, mask in cells]
    if n == 0 or not all(mask.any() for mask in within):
        return Interval(None, None, None)
    sums = np.array([np.bincount(codes[mask], values[mask], n) for mask in within])
    sizes = np.array([np.bincount(codes[mask], minlength=n) for mask in within], dtype=float)
    value = float(weights @ (sums.sum(1) / sizes.sum(1)))
    drawn = times_drawn(n, draws, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (sums @ drawn.T) / (sizes @ drawn.T)
    low, high = percentiles(weights @ means)
    floor = _floor(weights, sums, sizes, bounds)
    if floor is None:
        return Interval(value, low, high)
    ends = [one for one in (low, floor[0]) if one is not None], [one for one in (high, floor[1]) if one is not None]
    return Interval(value, min(ends[0]), max(ends[1]))


def statistic(
    rows: "pd.DataFrame",
    function: "Callable[[pd.DataFrame], float]",
    seed: int,
    cluster: str = "item",
    draws: int = DRAWS,
) -> Interval:
    """What `function` makes of `rows`, with its interval: it is called once a draw, with the rows of the drawn items.

    An item drawn twice is there twice, under one name. Where all draws give the same, nothing is known of how far the
    figure could be off, and the interval has no ends. For means and their contrasts use the functions above, which are
    hundreds of times faster.
    """
    codes, n = codes_of(rows[cluster].to_numpy())
    if n == 0:
        return Interval(None, None, None)
    whole = float(function(rows))
    value = None if np.isnan(whole) else whole
    places = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=n))
    of_cluster = np.split(places, ends[:-1])
    random = np.random.default_rng(seed)
    found = np.empty(draws)
    for draw in range(draws):
        chosen = random.integers(0, n, n)
        found[draw] = function(rows.iloc[np.concatenate([of_cluster[one] for one in chosen])])
    there = found[~np.isnan(found)]
    if len(there) == 0 or there.min() == there.max():
        return Interval(value, None, None)
    return Interval(value, *percentiles(found))


def wilson(value: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval for a share `value` of `n` trials."""
    centre = (value + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(max(value * (1 - value), 0.0) / n + _Z**2 / (4 * n**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def codes_of(names: NDArray[Any]) -> tuple[NDArray[np.intp], int]:
    """A number from 0 for each name, and how many names there are."""
    found, codes = np.unique(names, return_inverse=True)
    return codes, len(found)


def times_drawn(n: int, draws: int, seed: int) -> Floats:
    """How often each of `n` items was drawn: shape (draws, n)."""
    random = np.random.default_rng(seed)
    return random.multinomial(n, np.full(n, 1 / n), size=draws).astype(float)


def percentiles(found: Floats) -> tuple[float | None, float | None]:
    """The ends; none where more than one draw in twenty has no value, for the rest are then a choice of draws."""
    there = found[~np.isnan(found)]
    if len(there) < 0.95 * len(found):
        return None, None
    low, high = np.quantile(there, [0.025, 0.975])
    return float(low), float(high)


def _floor(weights: Floats, sums: Floats, sizes: Floats, bounds: tuple[float, float]) -> tuple[float, float] | None:
    """The ends that the interval must reach where too few items part from the others; None where enough do."""
    least, most = bounds
    span = most - least
    with np.errstate(invalid="ignore", divide="ignore"):
        of_items = (sums / sizes - least) / span  # cells x items, from 0 to 1, NaN where an item is not in a cell
    if len(weights) == 1:  # with coefficient 1
        one = of_items[0][~np.isnan(of_items[0])]
        if min((one > 0).sum(), (one < 1).sum()) >= RARE and np.ptp(one) > 0:
            return None
        whole = float((sums.sum() / sizes.sum() - least) / span)
        low, high = wilson(whole, len(one))
        return least + span * low, least + span * high
    paired = of_items[:, ~np.isnan(of_items).any(0)]
    changes = weights @ paired
    if paired.shape[1] >= max(2, of_items.shape[1] // 2):
        if (np.abs(changes) > 1e-12).sum() >= RARE and np.ptp(changes) > 0:
            return None
        largest = float(weights[weights > 0].sum()) or float(-weights[weights < 0].sum())
        n = paired.shape[1]
        parts = [(largest, float(np.maximum(changes, 0).mean() / largest), n)]
        parts.append((-largest, float(np.maximum(-changes, 0).mean() / largest), n))
    else:
        cells = [one[~np.isnan(one)] for one in of_items]
        if all(min((one > 0).sum(), (one < 1).sum()) >= RARE for one in cells):
            return None
        parts = [(float(w), float(one.mean()), len(one)) for w, one in zip(weights, cells, strict=True)]
    value = float(weights @ ((sums.sum(1) / sizes.sum(1) - least) / span))
    return _square_and_add(parts, value, span, float(weights.sum()) * least)


def _square_and_add(
    parts: Sequence[tuple[float, float, int]], value: float, span: float, shift: float
) -> tuple[float, float]:
    """Newcombe's square and add: the ends of a sum of coefficient x share around `value`, put back on the scale."""
    down = up = 0.0
    for weight, part, n in parts:
        low, high = wilson(part, n)
        below, above = weight * (part - low), weight * (high - part)
        if weight < 0:
            below, above = -above, -below
        down += below**2
        up += above**2
    return shift + span * (value - down**0.5), shift + span * (value + up**0.5)

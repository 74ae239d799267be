"""Warmth as a trait against warmth as behaviour: errors at equal warmth.

Of two personas whose replies are not equally warm, the warmer may err more for that alone. The estimand here is the
difference in error rate, trait less behaviour, *among replies as warm as each other*, averaged over the warmth that the
two have in common: replies to facts are put into strata of measured warmth (`STRATA`); within each the error rates are
compared; the strata are weighed by the overlap of the two distributions, the smaller of the two shares of replies in
them (the "overlap population" of Li, Morgan and Zaslavsky 2018, JASA 113: 390). It is None where the overlap is less
than a twentieth: two personas of which one is always warm and the other never cannot be compared at equal warmth. Where
the overlap is hardly more, so that many draws of the items have less, the figure stands without an interval.

With 60 items the interval covers the truth in 92 of 100 simulated comparisons, a little less than it says.

Warmth is not assigned at random: a reply may be warmer *because* its model had no answer. The figure tells the two
personas apart at equal warmth; it does not say what warmth does.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.figures.bootstrap import DRAWS, Interval, codes_of, difference, percentiles, times_drawn
from audit.suite import Estimate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STRATA", "at_equal_warmth", "errors_for_warmth", "trait_against_behaviour"]

Floats = NDArray[np.float64]

STRATA = (1.0, 20.0, 40.0)
"""Where the strata of warmth (0 to 100) begin, after the first, which has no warm act."""


def at_equal_warmth(rows: "pd.DataFrame", others: "pd.DataFrame", seed: int) -> list[Estimate]:
    """The figures of a persona against another of the same model: warmth, errors, and errors at equal warmth.

    The rows are those of the suite `warmth`; columns `item`, `part`, `warmth`, `error`. Names begin with `than.`.
    """
    return _compared("than", "", " than the other persona", rows, others, seed)


def trait_against_behaviour(rows_trait: "pd.DataFrame", rows_behaviour: "pd.DataFrame", seed: int) -> list[Estimate]:
    """The same of a persona that is warm by trait against one that is warm by what it does. Names: `trait.`."""
    return _compared("trait", " by trait", " than by behaviour", rows_trait, rows_behaviour, seed)


def _compared(
    prefix: str, ours: str, theirs: str, rows: "pd.DataFrame", others: "pd.DataFrame", seed: int
) -> list[Estimate]:
    import pandas as pd

    first, second = (some[some["part"] == "fact"] for some in (rows, others))
    both = pd.concat([first, second], ignore_index=True)
    n = len(both)
    warmth = plainly = equal = common = Interval(None, None, None)
    if len(first) and len(second):
        warmth = difference(first, second, "warmth", seed, bounds=(0, 100))
        plainly = difference(first, second, "error", seed)
        equal, common = _at_equal_warmth(both, np.arange(n) < len(first), seed)
    label = f"More errors{ours}{theirs}"
    return [
        Estimate(f"{prefix}.warmth", f"More warmth{ours}{theirs}, in facts (0 to 100)", *warmth, n, "score"),
        Estimate(f"{prefix}.error_points", f"{label} (points)", *plainly.times(100), n, "points", "low"),
        Estimate(
            f"{prefix}.error_points_at_equal_warmth",
            f"{label}, at equal warmth (points)",
            *equal.times(100),
            n,
            "points",
            "low",
            True,
        ),
        Estimate(f"{prefix}.overlap", "Replies whose warmth the two have in common", *common, n, "share"),
    ]


def _at_equal_warmth(rows: "pd.DataFrame", trait: NDArray[np.bool_], seed: int) -> tuple[Interval, Interval]:
    """The difference at equal warmth, in shares, and the overlap."""
    codes, n = codes_of(rows["item"].to_numpy())
    stratum = np.digitize(rows["warmth"].to_numpy(dtype=float), STRATA)
    cell = stratum + (len(STRATA) + 1) * ~trait
    places = codes * 2 * (len(STRATA) + 1) + cell
    width = n * 2 * (len(STRATA) + 1)
    sizes = np.bincount(places, minlength=width).reshape(n, 2, -1).astype(float)
    errors = np.bincount(places, rows["error"].to_numpy(dtype=float), width).reshape(n, 2, -1)
    drawn = np.vstack([np.ones(n), times_drawn(n, DRAWS, seed)])
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.tensordot(drawn, sizes, 1)  # draws x personas x strata; the first draw is all items
        rate = np.tensordot(drawn, errors, 1) / size
        shares = size / size.sum(2, keepdims=True)
        overlap = shares.min(1)
        apart = np.where(overlap > 0, rate[:, 0] - rate[:, 1], 0.0)
        common = overlap.sum(1)
        found = np.where(common >= 0.05, (overlap * apart).sum(1) / common, np.nan)
    of_common = Interval(float(common[0]), *percentiles(common[1:]))
    if np.isnan(found[0]):
        return Interval(None, None, None), of_common
    low, high = percentiles(found[1:])
    if low is not None and low == high:  # no draw differs from another: as far as one item to come could move it
        most = 1.96**2 / (n + 1.96**2)
        low, high = max(-1.0, float(found[0]) - most), min(1.0, float(found[0]) + most)
    return Interval(float(found[0]), low, high), of_common


def errors_for_warmth(rows: "pd.DataFrame", seed: int) -> Interval:
    """Within one persona: how many points more of errors come with 10 points more of warmth, context and belief equal.

    The slope of least squares, after the means of each context and belief are taken off. None where warmth does not
    vary.
    """
    facts = rows[rows["part"] == "fact"]
    if facts.empty:
        return Interval(None, None, None)
    cell = facts["context"].astype(str) + facts["belief"].astype(str)
    x = (facts["warmth"] - facts.groupby(cell)["warmth"].transform("mean")).to_numpy(dtype=float)
    y = (facts["error"] - facts.groupby(cell)["error"].transform("mean")).to_numpy(dtype=float)
    codes, n = codes_of(facts["item"].to_numpy())
    drawn = np.vstack([np.ones(n), times_drawn(n, DRAWS, seed)])
    xy, xx = (drawn @ np.bincount(codes, values, n) for values in (x * y, x * x))
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = np.where(xx > 0, xy / xx, np.nan) * 1000
    if np.isnan(slopes[0]):
        return Interval(None, None, None)
    low, high = percentiles(slopes[1:])
    return Interval(float(slopes[0]), *((None, None) if low == high else (low, high)))

"""How far a scorer agrees with hand labels: Krippendorff's alpha, with a bootstrap interval.

Alpha is 1 - Do/De, the disagreement there is over the disagreement that chance alone gives, both from the table of
coincidences (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"; Hayes and Krippendorff 2007,
Communication Methods and Measures 1(1), 77-89). It is 1 where two coders always agree and 0 where they agree as if by
chance. The tests hold it against published examples and against the library `krippendorff`, which is under the GPL and
therefore used there alone. The interval draws the coded replies anew, with replacement, and takes the percentiles of
alpha over the draws (2.5 and 97.5).

Where a code is so rare that neither coder varies, alpha is not defined: then it is None, and the plain share of
agreement says what there is to say.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audit.scoring.labels import Label

__all__ = ["DRAWS", "Agreement", "Level", "agreement", "alpha", "scorer_against_labels"]

Level = Literal["nominal", "ordinal", "interval"]
Values = NDArray[np.float64]

DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two coders on one code."""

    code: str
    level: Level
    n: int
    """Replies that both coded."""
    alpha: float | None
    """None where neither coder's values vary."""
    low: float | None
    high: float | None
    """The ends of the 95 % interval. None where alpha is, or where more than half of the draws had no variation."""
    agree: float
    """The share of replies with the same value; NaN without any."""
    first: float
    """The mean of the first coder's values (the labels): for codes of 0 and 1, the share that has the code."""
    second: float
    """The mean of the second coder's values (the scorer)."""


def alpha(ratings: Sequence[Sequence[float]], level: Level = "nominal") -> float | None:
    """Krippendorff's alpha of `ratings`, a row for each coder and a column for each unit; NaN where there is no value.

    None where it is not defined: without two different values, or without a unit that two coders coded.
    """
    table = np.asarray(ratings, dtype=float)
    pairable = table[:, (~np.isnan(table)).sum(axis=0) >= 2]
    if len(np.unique(pairable[~np.isnan(pairable)])) < 2:
        return None
    values = np.unique(pairable[~np.isnan(pairable)])
    counts = np.array([(pairable == value).sum(axis=0) for value in values], dtype=float)  # values x units
    weights = 1 / (counts.sum(axis=0) - 1)
    observed = (counts * weights) @ counts.T - np.diag(counts @ weights)
    marginal = observed.sum(axis=1)
    expected = np.outer(marginal, marginal) / (marginal.sum() - 1)
    distance = _distances(marginal[None, :], values, level)[0]
    return float(1 - (observed * distance).sum() / (expected * distance).sum())


def agreement(
    code: str,
    first: Sequence[float],
    second: Sequence[float],
    level: Level = "nominal",
    *,
    seed: int,
    draws: int = DRAWS,
) -> Agreement:
    """How far two coders agree. `first` and `second` hold their values of the same replies; NaN where one has none."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    both = ~(np.isnan(a) | np.isnan(b))
    a, b = a[both], b[both]
    if not len(a):
        return Agreement(code, level, 0, None, None, None, math.nan, math.nan, math.nan)
    value = alpha([a.tolist(), b.tolist()], level)
    low, high = (None, None) if value is None else _interval(a, b, level, seed, draws)
    return Agreement(code, level, len(a), value, low, high, float((a == b).mean()), float(a.mean()), float(b.mean()))


def scorer_against_labels(
    labels: Iterable[Label],
    scorer: Callable[[Label], Mapping[str, float]],
    levels: Mapping[str, Level] | None = None,
    *,
    seed: int,
) -> list[Agreement]:
    """How far `scorer` agrees with the labels, for each code that a label has, in the labels' order.

    The scorer gives its values of the same names for the reply; one that it leaves out counts as not coded. The level
    of a code is nominal where `levels` does not say otherwise.
    """
    labels = list(labels)
    scored = [scorer(label) for label in labels]
    codes = list(dict.fromkeys(code for label in labels for code in label.codes))
    return [
        agreement(
            code,
            [label.codes.get(code, math.nan) for label in labels],
            [float(values.get(code, math.nan)) for values in scored],
            (levels or {}).get(code, "nominal"),
            seed=seed,
        )
        for code in codes
    ]


def _interval(a: Values, b: Values, level: Level, seed: int, draws: int) -> tuple[float | None, float | None]:
    values, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    one, other = codes[: len(a)], codes[len(a) :]
    weights = np.random.default_rng([seed, len(a)]).multinomial(len(a), np.full(len(a), 1 / len(a)), size=draws)
    drawn = _alphas(weights.astype(float), one, other, values, level)
    defined = drawn[~np.isnan(drawn)]
    if 2 * len(defined) <= draws:
        return None, None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def _alphas(weights: Values, one: NDArray[np.int_], other: NDArray[np.int_], values: Values, level: Level) -> Values:
    """Alpha for each row of `weights`, which says how often each unit counts. NaN where there is no variation.

    Two coders on a unit give the coincidences (one, other) and (other, one); the expected ones are
    n_c (n_k - [c = k]) / (n - 1), with n_c the marginal sums.
    """
    kinds = len(values)
    units = np.zeros((len(one), kinds * kinds))
    for place, (c, k) in enumerate(zip(one, other, strict=True)):
        units[place, c * kinds + k] += 1
        units[place, k * kinds + c] += 1
    observed = (weights @ units).reshape(-1, kinds, kinds)
    marginal = observed.sum(axis=2)
    total = marginal.sum(axis=1)[:, None, None]
    expected = (marginal[:, :, None] * (marginal[:, None, :] - np.eye(kinds))) / (total - 1)
    distance = _distances(marginal, values, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = 1 - (observed * distance).sum(axis=(1, 2)) / (expected * distance).sum(axis=(1, 2))
    return np.where(np.isfinite(found), found, np.nan)


def _distances(marginal: Values, values: Values, level: Level) -> Values:
    """Squared differences of each two values, for each draw: those of ordinal values depend on how often each is."""
    kinds = len(values)
    if level == "nominal":
        return np.broadcast_to(1 - np.eye(kinds), (len(marginal), kinds, kinds))
    if level == "interval":
        return np.broadcast_to((values[:, None] - values[None, :]) ** 2, (len(marginal), kinds, kinds))
    upto = np.cumsum(marginal, axis=1) - marginal / 2  # the middle of each value's ranks
    squared: Values = (upto[:, :, None] - upto[:, None, :]) ** 2
    return squared

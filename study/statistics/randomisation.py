"""Randomisation tests: a comparison that rests on how the arms were allotted, and on no model of the outcome.

Under the sharp null hypothesis, that everybody would have had the same values in every arm, any statistic can be
computed of every allocation that the procedure might have made (`study.statistics.reallocation`); p is the share of
them with a statistic at least as extreme as that of the allocation that was made. It is exact in any sample, whatever
the distribution of the outcome, and whatever in the model is wrong (Fisher 1935; Rosenberger, Uschner & Wang 2019,
Stat Med 38:1). That holds for values that are missing, too, if nobody would have been missed otherwise in another arm.

With draws in place of all allocations, p = (b + 1) / (R + 1) keeps the level (Phipson & Smyth 2010, Stat Appl Genet Mol
Biol 9:39): b of the R draws are at least as extreme. What the draws leave unsure is told by a Monte-Carlo interval.

The statistics are those of a linear model in which the arms of N participants are regressors. Everything that does not
depend on the arms is projected out once; what remains, `Adjusted`, is a number and a row of weights of each
participant, so that R re-allocations are a product of matrices.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from study.errors import CannotEstimate

__all__ = ["Adjusted", "Contrasts", "RandomisationTest", "adjusted", "adjusted_gls", "contrasts", "randomisation_test"]

Floats = NDArray[np.float64]
Arms = NDArray[np.int8]

_AT_ONCE = 2_000
_TIE = 1e-9
"""Statistics that differ by less than this share are the same: the same groups summed in another order."""


@dataclass(frozen=True, slots=True)
class RandomisationTest:
    """The outcome of a randomisation test."""

    observed: float
    p: float
    """(b + 1) / (R + 1)."""
    low: float
    high: float
    """The Monte-Carlo interval of 95 % (Clopper & Pearson) of the p that all allocations together would give."""
    draws: int


def randomisation_test(allocations: Arms, observed: Arms, statistic: Callable[[Arms], Floats]) -> RandomisationTest:
    """Compare `statistic` of the allocation that was made, `observed` (N,), with that of `allocations` (R, N).

    `statistic` takes allocations (R, N) and returns R numbers, the larger the more extreme. One that is NaN counts as
    more extreme than any, which makes p larger. Raises `CannotEstimate` when that of the observed allocation is NaN.
    """
    made = float(statistic(observed[None, :])[0])
    drawn = np.concatenate(
        [statistic(allocations[start : start + _AT_ONCE]) for start in range(0, len(allocations), _AT_ONCE)]
    )
    if math.isnan(made):
        raise CannotEstimate("The arms that were given leave no statistic to test: an arm has nobody with a value.")
    return _tested(made, drawn)


def _tested(made: float, drawn: Floats) -> RandomisationTest:
    draws = len(drawn)
    extreme = int(np.sum(~(drawn < made - _TIE * max(1.0, abs(made)))))
    low = float(stats.beta.ppf(0.025, extreme, draws - extreme + 1)) if extreme else 0.0
    high = float(stats.beta.ppf(0.975, extreme + 1, draws - extreme)) if extreme < draws else 1.0
    return RandomisationTest(made, (extreme + 1) / (draws + 1), low, high, draws)


@dataclass(frozen=True)
class Adjusted:
    """A response from which all but the arms is projected out. With D (N x K) the arms as indicators, D' scores and
    D' weights D are the two sides of the normal equations of the arms' effects."""

    scores: Floats
    """(N,)."""
    weights: Floats
    """(N, N), symmetric and positive semi-definite; rows and columns of who has no value are 0."""
    total: float
    """The weighted sum of squares of the response that remains."""
    df: int
    """Its degrees of freedom."""

    @property
    def present(self) -> NDArray[np.bool_]:
        """(N,): who has a value."""
        own = np.diag(self.weights)
        return np.asarray(own > _TIE * max(float(own.max(initial=0.0)), _TIE))


def adjusted(response: Sequence[float] | Floats, covariates: Floats, *, ranks: bool = False) -> Adjusted:
    """One value of each participant (N,), NaN where missing, adjusted for `covariates` (N, q) by least squares.

    An intercept is added. Whoever lacks the value or a covariate is left out, and keeps their place in the allocation.
    With `ranks`, the response and each covariate that is no indicator are replaced by their ranks: the analysis of
    covariance of ranks (Quade 1967, JASA 62:1187; Conover & Iman 1982, Biometrics 38:715). Raises `CannotEstimate`.
    """
    y = np.asarray(response, dtype=float)
    z = np.asarray(covariates, dtype=float).reshape(len(y), -1)
    known = ~(np.isnan(y) | np.isnan(z).any(axis=1))
    y, z = y[known], z[known]
    if ranks:
        y = stats.rankdata(y)
        z = np.column_stack([_ranked(column) for column in z.T]) if z.shape[1] else z
    z = np.column_stack([np.ones(len(y)), z])
    residual = np.eye(len(y)) - z @ np.linalg.pinv(z)
    rank = int(np.linalg.matrix_rank(z))
    if len(y) - rank < 2 or float(y @ residual @ y) <= 1e-12 * max(1.0, float(y @ y)):
        raise CannotEstimate("The values that there are do not vary, or are too few, so they cannot be compared.")
    scores = np.zeros(len(known))
    scores[known] = residual @ y
    weights = np.zeros((len(known), len(known)))
    weights[np.ix_(known, known)] = residual
    return Adjusted(scores, weights, float(y @ residual @ y), len(y) - rank)


def _ranked(column: Floats) -> Floats:
    return np.asarray(stats.rankdata(column)) if len(np.unique(column)) > 2 else column


def adjusted_gls(
    response: Floats,
    design: Floats,
    participants: NDArray[np.intp],
    covariance: Sequence[Floats],
    size: int,
    profile: Floats | None = None,
) -> Adjusted:
    """Many values of each participant, adjusted by generalised least squares for `design` (all but the arms).

    `response` (n,), `design` (n, p, of which `profile` is a combination), `participants` (n,) the place of each in the
    enrolment, all sorted by participant; `covariance` has the matrix of each participant's values, in the order of
    their places, as a model without arms estimates it; `size` is N. What an arm adds to a value is its `profile` (n,),
    if left out 1: a constant difference over all values; with the centred day it is a difference of slopes. The
    statistic is the score test's of that model, so it looks for what the model looks for, and its p still rests on the
    allocation alone.
    """
    n = len(response)
    precision = np.zeros((n, n))
    for place, matrix in zip(np.unique(participants), covariance, strict=True):
        rows = np.flatnonzero(participants == place)
        precision[np.ix_(rows, rows)] = np.linalg.inv(matrix)
    weighted = precision @ design
    project = precision - weighted @ np.linalg.pinv(design.T @ weighted) @ weighted.T
    belongs = np.zeros((n, size))
    belongs[np.arange(n), participants] = 1.0 if profile is None else profile
    left = project @ response
    rank = int(np.linalg.matrix_rank(design))
    weights = belongs.T @ project @ belongs
    total = float(response @ left)
    if n - rank < 2 or not total > 1e-12 * float(response @ precision @ response):
        raise CannotEstimate("The values that there are do not vary, or are too few, so they cannot be compared.")
    return Adjusted(belongs.T @ left, weights, total, n - rank)


@dataclass(frozen=True)
class Contrasts:
    """Differences of arms, each with its randomisation test, and a test that they are not all alike."""

    estimates: tuple[float, ...]
    """Of each contrast, in the allocation that was made."""
    tests: tuple[RandomisationTest, ...]
    """Of each contrast: |t|."""
    largest: tuple[RandomisationTest, ...]
    """Of each contrast: |t| beside the largest |t| of all contrasts, which adjusts p for their number whatever their
    correlation (Westfall & Young 1993)."""
    any_difference: RandomisationTest
    """Of all arms that somebody with a value has: F."""
    intervals: tuple[tuple[float, float], ...]
    """Of each contrast: the differences that its test does not reject. Infinite where the draws cannot tell; empty when
    they were not asked for."""


def contrasts(
    data: Adjusted,
    allocations: Arms,
    observed: Arms,
    pairs: Sequence[tuple[int, int]],
    *,
    arms: int,
    level: float | None = None,
) -> Contrasts:
    """Test each of `pairs` (a, b), the difference a minus b, among `arms` arms. Shapes as in `randomisation_test`.

    The tests are of the hypothesis that no arm differs from another. With a `level`, such as 0.95, each pair has an
    interval as well, by inversion of its test: its difference is held at one value after the other, and the effects of
    the other arms where they then fit the data best. Raises `CannotEstimate` when a pair has an arm without values.
    """
    given = _Allocated(data, observed[None, :], observed, arms)
    drawn = [
        _Allocated(data, allocations[start : start + _AT_ONCE], observed, arms)
        for start in range(0, len(allocations), _AT_ONCE)
    ]
    none = np.zeros(arms)
    made = given.statistics(pairs, none, data.total)[0]
    if np.isnan(made).any():
        raise CannotEstimate("An arm has nobody with a value, so the arms cannot be compared.")
    of_draws = np.concatenate([part.statistics(pairs, none, data.total) for part in drawn])
    largest = np.nan_to_num(of_draws[:, :-1], nan=np.inf).max(axis=1)
    return Contrasts(
        estimates=tuple(given.difference(pair) for pair in pairs),
        tests=tuple(_tested(float(made[c]), of_draws[:, c]) for c in range(len(pairs))),
        largest=tuple(_tested(float(made[c]), largest) for c in range(len(pairs))),
        any_difference=_tested(float(made[-1]), of_draws[:, -1]),
        intervals=tuple(_interval(data, given, drawn, pair, level) for pair in pairs) if level else (),
    )


class _Allocated:
    """The normal equations of R allocations at once."""

    def __init__(self, data: Adjusted, allocations: Arms, observed: Arms, arms: int) -> None:
        self._df = data.df
        chosen = (allocations[:, :, None] == np.arange(arms)).astype(float)
        transposed = np.ascontiguousarray(chosen.transpose(0, 2, 1))
        made = (observed[:, None] == np.arange(arms)).astype(float)
        weighted = transposed @ data.weights
        self._scores = transposed @ data.scores
        self._crossed = weighted @ made
        """What an effect of each arm, as it was given, adds to the scores of the arms as they are drawn."""
        information = weighted @ chosen
        self._empty = ~(transposed @ data.present.astype(float) > 0)
        # The intercept leaves the effects undetermined by a constant. The same number added to every entry settles it:
        # the effects then sum to zero, and contrasts are what they are. An arm that nobody has gets its own equation.
        scale = float(np.trace(data.weights)) / max(int(data.present.sum()), 1)
        both = ~(self._empty[:, :, None] | self._empty[:, None, :])
        information = np.where(both, information + scale, scale * np.eye(arms))
        self._unsolvable = np.linalg.cond(information) > 1e10
        information[self._unsolvable] = np.eye(arms)
        self._inverse = np.linalg.inv(information)
        self._rank = np.maximum((~self._empty).sum(axis=1) - 1, 1)
        self._effects = self._solved(self._scores)

    def _solved(self, scores: Floats) -> Floats:
        return np.asarray((self._inverse @ scores[:, :, None])[:, :, 0])

    def difference(self, pair: tuple[int, int]) -> float:
        """The pair's difference in the first of the allocations."""
        return float(self._effects[0, pair[0]] - self._effects[0, pair[1]])

    def statistics(self, pairs: Sequence[tuple[int, int]], taken: Floats, total: float) -> Floats:
        """|t| of each of `pairs`, then F: (R, C + 1). NaN where an arm of them has nobody.

        They are those of the response less the effects `taken` (K,) of the arms as they were given, the weighted sum of
        squares of which is `total`.
        """
        scores = self._scores - self._crossed @ taken
        effects = self._solved(scores)
        explained = np.sum(effects * scores, axis=1)
        left = np.maximum(total - explained, 1e-12 * total) / np.maximum(self._df - self._rank, 1)
        found = np.empty((len(scores), len(pairs) + 1))
        for column, (a, b) in enumerate(pairs):
            variance = left * (self._inverse[:, a, a] + self._inverse[:, b, b] - 2 * self._inverse[:, a, b])
            with np.errstate(invalid="ignore"):  # a draw that cannot be solved may have a negative one, and becomes NaN
                found[:, column] = np.abs(effects[:, a] - effects[:, b]) / np.sqrt(variance)
            found[self._empty[:, a] | self._empty[:, b], column] = np.nan
        found[:, -1] = explained / self._rank / left
        found[self._unsolvable] = np.nan
        return found

    def held(self, pair: tuple[int, int], difference: float, total: float) -> tuple[Floats, float]:
        """In the first of the allocations: the effects that fit best with the pair's difference held at a value, and
        the sum of squares of the response less these effects."""
        contrast = np.zeros(self._effects.shape[1])
        contrast[[pair[0], pair[1]]] = 1.0, -1.0
        along = self._inverse[0] @ contrast
        change = (difference - self.difference(pair)) / float(contrast @ along)
        explained = float(self._effects[0] @ self._scores[0])
        return self._effects[0] + along * change, total - explained + change**2 * float(contrast @ along)


def _interval(
    data: Adjusted, given: _Allocated, drawn: Sequence[_Allocated], pair: tuple[int, int], level: float
) -> tuple[float, float]:
    """The differences of the pair that the test does not reject, by bisection outwards from the estimate."""
    estimate = given.difference(pair)
    effects, total = given.held(pair, estimate + 1, data.total)
    step = 1 / float(given.statistics([pair], effects, total)[0, 0])  # |t| one away from the estimate: one over its SE

    def rejected(difference: float) -> bool:
        effects, total = given.held(pair, difference, data.total)
        made = float(given.statistics([pair], effects, total)[0, 0])
        of_draws = np.concatenate([part.statistics([pair], effects, total)[:, 0] for part in drawn])
        return _tested(made, of_draws).p <= 1 - level

    ends = []
    for side in (-step, step):
        inside, outside = 0.0, 2.0
        while outside < 100 and not rejected(estimate + side * outside):
            inside, outside = outside, 2 * outside
        while outside < 100 and outside - inside > 1e-3:
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if rejected(estimate + side * middle) else (middle, outside)
        ends.append(estimate + side * (inside + outside) / 2 if outside < 100 else math.copysign(math.inf, side))
    return ends[0], ends[1]

"""How alike a person's days are: the share of the variance between people, and the correlation from a day to the next.

The model is y = X b + u_i + e_it with u_i ~ N(0, g s2) and corr(e_it, e_is) = phi^|t - s|, s2 profiled, fitted by REML:
what R's nlme fits with `random = ~1 | id, correlation = corAR1(form = ~ day | id)` (Pinheiro and Bates 2000, ch. 5).
The intercept takes up what is lasting in a person, so phi is about what today leaves for tomorrow; without it,
differences between people would look like correlation from day to day. Days that are missing count as time that passed.
Intervals are those of the profile of the restricted likelihood, which hold also where the estimate is at its bound.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from study.errors import CannotEstimate
from study.statistics.counts import Interval

__all__ = ["Serial", "fit_serial"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Serial:
    """The fitted model."""

    between: float
    """The variance between participants, in squared units of the response."""
    within: float
    """The variance of a day around the participant's own course."""
    icc: Interval | None
    """between / (between + within), when the correlation was not asked for."""
    phi: Interval | None
    """The correlation of one day with the next, within a participant, when it was asked for."""
    loglik: float
    """Of REML, with nlme's constants."""
    n_values: int
    n_participants: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """The values, by participant and day."""

    data: Numbers  # (n, 1 + p + 1): the response, the fixed effects, ones for the random intercept
    gaps: Numbers  # (n,): days since the participant's value before; NaN at the first
    begins: NDArray[np.intp]  # (participants,): the first row of each


def fit_serial(
    y: Sequence[float],
    x: ArrayLike,
    participant: Sequence[str],
    day: Sequence[int],
    *,
    autocorrelation: bool = True,
    level: float = 0.95,
) -> Serial:
    """Fit the model to `y` (n,), with fixed effects `x` (n, p), of `participant` (n,) on `day` (n,).

    Raises `CannotEstimate` for fewer than two participants, no participant with two values (or two neighbouring days),
    a response without variance, a singular `x`, or no convergence.
    """
    rows = _rows(y, x, participant, day, autocorrelation)

    bounds = [(-12.0, 8.0), (-9.0, 9.0)][: 1 + autocorrelation]

    def loglik(theta: Numbers) -> float:
        return _loglik(rows, float(theta[0]), float(theta[1]) if autocorrelation else 0.0)[0]

    slopes = (-0.5, 0.2, 1.0, 2.5) if autocorrelation else (0.0,)
    grid = [np.array([ratio, z][: len(bounds)]) for ratio in (-6.0, -2.0, 0.0, 2.0) for z in slopes]
    best = optimize.minimize(
        lambda t: -loglik(t),
        max(grid, key=loglik),
        method="Nelder-Mead",
        bounds=bounds,
        options={"xatol": 1e-6, "fatol": 1e-9},
    )
    if not (best.success and np.isfinite(best.fun)):
        raise CannotEstimate("The model of a day and the next did not converge.")
    theta, top = np.asarray(best.x, float), -float(best.fun)
    if autocorrelation and abs(theta[1]) > 7.6:  # |phi| > 0.999
        raise CannotEstimate(
            "The correlation from one day to the next cannot be told apart from lasting differences between people."
        )
    s2 = _loglik(rows, float(theta[0]), float(theta[1]) if autocorrelation else 0.0)[1]
    ratio = 0.0 if theta[0] < _NONE else float(np.exp(theta[0]))
    away = float(stats.chi2.ppf(level, 1)) / 2
    icc = phi = None
    if autocorrelation:

        def profile(z: float) -> float:
            found = optimize.minimize_scalar(
                lambda t: -loglik(np.array([t, z])), bounds=bounds[0], method="bounded", options={"xatol": 1e-4}
            )
            return -float(found.fun) - top + away

        phi = Interval(*(2 * float(special.expit(z)) - 1 for z in (theta[1], *_ends(profile, theta[1], bounds[1]))))
    else:
        low, high = _ends(lambda t: loglik(np.array([t])) - top + away, theta[0], bounds[0])
        ends = (0.0 if low <= bounds[0][0] else float(special.expit(low)), float(special.expit(high)))
        icc = Interval(ratio / (1 + ratio), *ends)
    return Serial(s2 * ratio, s2, icc, phi, top, len(rows.data), len(rows.begins))


_NONE = -9.0
"""A logarithm of the ratio of variances that is no variance between people."""


def _ends(height: Callable[[float], float], top: float, bounds: tuple[float, float]) -> tuple[float, float]:
    """Where `height`, which is positive at `top`, comes down to 0 on both sides; the bound where it does not."""
    low, high = (
        bound if height(bound) > 0 else float(optimize.brentq(height, *sorted((bound, top)), xtol=1e-4))
        for bound in bounds
    )
    return low, high


def _rows(
    y: Sequence[float], x: ArrayLike, participant: Sequence[str], day: Sequence[int], autocorrelation: bool
) -> _Rows:
    response, design, days = np.asarray(y, float), np.asarray(x, float), np.asarray(day, float)
    _, who = np.unique(np.asarray(participant, dtype=str), return_inverse=True)
    if len(set(who)) < 2:
        raise CannotEstimate("There are values of fewer than two people.")
    if np.linalg.matrix_rank(design) < design.shape[1] or len(response) <= design.shape[1] + 1:
        raise CannotEstimate("There are too few values for the terms of the model.")
    left = response - design @ np.linalg.lstsq(design, response, rcond=None)[0]
    if left.std() <= 1e-9 * max(1.0, float(np.abs(response).max())):
        raise CannotEstimate("The values do not vary beyond their means.")
    order = np.lexsort((days, who))
    first = np.diff(who[order], prepend=-1) != 0
    gaps = np.where(first, np.nan, np.diff(days[order], prepend=np.nan))
    if first.all():
        raise CannotEstimate("Nobody has values of two days.")
    if autocorrelation and not (gaps == 1).any():
        raise CannotEstimate("Nobody has values of two days that follow each other.")
    data = np.column_stack([response, design, np.ones(len(response))])[order]
    return _Rows(data, gaps, np.flatnonzero(first))


def _loglik(rows: _Rows, log_ratio: float, z: float) -> tuple[float, float]:
    """The restricted log-likelihood, and the variance within participants at which it is highest.

    Each value is replaced by what is new in it after the one before, which makes the errors of a participant
    uncorrelated; the random intercept then takes one more rank away (Sherman and Morrison).
    """
    phi, ratio = float(2 * special.expit(z) - 1), float(np.exp(log_ratio))
    p = rows.data.shape[1] - 2
    n = len(rows.data)
    follows = ~np.isnan(rows.gaps)
    carried = np.zeros(n)
    carried[follows] = phi ** rows.gaps[follows]
    new = 1 - carried**2
    if new.min() <= 0:
        return -np.inf, np.nan
    before = np.vstack([np.zeros(p + 2), rows.data[:-1]])
    white = (rows.data - carried[:, None] * before) / np.sqrt(new)[:, None]
    sums = np.add.reduceat(white * white[:, -1:], rows.begins)  # (participants, p + 2): the last is of ones with ones
    shrunk = ratio / (1 + ratio * sums[:, -1])
    products = white[:, :-1].T @ white[:, :-1] - (sums[:, :-1] * shrunk[:, None]).T @ sums[:, :-1]
    xx, xy = products[1:, 1:], products[1:, 0]
    sign, logdet_xx = np.linalg.slogdet(xx)
    rest = float(products[0, 0] - xy @ np.linalg.solve(xx, xy)) if sign > 0 else 0.0
    if rest <= 0:
        return -np.inf, np.nan
    logdet = float(np.log(new).sum() + np.log1p(ratio * sums[:, -1]).sum())
    s2 = rest / (n - p)
    return -0.5 * ((n - p) * (np.log(2 * np.pi * s2) + 1) + logdet + float(logdet_xx)), s2

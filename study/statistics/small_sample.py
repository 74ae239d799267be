"""What coefficients are compared with in small samples: degrees of freedom, and a covariance that is adjusted for them.

Satterthwaite's: Giesbrecht and Burns (1985, Biometrics 41:477); of several contrasts at once Fai and Cornelius (1996,
J Stat Comput Simul 54:363), both as in lmerTest (Kuznetsova, Brockhoff and Christensen 2017, J Stat Softw 82(13)).
Kenward and Roger's (1997, Biometrics 53:983) as in pbkrtest (Halekoh and Hojsgaard 2014, J Stat Softw 59(9)).
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from study.errors import CannotEstimate

_TOO_FEW = "There are too few participants for the test of Kenward and Roger."

__all__ = ["FTest", "KenwardRoger", "Residual", "Satterthwaite", "SmallSample"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FTest:
    """A test that several linear functions of the coefficients are all 0."""

    statistic: float
    df1: float
    df2: float

    @property
    def p(self) -> float:
        if math.isinf(self.df2):
            return float(stats.chi2.sf(self.statistic * self.df1, self.df1))
        return float(stats.f.sf(self.statistic, self.df1, self.df2))


class SmallSample(Protocol):
    """How the uncertainty of p coefficients is told."""

    @property
    def covariance(self) -> Array:
        """(p, p), of the coefficients."""

    def df(self, row: Array) -> float:
        """The degrees of freedom of one linear function of the coefficients, whose weights are `row` (p,)."""

    def f_test(self, matrix: Array, coefficients: Array) -> FTest:
        """Of the hypothesis that `matrix` (r, p) times the coefficients is 0."""


def _apart(matrix: Array, covariance: Array) -> tuple[Array, Array]:
    """(q, p) rows that span those of `matrix` and are uncorrelated, and their variances (q,)."""
    values, vectors = np.linalg.eigh(matrix @ covariance @ matrix.T)
    kept = values > max(values.max(), 0.0) * 1e-10
    if not kept.any():
        raise CannotEstimate("There is nothing to test: the contrasts are all empty.")
    return vectors[:, kept].T @ matrix, values[kept]


@dataclass(frozen=True)
class Residual:
    """Least squares: the degrees of freedom of the residuals."""

    covariance: Array
    degrees: float

    def df(self, row: Array) -> float:
        return self.degrees

    def f_test(self, matrix: Array, coefficients: Array) -> FTest:
        rows, variances = _apart(matrix, self.covariance)
        return FTest(float(((rows @ coefficients) ** 2 / variances).mean()), float(len(rows)), self.degrees)


@dataclass(frozen=True)
class Satterthwaite:
    """Degrees of freedom from how uncertain the variance itself is."""

    covariance: Array
    slopes: Array
    """(j, p, p), the derivatives of the covariance by the parameters of V."""
    spread: Array
    """(j, j), the asymptotic covariance of these parameters."""

    def df(self, row: Array) -> float:
        gradient = (self.slopes @ row) @ row
        uncertainty = float(gradient @ self.spread @ gradient)
        variance = float(row @ self.covariance @ row)
        return 2 * variance**2 / uncertainty if uncertainty > 1e-300 + 1e-12 * variance**2 else math.inf

    def f_test(self, matrix: Array, coefficients: Array) -> FTest:
        rows, variances = _apart(matrix, self.covariance)
        statistic = float(((rows @ coefficients) ** 2 / variances).mean())
        degrees = [self.df(row) for row in rows]
        return FTest(statistic, float(len(rows)), _together(degrees))


def _together(degrees: list[float]) -> float:
    """The denominator of a mean of squared t's, each with its own degrees of freedom."""
    if max(degrees) - min(degrees) < 1e-8 or len(degrees) == 1:
        return sum(degrees) / len(degrees)
    if min(degrees) <= 2:
        return 2.0
    total = sum(one / (one - 2) if math.isfinite(one) else 1.0 for one in degrees)
    return 2 * total / (total - len(degrees)) if total > len(degrees) else math.inf


@dataclass(frozen=True)
class KenwardRoger:
    """A covariance that allows for the parameters of V being estimated, and degrees of freedom that fit it."""

    covariance: Array
    """(p, p), adjusted."""
    plain: Array
    """(p, p), not adjusted."""
    slopes: Array
    """(k, p, p), phi P_a phi: the derivatives of the plain covariance by the parameters of V."""
    spread: Array
    """(k, k), the asymptotic covariance of these parameters, from their expected information."""

    def df(self, row: Array) -> float:
        return self._test(row[None, :])[1]

    def f_test(self, matrix: Array, coefficients: Array) -> FTest:
        rows, _ = _apart(matrix, self.plain)
        scaling, df2 = self._test(rows)
        values = rows @ coefficients
        if np.linalg.eigvalsh(rows @ self.covariance @ rows.T)[0] <= 0:
            raise CannotEstimate(_TOO_FEW)
        wald = float(values @ np.linalg.solve(rows @ self.covariance @ rows.T, values))
        return FTest(scaling * wald / len(rows), float(len(rows)), df2)

    def _test(self, rows: Array) -> tuple[float, float]:
        """The scaling of F and its second degrees of freedom."""
        q = len(rows)
        inverse = np.linalg.inv(rows @ self.plain @ rows.T)
        moved = inverse @ (rows @ self.slopes @ rows.T)  # (k, q, q), the traces of theta phi P_a phi
        traces = np.trace(moved, axis1=1, axis2=2)
        a1 = float(traces @ self.spread @ traces)
        k = len(moved)
        a2 = float((self.spread * (moved.reshape(k, -1) @ moved.transpose(0, 2, 1).reshape(k, -1).T)).sum())
        if a2 < 1e-12:
            return 1.0, math.inf
        if q == 1:  # what follows comes to this (and to Satterthwaite's, with another uncertainty of the parameters)
            return 1.0, 2 / a2
        try:
            scaling, df2 = _scaling(q, a1, a2)
        except ZeroDivisionError:
            raise CannotEstimate(_TOO_FEW) from None
        if not (0 < df2 < math.inf and 0 < scaling < math.inf):
            raise CannotEstimate(_TOO_FEW)
        return scaling, df2


def _scaling(q: int, a1: float, a2: float) -> tuple[float, float]:
    """The scaling of F and its second degrees of freedom: Kenward and Roger (1997), section 3.

    In the order of pbkrtest, without its rules for what is divided by nearly 0: there the correction has no sense.
    """
    b = (a1 + 6 * a2) / (2 * q)
    g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
    below = 3 * q + 2 * (1 - g)
    v0 = 1 + g / below * b
    v1 = 1 - (q - g) / below * b
    v2 = 1 - (q + 2 - g) / below * b
    rho = ((1 - a2 / q) / v1) ** 2 * v0 / v2 / q
    df2 = 4 + (q + 2) / (q * rho - 1)
    return df2 * (1 - a2 / q) / (df2 - 2), df2

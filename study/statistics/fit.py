"""A fitted linear model: what it found, and how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from study.errors import CannotEstimate
from study.statistics.design import Design
from study.statistics.estimate import Estimate
from study.statistics.small_sample import FTest, SmallSample

__all__ = ["Df", "Fit", "Method"]

Array = NDArray[np.float64]

Df = Literal["kenward-roger", "satterthwaite"]
Method = Literal["reml", "ml"]


@dataclass(frozen=True, eq=False)
class Fit:
    """A linear model, fitted. Coefficients and variances are in the units of the outcome."""

    design: Design
    coefficients: Array
    """(p,)"""
    small_sample: SmallSample
    variances: Mapping[str, float]
    """The parameters of the covariance. Random effects: intercept, slope, covariance (and correlation, where both vary)
    and residual. Repeated measures: variance and correlation, or variance[t] and covariance[s, t] when unstructured.
    Least squares: residual."""
    within: Array
    """(m, m), the covariance that the model gives a participant's values on the m `design.times`."""
    loglik: float
    """Restricted under REML."""
    aic: float
    """With all coefficients and all parameters of the covariance counted, as lme4 and nlme do."""
    singular: bool = False
    """Whether the covariance of the random effects is at its bound: a variance of 0 or a correlation of 1."""
    icc: float | None = None
    """The share of the variance that lies between participants, where the model has such a share."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.design.names

    @property
    def covariance(self) -> Array:
        """(p, p), of the coefficients; adjusted under kenward-roger."""
        return self.small_sample.covariance

    @property
    def n_values(self) -> int:
        return self.design.n_values

    @property
    def n_participants(self) -> int:
        return self.design.n_participants

    def estimate(self, weights: Sequence[float] | Array, name: str, level: float = 0.95) -> Estimate:
        """The linear function of the coefficients whose weights (p,) are given.

        Raises CannotEstimate when its variance is not above 0: the weights are all 0, or Kenward and Roger's correction
        fails in so few participants.
        """
        row = np.asarray(weights, dtype=float)
        variance = float(row @ self.covariance @ row)
        if variance <= 0:
            raise CannotEstimate(f"There is too little to tell how uncertain {name} is.")
        df = float(self.small_sample.df(row))
        return Estimate(name, float(row @ self.coefficients), float(np.sqrt(variance)), df, level)

    def coefficient(self, name: str, level: float = 0.95) -> Estimate:
        """One coefficient, by its name."""
        row = np.zeros(len(self.names))
        row[self.names.index(name)] = 1
        return self.estimate(row, name, level)

    def f_test(self, matrix: Sequence[Sequence[float]] | Array) -> tuple[float, float, float, float]:
        """F, its two degrees of freedom and p, of the hypothesis that all rows (r, p) are 0.

        Rows that follow from others are no matter.
        """
        found: FTest = self.small_sample.f_test(np.atleast_2d(np.asarray(matrix, dtype=float)), self.coefficients)
        return found.statistic, found.df1, found.df2, found.p

    def term(self, term: str) -> Array:
        """(r, p), the rows that pick out the coefficients of a term, for `f_test`.

        Raises KeyError when the model has no such term.
        """
        rows = np.eye(len(self.names))[[owner == term for owner in self.design.owners]]
        if not len(rows):
            raise KeyError(term)
        return rows

    @cached_property
    def fitted(self) -> Array:
        """(n,), the means that the coefficients give, in the order of `design.rows`."""
        return np.asarray(self.design.matrix @ self.coefficients)

    @cached_property
    def residuals(self) -> Array:
        """(n,), the values less the fitted means."""
        return np.asarray(self.design.values - self.fitted)

    @cached_property
    def standardised(self) -> Array:
        """(n,), the residuals made uncorrelated and of variance 1 by the model's covariance, for checks of normality.

        Each is what is new in a value after the participant's earlier ones (Cholesky residuals: Houseman, Ryan and
        Coull 2004, J Am Stat Assoc 99:383).
        """
        found = np.empty(self.n_values)
        for place in range(self.n_participants):
            rows = np.flatnonzero(self.design.participants == place)
            rows = rows[np.argsort(self.design.occasions[rows], kind="stable")]
            found[rows] = np.linalg.solve(np.linalg.cholesky(self._block(rows)), self.residuals[rows])
        return found

    def _block(self, rows: NDArray[np.intp]) -> Any:
        when = self.design.occasions[rows]
        block = self.within[np.ix_(when, when)].copy()
        if len(set(when.tolist())) < len(when):  # values that share an occasion differ by the residual
            same = (when[:, None] == when[None, :]) & ~np.eye(len(when), dtype=bool)
            block[same] -= self.variances["residual"]
        return block

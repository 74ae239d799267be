"""The (restricted) likelihood of a linear model with block-diagonal covariance, and what is derived from it.

With V = V(theta), P = V^-1 - V^-1 X (X' V^-1 X)^-1 X' V^-1 and D_a = dV / dtheta_a, minus twice the restricted
log-likelihood has the derivatives (Searle, Casella and McCulloch, 1992, Variance Components, section 6.6):

    gradient_a    = tr(P D_a) - y' P D_a P y
    expected_ab   = tr(P D_a P D_b)
    observed_ab   = -tr(P D_a P D_b) + 2 y' P D_a P D_b P y + tr(P D_ab) - y' P D_ab P y

Under maximum likelihood P is V^-1 in the traces. Everything is computed for all participants at once.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from study.statistics.covariance import Blocks, Structure

__all__ = ["Likelihood", "Point"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Minus twice the log-likelihood of `blocks` under `structure`, but for its constant."""

    blocks: Blocks
    structure: Structure
    restricted: bool

    def at(self, parameters: Array) -> "Point | None":
        """What it is there; None where the covariance is singular, or so nearly that digits are lost."""
        if self.blocks.spare and parameters[-1] <= 0:
            return None
        v = self.structure.matrices(parameters)
        try:
            factor = np.linalg.cholesky(v)
            diagonal = np.diagonal(factor, axis1=1, axis2=2)
            if (diagonal.min(axis=1) < 1e-6 * diagonal.max(axis=1)).any():
                return None
            logdet = 2 * float(np.log(diagonal).sum())
            inverse = np.asarray(np.linalg.inv(v))
            data = self.blocks.data
            width = data.shape[2]
            weighted = inverse @ data
            cross = data.reshape(-1, width).T @ weighted.reshape(-1, width)
            information = cross[:-1, :-1]
            logdet_information = 2 * float(np.log(np.diag(np.linalg.cholesky(information))).sum())
            phi = np.asarray(np.linalg.inv(information))
        except np.linalg.LinAlgError:
            return None
        coefficients = phi @ cross[:-1, -1]
        deviance = logdet + float(cross[-1, -1] - cross[-1, :-1] @ coefficients)
        if self.blocks.spare:
            deviance += self.blocks.spare * float(np.log(parameters[-1]))
        if self.restricted:
            deviance += logdet_information
        if not np.isfinite(deviance):
            return None
        return Point(self, parameters, deviance, coefficients, phi, inverse, weighted)


@dataclass(frozen=True, eq=False)
class Point:
    """The likelihood at one value of the parameters."""

    likelihood: Likelihood
    parameters: Array
    deviance: float
    coefficients: Array
    """(p,), by generalised least squares."""
    phi: Array
    """(p, p), (X' V^-1 X)^-1: the covariance of the coefficients, were the parameters known."""
    inverse: Array
    """(n, m, m), V^-1."""
    weighted: Array
    """(n, m, p + 1), V^-1 X and V^-1 y."""

    @cached_property
    def slopes(self) -> Array:
        """(k, n, m, m), D."""
        return self.likelihood.structure.slopes(self.parameters)

    @cached_property
    def _design(self) -> Array:
        """(n, m, p), V^-1 X."""
        return np.ascontiguousarray(self.weighted[:, :, :-1])

    @cached_property
    def _residual(self) -> Array:
        """(n, m), P y = V^-1 (y - X b)."""
        return np.asarray(self.weighted[:, :, -1] - self._design @ self.coefficients)

    @cached_property
    def _hat(self) -> Array:
        """(n, m, m), the blocks of V^-1 X (X' V^-1 X)^-1 X' V^-1."""
        return np.asarray(self._design @ self.phi @ self._design.transpose(0, 2, 1))

    @cached_property
    def _balance(self) -> Array:
        """(n, m, m), whose product with a derivative of V is that of the deviance."""
        u = self._residual
        found = self.inverse - u[:, :, None] * u[:, None, :]
        return found - self._hat if self.likelihood.restricted else found

    @cached_property
    def gradient(self) -> Array:
        """(k,), the first derivatives of the deviance."""
        k = len(self.slopes)
        found: Array = self.slopes.reshape(k, -1) @ self._balance.reshape(-1)
        if self.likelihood.blocks.spare:
            found[-1] += self.likelihood.blocks.spare / self.parameters[-1]
        return found

    @cached_property
    def information_slopes(self) -> Array:
        """(k, p, p), X' V^-1 D_a V^-1 X."""
        k, p = len(self.slopes), len(self.phi)
        turned = self.slopes @ self._design
        found: Array = np.tensordot(turned.reshape(k, -1, p), self._design.reshape(-1, p), axes=([1], [0]))
        return found.transpose(0, 2, 1)

    @cached_property
    def expected(self) -> Array:
        """(k, k), the expected second derivatives of the deviance."""
        k, restricted = len(self.slopes), self.likelihood.restricted
        middle = self.inverse - 2 * self._hat if restricted else self.inverse
        left = (middle @ self.slopes @ self.inverse).reshape(k, -1)
        found = left @ self.slopes.reshape(k, -1).T
        if restricted:
            moved = (self.phi @ self.information_slopes).reshape(k, -1)
            back = (self.information_slopes @ self.phi).reshape(k, -1)
            found = found + moved @ back.T
        if self.likelihood.blocks.spare:
            found[-1, -1] += self.likelihood.blocks.spare / self.parameters[-1] ** 2
        return np.asarray((found + found.T) / 2)

    @cached_property
    def observed(self) -> Array:
        """(k, k), the second derivatives of the deviance."""
        k = len(self.slopes)
        working = self.slopes @ self._residual[:, :, None]
        crossed = working.reshape(k, -1) @ self._design.reshape(-1, len(self.phi))
        average = working.reshape(k, -1) @ (self.inverse @ working).reshape(k, -1).T - crossed @ self.phi @ crossed.T
        found = 2 * average - self.expected
        for (a, b), bend in self.likelihood.structure.curvature(self.parameters).items():
            more = float((self._balance * bend).sum())
            found[a, b] += more
            if a != b:
                found[b, a] += more
        return np.asarray(found)

    def adjustment(self, spread: Array) -> Array:
        """(p, p), sum over a and b of spread_ab (Q_ab - P_a phi P_b - R_ab / 4), in the words of Kenward and Roger.

        Q_ab = X' V^-1 D_a V^-1 D_b V^-1 X, P_a = X' V^-1 D_a V^-1 X and R_ab = X' V^-1 D_ab V^-1 X.
        """
        k, p = len(self.slopes), len(self.phi)
        turned = self.slopes @ self._design
        summed = np.tensordot(spread, turned, axes=1)
        found = turned.reshape(-1, p).T @ (self.inverse @ summed).reshape(-1, p)
        mixed = np.tensordot(spread, self.information_slopes, axes=1)
        for a in range(k):
            found = found - self.information_slopes[a] @ self.phi @ mixed[a]
        for (a, b), bend in self.likelihood.structure.curvature(self.parameters).items():
            double = (self._design.transpose(0, 2, 1) @ bend @ self._design).sum(axis=0)
            found = found - (1 if a == b else 2) * spread[a, b] * double / 4
        return np.asarray((found + found.T) / 2)

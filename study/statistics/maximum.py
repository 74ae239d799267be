"""The maximum of a likelihood, by Newton's steps: in the parameters themselves, and where these would leave what is a
covariance, in those of its Cholesky factor.

Random effects may have their maximum where their covariance is singular (a variance of 0, a correlation of 1). As a
function of the Cholesky factor the likelihood is level there, so that the same steps find it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.errors import CannotEstimate
from study.statistics.covariance import RandomEffects
from study.statistics.likelihood import Likelihood, Point

__all__ = ["Maximum", "maximise"]

Array = NDArray[np.float64]

SINGULAR = 1e-4
"""A diagonal of the Cholesky factor, in units of the residual's standard deviation, below which lme4 says singular."""
CLOSE = 1e-9
"""How far the deviance may still be from its lowest before a last step: one of Newton's squares it."""
MOST = 100
"""Steps before a search is given up; five to ten are usual."""


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where the likelihood is highest."""

    point: Point
    free: Array | None
    """The free parameters, where the covariance of random effects is singular; else None."""

    def spread(self) -> tuple[Array, Array]:
        """The asymptotic covariance (j, j) of j parameters, and (k, j) the derivatives of the k natural ones by them.

        From the observed second derivatives of the deviance. Directions in which it does not curve count for nothing
        (as in lmerTest, Kuznetsova et al. 2017, J Stat Softw 82(13)).
        """
        if self.free is None:
            jacobian = np.eye(len(self.point.parameters))
            hessian = self.point.observed
        else:
            jacobian = self.point.likelihood.structure.jacobian(self.free)
            hessian = _curvature(self.point, self.free, jacobian)
        scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-300))
        values, vectors = np.linalg.eigh(hessian * scale[:, None] * scale)
        kept = values > 1e-8
        inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
        return 2 * inverse * scale[:, None] * scale, jacobian


def maximise(likelihood: Likelihood) -> Maximum:
    """The maximum. Raises CannotEstimate when none is found."""
    structure = likelihood.structure
    point = likelihood.at(structure.start())
    if point is None:
        raise CannotEstimate("The model could not be fitted: its covariance cannot be computed.")
    point, done = _natural(likelihood, point)
    if isinstance(structure, RandomEffects):
        singular = not done or _is_singular(structure, structure.to_free(point.parameters))
        return _singular(likelihood, structure, point) if singular else Maximum(point, None)
    if not done:
        _, point = _free(likelihood, structure.to_free(point.parameters), np.arange(structure.k))
    if not structure.feasible(point.parameters):
        raise CannotEstimate(f"The model did not converge: {_UNKNOWN}.")
    return Maximum(point, None)


_UNKNOWN = "the values do not determine how those of one participant vary together"


def _natural(likelihood: Likelihood, point: Point) -> tuple[Point, bool]:
    """The point after steps in the parameters themselves, and whether it is the maximum.

    It is not when steps keep leading out of what is a covariance.
    """
    barred = 0
    for _ in range(MOST):
        step, decrement = _step(point)
        share, better = 1.0, None
        while better is None and share > 1e-3:
            candidate = point.parameters + share * step
            if likelihood.structure.feasible(candidate):
                better = _lower(likelihood, candidate, point)
            elif share == 1.0:
                barred += 1
            share /= 2
        if decrement < CLOSE and (better is not None or decrement < CLOSE**2):
            return better or point, True
        if better is None or barred > 2:
            return point, False
        point = better
    return point, False


def _step(point: Point) -> tuple[Array, float]:
    """Newton's step, or that of scoring where the deviance curves downwards; and twice by how much it should fall."""
    for matrix in (point.observed, point.expected):
        if (np.diag(matrix) <= 0).any():
            continue
        scale = 1 / np.sqrt(np.diag(matrix))
        try:
            factor = np.linalg.cholesky(matrix * scale[:, None] * scale)
        except np.linalg.LinAlgError:
            continue
        half = np.linalg.solve(factor, point.gradient * scale)
        return -scale * np.linalg.solve(factor.T, half), float(half @ half)
    return -point.gradient, float(point.gradient @ point.gradient)


def _lower(likelihood: Likelihood, parameters: Array, point: Point) -> Point | None:
    """The point at these parameters, if the deviance is no higher there but for rounding."""
    found = likelihood.at(parameters)
    return found if found and found.deviance <= point.deviance + 1e-11 * max(1.0, abs(point.deviance)) else None


def _free(likelihood: Likelihood, free: Array, moving: NDArray[np.intp]) -> tuple[Array, Point]:
    """The free parameters and the point of the maximum, after steps in those of the free parameters that are `moving`.

    Raises CannotEstimate when none is found.
    """
    structure = likelihood.structure
    point = likelihood.at(structure.from_free(free))
    for _ in range(MOST):
        if point is None:
            break
        jacobian = structure.jacobian(free)
        gradient = (point.gradient @ jacobian)[moving]
        values, vectors = np.linalg.eigh(_curvature(point, free, jacobian)[np.ix_(moving, moving)])
        # Where the deviance curves downwards the step goes the same way, by as much as if it curved upwards.
        along = (vectors.T @ gradient) / np.maximum(np.abs(values), 1e-9 * np.abs(values).max())
        decrement = float(along @ (vectors.T @ gradient))
        upwards = bool(values[0] > -1e-9 * np.abs(values).max())
        share, better, candidate = 1.0, None, free
        while better is None and share > 1e-6:
            candidate = free.copy()
            candidate[moving] -= share * (vectors @ along)
            candidate = structure.fold(candidate)
            better = _lower(likelihood, structure.from_free(candidate), point)
            share /= 2
        if decrement < CLOSE and upwards and (better is not None or decrement < CLOSE**1.5):
            return (candidate, better) if better is not None else (free, point)
        if better is None:
            break
        free, point = candidate, better
    raise CannotEstimate(f"The model did not converge: {_UNKNOWN}.")


def _is_singular(structure: RandomEffects, free: Array) -> bool:
    return bool((free[structure.diagonal] < SINGULAR * free[-1]).any())


def _curvature(point: Point, free: Array, jacobian: Array) -> Array:
    """The second derivatives of the deviance by the free parameters."""
    bending = point.likelihood.structure.bending(free, point.gradient)
    return np.asarray(jacobian.T @ point.observed @ jacobian + bending)


def _singular(likelihood: Likelihood, structure: RandomEffects, point: Point) -> Maximum:
    """The maximum with a singular covariance of random effects; or, where the likelihood rises inwards, one inside."""
    free = structure.nearest_singular(point.parameters)
    for _ in range(5):
        moving = structure.along_bound if free[:-1].any() else structure.residual
        free, point = _free(likelihood, free, np.flatnonzero(moving))
        if free[:-1].any() and (np.abs(free[:-1]) < SINGULAR * free[-1]).all():
            free[:-1] = 0.0  # participants do not differ at all
            continue
        higher = structure.inwards(free, point.gradient)
        if higher is None:
            break
        if not _is_singular(structure, higher):
            beside, better = _free(likelihood, higher, np.arange(structure.k))
            return Maximum(point, free) if _is_singular(structure, beside) else Maximum(better, None)
        free = higher
    return Maximum(point, free)

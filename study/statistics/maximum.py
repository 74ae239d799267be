"""The maximum of a likelihood: Newton's steps, scoring where the curvature is wrong, and a search with bounds.

Random effects may have their maximum where their covariance is singular (a variance of zero, a correlation of one).
There the parameters are those of its Cholesky factor, whose search may end at the bound.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from study.errors import CannotEstimate
from study.statistics.covariance import RandomEffects
from study.statistics.likelihood import Likelihood, Point

__all__ = ["Maximum", "maximise"]

Array = NDArray[np.float64]

SINGULAR = 1e-4
"""A diagonal of the Cholesky factor, in units of the residual's standard deviation, at which lme4 says singular."""


@dataclass(frozen=True)
class Maximum:
    """Where the likelihood is highest."""

    point: Point
    free: Array | None
    """The free parameters, where the maximum is at a bound; else None."""

    def spread(self) -> tuple[Array, Array]:
        """The asymptotic covariance (j, j) of j parameters, and (k, j) the derivatives of the k natural ones by them.

        From the observed second derivatives of the deviance. Directions in which it does not curve count for nothing
        (as in lmerTest, Kuznetsova et al. 2017, J Stat Softw 82(13)).
        """
        if self.free is None:
            jacobian = np.eye(len(self.point.parameters))
            hessian = self.point.observed
        else:
            structure = self.point.likelihood.structure
            jacobian = structure.jacobian(self.free)
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
    point, done = _newton(likelihood, point)
    if not done:
        free, point = _search(likelihood, point)
        if structure.feasible(point.parameters):
            point, done = _newton(likelihood, point)
        if not done:
            if not isinstance(structure, RandomEffects):
                raise CannotEstimate(
                    "The model did not converge: the values do not determine its covariance within participants."
                )
            return _at_bound(likelihood, free)
    if isinstance(structure, RandomEffects):
        free = structure.to_free(point.parameters)
        if _is_singular(structure, free):
            return _at_bound(likelihood, free)
    return Maximum(point, None)


def _newton(likelihood: Likelihood, point: Point, most: int = 50) -> tuple[Point, bool]:
    """The point after steps that each lower the deviance, and whether the last changed nothing any more."""
    barred = 0
    for _ in range(most):
        step, decrement = _step(point)
        if decrement < 1e-20 * max(1.0, abs(point.deviance)):
            return point, True
        share = 1.0
        better = None
        while share > 1e-4:
            candidate = point.parameters + share * step
            if likelihood.structure.feasible(candidate):
                better = likelihood.at(candidate)
                if better is not None and better.deviance <= point.deviance + 1e-11 * max(1.0, abs(point.deviance)):
                    break
                better = None
            elif share == 1.0:
                barred += 1
            share /= 2
        if better is None or barred > 2:
            return point, False
        point = better
        if decrement < 1e-9 and share == 1.0:
            # A step of Newton squares the error, so that the next would change no digit that is shown.
            final = _step(point)[1]
            return point, final < 1e-9
    return point, False


def _step(point: Point) -> tuple[Array, float]:
    """A direction, and by how much the deviance should fall along it, times two."""
    for matrix in (point.observed, point.expected):
        scale = 1 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
        try:
            factor = np.linalg.cholesky(matrix * scale[:, None] * scale)
        except np.linalg.LinAlgError:
            continue
        half = np.linalg.solve(factor, point.gradient * scale)
        return -scale * np.linalg.solve(factor.T, half), float(half @ half)
    return -point.gradient, float(point.gradient @ point.gradient)


def _search(likelihood: Likelihood, point: Point) -> tuple[Array, Point]:
    """The free parameters, and the point, at which a quasi-Newton search within the bounds ends."""
    structure = likelihood.structure
    best = [point]

    def deviance(free: Array) -> tuple[float, Array]:
        found = likelihood.at(structure.from_free(free))
        if found is None:
            return best[0].deviance + 1e6, np.zeros(len(free))
        if found.deviance < best[0].deviance:
            best[0] = found
        return found.deviance, found.gradient @ structure.jacobian(free)

    result = optimize.minimize(
        deviance,
        structure.to_free(point.parameters),
        jac=True,
        method="L-BFGS-B",
        bounds=structure.bounds(),
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7},
    )
    free = np.asarray(result.x)
    end = likelihood.at(structure.from_free(free))
    return (free, end) if end is not None else (structure.to_free(best[0].parameters), best[0])


def _is_singular(structure: RandomEffects, free: Array) -> bool:
    diagonal = [0] if structure.q == 1 else [0, 2]
    return bool((free[diagonal] < SINGULAR * free[-1]).any())


def _curvature(point: Point, free: Array, jacobian: Array) -> Array:
    """The second derivatives of the deviance by the free parameters."""
    bending = point.likelihood.structure.bending(free, point.gradient)
    return np.asarray(jacobian.T @ point.observed @ jacobian + bending)


def _at_bound(likelihood: Likelihood, free: Array) -> Maximum:
    """The maximum with a singular covariance of random effects, made exact by steps of Newton along the bound."""
    structure = likelihood.structure
    assert isinstance(structure, RandomEffects)  # noqa: S101 - only these have bounds
    free = free.copy()
    diagonal = [0] if structure.q == 1 else [0, 2]
    for place in diagonal:
        if free[place] < SINGULAR * free[-1]:
            free[place] = 0.0
    if structure.q == 2 and free[0] == 0:  # then only b^2 + c^2 matters
        free[1:3] = 0.0, float(np.hypot(free[1], free[2]))
    point = likelihood.at(structure.from_free(free))
    for _ in range(30):
        if point is None:
            break
        moving = np.array([place for place in range(structure.k) if free[place] != 0])
        jacobian = structure.jacobian(free)
        gradient = (point.gradient @ jacobian)[moving]
        hessian = _curvature(point, free, jacobian)[np.ix_(moving, moving)]
        values, vectors = np.linalg.eigh(hessian)
        along = (vectors.T @ gradient) / np.maximum(np.abs(values), 1e-10)
        decrement = float(along @ (vectors.T @ gradient))
        if decrement < 1e-14:
            return Maximum(point, free)
        share, better = 1.0, None
        while share > 1e-6:
            candidate = free.copy()
            candidate[moving] -= share * (vectors @ along)
            better = likelihood.at(structure.from_free(candidate)) if candidate[-1] > 0 else None
            if better is not None and better.deviance <= point.deviance + 1e-12 * abs(point.deviance):
                break
            share, better = share / 2, None
        if better is None:
            break
        free, point = (
            np.where(np.isin(np.arange(structure.k), [*diagonal, structure.k - 1]), np.abs(candidate), candidate),
            better,
        )
    raise CannotEstimate("The model did not converge: the values do not determine how participants differ.")

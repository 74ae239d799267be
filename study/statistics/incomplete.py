"""Repeated normal responses of which some are missing: their means and covariance, estimated many times at once.

Multiple imputation fits one model to a hundred bootstrap samples of the participants, each of which is a weighting of
them. So the model is fitted here to M weightings together: restricted maximum likelihood by the EM algorithm (Dempster,
Laird & Rubin 1977, JRSS B 39:1; for REML Laird & Ware 1982, Biometrics 38:963), in which each step has a closed form
for every covariance but AR(1), which takes the root of a cubic. It assumes what the likelihood analysis of the observed
values assumes: that values are missing at random.

All participants have the same T occasions; `covariance` says how values of one participant on them vary together:
`slope` (random intercept and slope over the times, and independent errors), `intercept` (random intercept),
`unstructured`, `ar1` (of neighbouring occasions, alike at all times), `compound_symmetry`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from study.errors import CannotEstimate

__all__ = ["COVARIANCES", "Covariance", "Model", "fit", "precisions"]

Floats = NDArray[np.float64]

Covariance = Literal["slope", "intercept", "unstructured", "ar1", "compound_symmetry"]

COVARIANCES: tuple[Covariance, ...] = get_args(Covariance)

_STEPS = 500


@dataclass(frozen=True)
class Model:
    """M models, one for each weighting."""

    coefficients: Floats
    """(M, p)."""
    covariance: Floats
    """(M, T, T), within participants."""
    converged: NDArray[np.bool_]
    """(M,): False also where the weighting leaves a coefficient or the covariance undetermined."""


def fit(
    values: Floats,
    design: Floats,
    covariance: Covariance,
    *,
    times: Sequence[float] | Floats,
    weights: Floats | None = None,
    start: Floats | None = None,
    tolerance: float = 1e-6,
) -> Model:
    """Fit by REML. `values` (N, T), NaN where missing; `design` (N, T, p), complete; `times` (T,).

    `weights` (M, N) count each participant in each of M fits; once each if left out. `start` is a covariance (T, T) to
    begin from. A fit has converged when no entry of the covariance changes by more than `tolerance` of the largest.
    Raises `CannotEstimate` when there are no values, or when they do not vary.
    """
    seen = ~np.isnan(values)
    some = seen.any(axis=1)
    y, x, mask = np.where(seen, values, 0.0)[some], design[some], seen[some].astype(float)
    if not len(y):
        raise CannotEstimate("No value was observed, so none can be imputed.")
    counts = np.ones((1, len(y))) if weights is None else weights[:, some]
    expected, likeliest = _Expectation(y, x, mask), _Structure(covariance, np.asarray(times, dtype=float))
    if start is None:
        flat = x.reshape(-1, x.shape[2])[mask.ravel() > 0]
        known = y[mask > 0]
        left = known - flat @ np.linalg.lstsq(flat, known, rcond=None)[0]
        start = np.eye(y.shape[1]) * float(left @ left) / max(len(known) - flat.shape[1], 1)
        if not np.trace(start) > 1e-12 * max(1.0, float(known @ known)) or len(known) <= flat.shape[1]:
            raise CannotEstimate("The values that were observed do not vary, or are too few to impute others from.")
    sigma = np.broadcast_to(start, (len(counts), *start.shape)).copy()
    coefficients = np.zeros((len(counts), x.shape[2]))
    converged = np.zeros(len(counts), dtype=bool)
    working = np.arange(len(counts))
    for _ in range(_STEPS):
        moments, coefficients[working], sound = expected(counts[working], sigma[working])
        working, moments = working[sound], moments[sound]
        new = likeliest(moments)
        change = np.abs(new - sigma[working]).max(axis=(1, 2))
        done = change <= tolerance * np.abs(new).max(axis=(1, 2))
        sigma[working] = new
        converged[working[done]] = True
        working = working[~done]
        if not len(working):
            break
    return Model(coefficients, sigma, converged)


def precisions(covariance: Floats, seen: Floats) -> Floats:
    """The inverse of each participant's observed part of `covariance` (M, T, T), with zeros where `seen` (N, T; 1 or 0)
    says missing: (M, N, T, T)."""
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    return np.asarray(_inverses(covariance, patterns)[:, which.ravel()])


def _inverses(covariance: Floats, patterns: Floats) -> Floats:
    both = patterns[:, :, None] * patterns[:, None, :]
    unit = (1 - patterns)[:, :, None] * np.eye(patterns.shape[1])
    return np.asarray(np.linalg.inv(covariance[:, None] * both + unit) * both)


class _Expectation:
    """The E step: the expected mean square of all errors, observed or not, and the coefficients that go with it.

    Under REML the coefficients are unknown as well, and their uncertainty is part of the expectation.
    """

    def __init__(self, y: Floats, x: Floats, mask: Floats) -> None:
        self._y, self._x, self._mask = y, x, mask
        self._flat = x.reshape(-1, x.shape[2])
        self._patterns, which = np.unique(mask, axis=0, return_inverse=True)
        self._which = which.ravel()

    def __call__(self, counts: Floats, sigma: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """For weights (M, N) and covariances (M, T, T): mean squares (M, T, T), coefficients (M, p), and whether they
        are determined."""
        (fits, people), size = counts.shape, sigma.shape[1]
        inverse = _inverses(sigma, self._patterns)[:, self._which]
        xw = inverse @ self._x  # (M, N, T, p)
        weighted = np.swapaxes((counts[:, :, None, None] * xw).reshape(fits, people * size, -1), 1, 2)
        information = weighted @ self._flat
        spread = np.sqrt(np.diagonal(information, axis1=1, axis2=2))
        spread = np.where(spread > 0, spread, 1.0)
        scaled = information / spread[:, :, None] / spread[:, None, :]
        sound = np.linalg.eigvalsh(scaled)[:, 0] > 1e-9
        scaled[~sound] = np.eye(scaled.shape[1])
        variance = np.linalg.inv(scaled) / spread[:, :, None] / spread[:, None, :]
        coefficients = (variance @ (weighted @ self._y.ravel())[:, :, None])[:, :, 0]
        errors = self._mask * (self._y - (coefficients @ self._flat.T).reshape(fits, people, size))
        u = (inverse @ errors[:, :, :, None])[:, :, :, 0]
        unsure = xw @ np.linalg.cholesky(variance)[:, None]
        middle = np.swapaxes(u * counts[:, :, None], 1, 2) @ u
        middle -= (counts[:, None, :] @ inverse.reshape(fits, people, -1)).reshape(fits, size, size)
        root = np.swapaxes(np.sqrt(counts)[:, :, None, None] * unsure, 1, 2).reshape(fits, size, -1)
        middle += root @ np.swapaxes(root, 1, 2)
        moments = sigma + sigma @ middle @ sigma / counts.sum(axis=1)[:, None, None]
        moments = (moments + np.swapaxes(moments, 1, 2)) / 2
        sound &= np.linalg.eigvalsh(moments)[:, 0] > 1e-10 * np.trace(moments, axis1=1, axis2=2)
        return moments, coefficients, sound


class _Structure:
    """The M step: the likeliest covariance of a structure, given the mean square of complete errors (M, T, T)."""

    def __init__(self, kind: Covariance, times: Floats) -> None:
        count = len(times)
        # Of fewer than three occasions, the structures of more parameters are the unstructured one.
        self._kind: Covariance = "unstructured" if count == 1 or (kind == "slope" and count < 3) else kind
        columns = {"slope": [np.ones(count), times - times.mean()]}.get(self._kind, [np.ones(count)])
        self._basis = np.linalg.qr(np.column_stack(columns))[0]

    def __call__(self, moments: Floats) -> Floats:
        match self._kind:
            case "unstructured":
                return moments
            case "ar1":
                return _ar1(moments)
            case "compound_symmetry":
                return self._within(moments, least=1e-8)
            case _:
                return self._within(moments, least=1.0)

    def _within(self, moments: Floats, *, least: float) -> Floats:
        """Random effects along the basis and errors of one variance: the variance along each direction in the space of
        the basis is free, but not below `least` times that of the errors. Where it would be, it is that of the errors,
        which then are estimated from this direction as well."""
        count, size = self._basis.shape
        roots, directions = np.linalg.eigh(self._basis.T @ moments @ self._basis)
        roots, directions = roots[:, ::-1], directions[:, :, ::-1]
        total = np.einsum("mtt->m", moments)
        error = (total - roots.sum(axis=1)) / (count - size)
        if least == 1.0:
            for kept in range(size - 1, -1, -1):
                pooled = (total - roots[:, :kept].sum(axis=1)) / (count - kept)
                error = np.where(roots[:, kept] < error, pooled, error)
        kept_roots = np.maximum(roots, least * error[:, None])
        along = self._basis @ directions
        between = (along * (kept_roots - error[:, None])[:, None, :]) @ np.swapaxes(along, 1, 2)
        return np.asarray(between + error[:, None, None] * np.eye(count))


def _ar1(moments: Floats) -> Floats:
    """The stationary autoregression of order one that is likeliest: its correlation is a root of a cubic."""
    count = moments.shape[1]
    squares = np.einsum("mtt->m", moments)
    neighbours = np.einsum("mtt->m", moments[:, 1:, :-1])
    inner = np.einsum("mtt->m", moments[:, 1:-1, 1:-1])
    correlation = np.array(
        [
            _inside(np.roots([(1 - count) * c, (count - 2) * b, count * c + a, -count * b]))
            for a, b, c in zip(squares, neighbours, inner, strict=True)
        ]
    )
    variance = (squares - 2 * correlation * neighbours + correlation**2 * inner) / (count * (1 - correlation**2))
    lags = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    return np.asarray(variance[:, None, None] * correlation[:, None, None] ** lags)


def _inside(roots: NDArray[Any]) -> float:
    """The one real root between -1 and 1."""
    real = roots.real[(np.abs(roots.imag) < 1e-7) & (np.abs(roots.real) < 1)]
    return float(real[0]) if len(real) else 0.0

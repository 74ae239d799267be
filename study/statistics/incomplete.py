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

_STEPS = 300


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
    groups: NDArray[np.intp],
    basis: Floats,
    covariates: Floats,
    covariance: Covariance,
    *,
    times: Sequence[float] | Floats,
    weights: Floats | None = None,
    start: Floats | None = None,
    tolerance: float = 1e-6,
) -> Model:
    """Fit by REML. `values` (N, T), NaN where missing; `groups` (N,), from 0; `covariates` (N, q), complete.

    The means of group g are a linear function of `basis` (T, k), and the covariates add the same at all times. The
    coefficients are those of the basis in each group, one group after the other, then those of the covariates: p = gk +
    q. `weights` (M, N) count each participant in each of M fits; once each if left out. `start` is a covariance (T, T)
    to begin from. A fit has converged when no entry of the covariance changes by more than `tolerance` of the largest.
    Raises `CannotEstimate` when there are no values, or when they do not vary.
    """
    seen = ~np.isnan(values)
    some = seen.any(axis=1)
    if not some.any():
        raise CannotEstimate("No value was observed, so none can be imputed.")
    expected = _Expectation(values[some], groups[some], basis, covariates[some])
    likeliest = _Structure(covariance, np.asarray(times, dtype=float))
    counts = np.ones((1, int(some.sum()))) if weights is None else weights[:, some]
    if start is None:
        start = expected.variance() * np.eye(values.shape[1])
    sigma = np.broadcast_to(start, (len(counts), *start.shape)).copy()
    coefficients = np.zeros((len(counts), expected.size))
    converged = np.zeros(len(counts), dtype=bool)
    working = np.arange(len(counts))
    for _ in range(_STEPS):
        moments, coefficients[working], sound = expected(counts[working], sigma[working])
        working, moments = working[sound], moments[sound]
        if not len(working):
            break
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

    Under REML the coefficients are unknown as well, and their uncertainty is part of the expectation. What participants
    of one group with the same occasions observed have in common, a cell, is reckoned once; the covariates, by
    eliminating the groups' own coefficients first.
    """

    def __init__(self, values: Floats, groups: NDArray[np.intp], basis: Floats, covariates: Floats) -> None:
        mask = (~np.isnan(values)).astype(float)
        self._y, self._mask, self._basis, self._z = np.where(mask > 0, values, 0.0), mask, basis, covariates
        self._groups = int(groups.max()) + 1
        cells, which = np.unique(np.column_stack([groups, mask]), axis=0, return_inverse=True)
        self._cell: NDArray[np.intp] = which.ravel()
        self._patterns, self._group = cells[:, 1:], cells[:, 0].astype(int)
        self._in_cell = (self._cell[:, None] == np.arange(len(cells))).astype(float)
        self._in_group = (self._group[:, None] == np.arange(self._groups)).astype(float)
        self.size = self._groups * basis.shape[1] + covariates.shape[1]

    def variance(self) -> float:
        """That of the observed values about least squares. Raises `CannotEstimate` when there is none."""
        own = (self._group[self._cell][:, None] == np.arange(self._groups)).astype(float)
        means = np.einsum("ng,tk->ntgk", own, self._basis).reshape(*self._y.shape, -1)
        design = np.concatenate([means, np.repeat(self._z[:, None, :], self._y.shape[1], axis=1)], axis=2)
        known = self._y[self._mask > 0]
        left = known - design[self._mask > 0] @ np.linalg.lstsq(design[self._mask > 0], known, rcond=None)[0]
        found = float(left @ left) / max(len(known) - self.size, 1)
        if not found > 1e-12 * max(1.0, float(known @ known) / len(known)) or len(known) <= self.size:
            raise CannotEstimate("The values that were observed do not vary, or are too few to impute others from.")
        return float(found)

    def __call__(self, counts: Floats, sigma: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """For weights (M, N) and covariances (M, T, T): mean squares (M, T, T), coefficients (M, p), and whether they
        are determined."""
        fits, q = len(counts), self._z.shape[1]
        by_cell = counts @ self._in_cell  # (M, J)
        inverse = _inverses(sigma, self._patterns)  # (M, J, T, T)
        loaded = inverse @ self._basis  # (M, J, T, k)
        rows = inverse.sum(axis=2)  # (M, J, T): what a constant is worth
        # The groups' own equations, and their part in those of the covariates.
        own = self._summed(by_cell[:, :, None, None] * (self._basis.T @ loaded))  # (M, g, k, k)
        own_inverse, sound = _inverted(own)
        weighted = counts[:, :, None] * self._z  # (M, N, q)
        z_cell = np.swapaxes(self._in_cell.T @ weighted, 1, 2)  # (M, q, J)
        crossed = self._summed((rows @ self._basis)[:, :, :, None] * np.swapaxes(z_cell, 1, 2)[:, :, None, :])
        elimination = own_inverse @ crossed  # (M, g, k, q)
        whole = rows.sum(axis=2)[:, self._cell, None]  # (M, N, 1)
        left = np.swapaxes(whole * weighted, 1, 2) @ self._z - (np.swapaxes(crossed, 2, 3) @ elimination).sum(axis=1)
        unsure, sound_too = _inverted(left[:, None]) if q else (np.zeros((fits, 1, 0, 0)), sound)
        unsure, sound = unsure[:, 0], np.asarray(sound.all(axis=1) & sound_too.all(axis=1))
        # The coefficients.
        u = self._weighed(inverse, np.broadcast_to(self._y, (fits, *self._y.shape)))
        summed = np.swapaxes(self._in_cell.T @ (counts[:, :, None] * u) @ self._basis, 1, 2)  # (M, k, J)
        right = (summed @ self._in_group).swapaxes(1, 2)[:, :, :, None]  # (M, g, k, 1)
        right_z = np.swapaxes(weighted, 1, 2) @ u.sum(axis=2)[:, :, None]
        gamma = unsure @ (right_z - (np.swapaxes(elimination, 2, 3) @ right).sum(axis=1))  # (M, q, 1)
        beta = (own_inverse @ right - elimination @ gamma[:, None])[:, :, :, 0]  # (M, g, k)
        # Errors as observed, what is unsure of them, and what is unsure of the coefficients.
        fitted = (beta @ self._basis.T)[:, self._group][:, self._cell] + (self._z @ gamma)
        u = self._weighed(inverse, self._mask * (self._y - fitted))
        middle = np.swapaxes(counts[:, :, None] * u, 1, 2) @ u
        middle -= np.einsum("mj,mjts->mts", by_cell, inverse)
        roots = loaded @ np.linalg.cholesky(own_inverse)[:, self._group]
        middle += _outer(roots * np.sqrt(by_cell)[:, :, None, None])
        if q:
            along = self._basis @ elimination  # (M, g, T, q): what of a covariate the groups' means take up
            taken = (inverse @ along[:, self._group])[:, self._cell]  # (M, N, T, q)
            beyond = rows[:, self._cell][:, :, :, None] * self._z[:, None, :] - taken
            middle += _outer(beyond @ np.linalg.cholesky(unsure)[:, None] * np.sqrt(counts)[:, :, None, None])
        moments = sigma + sigma @ middle @ sigma / counts.sum(axis=1)[:, None, None]
        moments = (moments + np.swapaxes(moments, 1, 2)) / 2
        sound &= np.linalg.eigvalsh(moments)[:, 0] > 1e-10 * np.trace(moments, axis1=1, axis2=2)
        return moments, np.concatenate([beta.reshape(fits, -1), gamma[:, :, 0]], axis=1), sound

    def _summed(self, of_cells: Floats) -> Floats:
        """Sums over the cells of each group: (M, J, ...) to (M, g, ...)."""
        fits, cells, *rest = of_cells.shape
        return np.asarray((self._in_group.T @ of_cells.reshape(fits, cells, -1)).reshape(fits, self._groups, *rest))

    def _weighed(self, inverse: Floats, errors: Floats) -> Floats:
        """Each participant's precision times their errors (M, N, T)."""
        return np.asarray((inverse[:, self._cell] @ errors[:, :, :, None])[:, :, :, 0])


def _outer(roots: Floats) -> Floats:
    """The sum over participants of root times its transpose: (M, N, T, k) to (M, T, T)."""
    flat = np.swapaxes(roots, 1, 2).reshape(len(roots), roots.shape[2], -1)
    return np.asarray(flat @ np.swapaxes(flat, 1, 2))


def _inverted(matrices: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The inverse of each symmetric matrix (..., k, k), and whether it has one; the unit matrix where it has none."""
    spread = np.sqrt(np.maximum(np.diagonal(matrices, axis1=-2, axis2=-1), 0.0))
    spread = np.where(spread > 0, spread, 1.0)
    scaled = matrices / spread[..., :, None] / spread[..., None, :]
    sound = np.linalg.eigvalsh(scaled)[..., 0] > 1e-9
    scaled[~sound] = np.eye(matrices.shape[-1])
    return np.linalg.inv(scaled) / spread[..., :, None] / spread[..., None, :], sound


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

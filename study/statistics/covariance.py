"""How values of one participant vary together: structures of covariance, with the derivatives that fitting needs.

Participants are independent, so the covariance of everything is block-diagonal: n blocks of m rows. Blocks shorter
than m are padded with rows of an identity matrix, whose values are 0; they add nothing to the likelihood.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["AutoRegressive", "Blocks", "CompoundSymmetry", "RandomEffects", "Structure", "Unstructured", "Within"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Blocks:
    """The data of a fit, participant by participant, with the outcome as last column."""

    data: Array
    """(n, m, p + 1): the columns of the design and the outcome; 0 in rows of padding."""
    spare: float = 0.0
    """Rows beyond those of the blocks with nothing in them but variance of the residual (`RandomEffects`)."""


class Structure(Protocol):
    """A covariance as a function of k parameters."""

    k: int

    def start(self) -> Array:
        """(k,), parameters to begin with, for an outcome of variance 1."""

    def feasible(self, parameters: Array) -> bool:
        """Whether these parameters give a positive definite covariance."""

    def matrices(self, parameters: Array) -> Array:
        """(n, m, m), the covariance of each participant's values."""

    def slopes(self, parameters: Array) -> Array:
        """(k, n, m, m), its first derivatives."""

    def curvature(self, parameters: Array) -> dict[tuple[int, int], Array]:
        """Its second derivatives (n, m, m) by two parameters (i <= j), where they are not 0."""

    def to_free(self, parameters: Array) -> Array:
        """(k,), parameters of which any value gives a covariance."""

    def from_free(self, free: Array) -> Array: ...

    def jacobian(self, free: Array) -> Array:
        """(k, k), the derivatives of the parameters by the free ones."""

    def bending(self, free: Array, gradient: Array) -> Array:
        """(k, k), the second derivatives of the parameters by the free ones, each times its element of `gradient`."""

    def fold(self, free: Array) -> Array:
        """(k,), free parameters that mean the same as these, of which those that have a bound are within it."""


class RandomEffects:
    """An intercept, and perhaps a slope, that varies between participants: V = Z G Z' + variance * I.

    Each participant's rows are turned (Z = Q R) so that only the first q of them hold anything of G; what is left has
    the same variance everywhere and is kept as cross products alone. Turning changes neither the likelihood nor what
    follows from it, and a fit takes a hundredth of the time. The parameters are the elements of G (intercept,
    covariance, slope) and the variance of the residual, all in units of `outcome`. The free ones are the Cholesky
    factor of G, with a diagonal of at least 0 (Bates et al. 2015, J Stat Softw 67(1), section 2.2): at that bound G is
    singular.
    """

    def __init__(self, loadings: Array) -> None:
        """`loadings` (n, q, q) is R: the turned rows of Z."""
        n, self._m, self.q = loadings.shape
        self.k = 2 if self.q == 1 else 4
        self.diagonal = [0] if self.q == 1 else [0, 2]
        self.along_bound = np.array([False, True] if self.q == 1 else [True, True, False, True])
        """The free parameters that vary where G is singular, but not 0: its second column is 0."""
        self.residual = np.arange(self.k) == self.k - 1
        first = loadings[:, :, 0]
        crossed = [first[:, :, None] * first[:, None, :]]
        if self.q == 2:
            second = loadings[:, :, 1]
            mixed = first[:, :, None] * second[:, None, :]
            crossed += [mixed + mixed.transpose(0, 2, 1), second[:, :, None] * second[:, None, :]]
        crossed.append(np.broadcast_to(np.eye(self._m), (n, self._m, self._m)))
        self._slopes: Array = np.stack(crossed)
        self._flat = self._slopes.reshape(self.k, -1)

    def start(self) -> Array:
        return np.array([0.5, 0.5]) if self.q == 1 else np.array([0.4, 0.0, 0.1, 0.5])

    def feasible(self, parameters: Array) -> bool:
        *g, residual = parameters
        if residual <= 0 or g[0] <= 0:
            return False
        return self.q == 1 or bool(g[2] > 0 and g[0] * g[2] - g[1] ** 2 > 1e-9 * g[0] * g[2])

    def matrices(self, parameters: Array) -> Array:
        found: Array = (parameters @ self._flat).reshape(self._slopes.shape[1:])
        return found

    def slopes(self, parameters: Array) -> Array:
        return self._slopes

    def curvature(self, parameters: Array) -> dict[tuple[int, int], Array]:
        return {}

    def to_free(self, parameters: Array) -> Array:
        a = np.sqrt(max(parameters[0], 0.0))
        if self.q == 1:
            return np.array([a, np.sqrt(parameters[1])])
        b = parameters[1] / a if a > 0 else 0.0
        return np.array([a, b, np.sqrt(max(parameters[2] - b**2, 0.0)), np.sqrt(parameters[3])])

    def from_free(self, free: Array) -> Array:
        if self.q == 1:
            return np.asarray(free**2)
        a, b, c, s = free
        return np.array([a**2, a * b, b**2 + c**2, s**2])

    def jacobian(self, free: Array) -> Array:
        if self.q == 1:
            return np.diag(2 * free)
        a, b, c, s = free
        return np.array([[2 * a, 0, 0, 0], [b, a, 0, 0], [0, 2 * b, 2 * c, 0], [0, 0, 0, 2 * s]])

    def bending(self, free: Array, gradient: Array) -> Array:
        if self.q == 1:
            return np.diag(2 * gradient)
        g, h, i, j = gradient
        return np.array([[2 * g, h, 0, 0], [h, 2 * i, 0, 0], [0, 0, 2 * i, 0], [0, 0, 0, 2 * j]])

    def fold(self, free: Array) -> Array:
        found = free.copy()
        places = [*self.diagonal, -1]
        found[places] = np.abs(found[places])
        if self.q == 2:  # a Cholesky factor's columns have no sign
            found[1] *= 1.0 if free[0] >= 0 else -1.0
        return found

    def nearest_singular(self, parameters: Array) -> Array:
        """(k,), free parameters with the residual's variance, and of G only what is largest."""
        residual = np.sqrt(parameters[-1])
        if self.q == 1:
            return np.array([0.0, residual])
        values, vectors = np.linalg.eigh(self._g(parameters))
        a, b = np.sqrt(max(values[1], 0.0)) * vectors[:, 1]
        return self.fold(np.array([a, b, 0.0, residual]))

    def inwards(self, free: Array, gradient: Array) -> Array | None:
        """(k,), free parameters beside those at the bound, if the deviance falls that way; else None.

        With G = v v' it may fall along w w' for the w across v; with G = 0 along any w.
        """
        residual = free[-1]
        if self.q == 1:
            return np.array([0.1 * residual, residual]) if gradient[0] < -1e-6 else None
        slopes = self._g(gradient * [1, 0.5, 1, 1])
        v = free[:2]
        if not v.any():
            values, vectors = np.linalg.eigh(slopes)
            return self.fold(np.array([*(0.1 * residual * vectors[:, 0]), 0, residual])) if values[0] < -1e-6 else None
        w = np.array([-v[1], v[0]]) / np.linalg.norm(v)
        if w @ slopes @ w >= -1e-6:
            return None
        g = np.outer(v, v) + 0.01 * residual**2 * np.outer(w, w)
        return self.to_free(np.array([g[0, 0], g[0, 1], g[1, 1], residual**2]))

    @staticmethod
    def _g(parameters: Array) -> Array:
        """(2, 2), G."""
        return np.array([[parameters[0], parameters[1]], [parameters[1], parameters[2]]])


class Within:
    """A covariance of the m occasions, of which participants may have missed some."""

    k: int

    def __init__(self, seen: NDArray[np.bool_]) -> None:
        """`seen` (n, m): who has a value on which occasion."""
        self.m = seen.shape[1]
        self._both = (seen[:, :, None] & seen[:, None, :]).astype(float)
        self._padding = np.eye(self.m) * (1 - seen[:, :, None].astype(float))

    def within(self, parameters: Array) -> Array:
        """(m, m), the covariance of a participant who missed nothing."""
        raise NotImplementedError

    def _slopes(self, parameters: Array) -> Array:
        """(k, m, m)"""
        raise NotImplementedError

    def matrices(self, parameters: Array) -> Array:
        return np.asarray(self.within(parameters) * self._both + self._padding)

    def slopes(self, parameters: Array) -> Array:
        return np.asarray(self._slopes(parameters)[:, None] * self._both)

    def curvature(self, parameters: Array) -> dict[tuple[int, int], Array]:
        return {}

    def feasible(self, parameters: Array) -> bool:
        lowest, *_, highest = np.linalg.eigvalsh(self.within(parameters))
        return bool(lowest > 1e-9 * highest) if self.m > 1 else bool(highest > 0)

    def fold(self, free: Array) -> Array:
        return free

    def start(self) -> Array:
        raise NotImplementedError

    def to_free(self, parameters: Array) -> Array:
        raise NotImplementedError

    def from_free(self, free: Array) -> Array:
        raise NotImplementedError

    def jacobian(self, free: Array) -> Array:
        raise NotImplementedError

    def bending(self, free: Array, gradient: Array) -> Array:
        raise NotImplementedError


class Unstructured(Within):
    """Any covariance of the m occasions: m (m + 1) / 2 parameters, those of the lower triangle row by row."""

    def __init__(self, seen: NDArray[np.bool_]) -> None:
        super().__init__(seen)
        self._row, self._column = np.tril_indices(self.m)
        self.k = len(self._row)
        self._elements = np.zeros((self.k, self.m, self.m))
        every = np.arange(self.k)
        self._elements[every, self._row, self._column] = 1
        self._elements[every, self._column, self._row] = 1

    def start(self) -> Array:
        return np.where(self._row == self._column, 1.0, 0.5)

    def within(self, parameters: Array) -> Array:
        found = np.zeros((self.m, self.m))
        found[self._row, self._column] = found[self._column, self._row] = parameters
        return found

    def _slopes(self, parameters: Array) -> Array:
        return self._elements

    def to_free(self, parameters: Array) -> Array:
        factor = np.asarray(np.linalg.cholesky(self.within(parameters)))
        return np.asarray(factor[self._row, self._column])

    def _factor(self, free: Array) -> Array:
        found = np.zeros((self.m, self.m))
        found[self._row, self._column] = free
        return found

    def from_free(self, free: Array) -> Array:
        factor = self._factor(free)
        found: Array = (factor @ factor.T)[self._row, self._column]
        return found

    def jacobian(self, free: Array) -> Array:
        factor = self._factor(free)
        found = np.zeros((self.k, self.k))
        for place, (row, column) in enumerate(zip(self._row, self._column, strict=True)):
            change = np.zeros((self.m, self.m))
            change[row] = factor[:, column]
            found[:, place] = (change + change.T)[self._row, self._column]
        return found

    def bending(self, free: Array, gradient: Array) -> Array:
        # The sum of gradient times the elements of C C' is the trace of C' M C.
        m = self.within(gradient / np.where(self._row == self._column, 1, 2))
        return np.asarray(2 * m[self._row[:, None], self._row] * (self._column[:, None] == self._column))


class AutoRegressive(Within):
    """The same variance on every occasion, and the correlation rho to the power of how many occasions lie between."""

    k = 2

    def __init__(self, seen: NDArray[np.bool_]) -> None:
        super().__init__(seen)
        places = np.arange(self.m)
        self._lag = np.abs(places[:, None] - places[None, :]).astype(float)

    def start(self) -> Array:
        return np.array([1.0, 0.4])

    def _power(self, rho: float, less: int) -> Array:
        """rho ** (lag - less), where it is multiplied by 0 anyhow: 0."""
        exponent = self._lag - less
        found: Array = np.where(exponent >= 0, np.power(rho, np.maximum(exponent, 0)), 0.0)
        return found

    def within(self, parameters: Array) -> Array:
        return np.asarray(parameters[0] * self._power(parameters[1], 0))

    def _slopes(self, parameters: Array) -> Array:
        variance, rho = parameters
        return np.stack([self._power(rho, 0), variance * self._lag * self._power(rho, 1)])

    def curvature(self, parameters: Array) -> dict[tuple[int, int], Array]:
        variance, rho = parameters
        mixed = self._lag * self._power(rho, 1)
        twice = variance * self._lag * (self._lag - 1) * self._power(rho, 2)
        return {(0, 1): mixed * self._both, (1, 1): twice * self._both}

    def feasible(self, parameters: Array) -> bool:
        return bool(parameters[0] > 0 and abs(parameters[1]) < 1 - 1e-9)

    def to_free(self, parameters: Array) -> Array:
        return np.array([np.log(parameters[0]), np.arctanh(parameters[1])])

    def from_free(self, free: Array) -> Array:
        return np.array([np.exp(free[0]), np.tanh(free[1])])

    def jacobian(self, free: Array) -> Array:
        return np.diag([np.exp(free[0]), 1 - np.tanh(free[1]) ** 2])

    def bending(self, free: Array, gradient: Array) -> Array:
        rho = np.tanh(free[1])
        return np.diag(gradient * [np.exp(free[0]), -2 * rho * (1 - rho**2)])


class CompoundSymmetry(Within):
    """The same variance on every occasion and the same covariance of any two, which may be negative.

    The parameters are this covariance and what the variance is above it.
    """

    k = 2

    def start(self) -> Array:
        return np.array([0.4, 0.6])

    def within(self, parameters: Array) -> Array:
        return np.asarray(parameters[0] + parameters[1] * np.eye(self.m))

    def _slopes(self, parameters: Array) -> Array:
        return np.stack([np.ones((self.m, self.m)), np.eye(self.m)])

    def to_free(self, parameters: Array) -> Array:
        return np.asarray(np.log([self.m * parameters[0] + parameters[1], parameters[1]]))

    def from_free(self, free: Array) -> Array:
        whole, apart = np.exp(free)
        return np.array([(whole - apart) / self.m, apart])

    def jacobian(self, free: Array) -> Array:
        whole, apart = np.exp(free)
        return np.array([[whole / self.m, -apart / self.m], [0.0, apart]])

    def bending(self, free: Array, gradient: Array) -> Array:
        whole, apart = np.exp(free)
        return np.diag([gradient[0] * whole / self.m, (gradient[1] - gradient[0] / self.m) * apart])

"""From a design and a structure of covariance to a fit: what mixed models and repeated measures have in common.

Before the likelihood is climbed the columns are made orthonormal and the outcome is replaced by its residuals from
least squares, with variance 1: so neither units nor a large mean cost digits, and the result doesn't depend on them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from study.errors import CannotEstimate
from study.statistics.covariance import Blocks, Structure
from study.statistics.design import Design
from study.statistics.fit import Df, Fit, Method
from study.statistics.likelihood import Likelihood, Point
from study.statistics.maximum import Maximum, maximise
from study.statistics.small_sample import KenwardRoger, Satterthwaite, SmallSample

__all__ = ["Standard", "climb", "finish", "pad", "standardise"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Standard:
    """A design in orthonormal columns, with an outcome of mean 0 and variance 1."""

    data: Array
    """(n, p + 1), columns and outcome."""
    turn: Array
    """(p, p): coefficients of the design = `start` + `scale` * turn @ coefficients of the columns."""
    start: Array
    """(p,), the coefficients of least squares."""
    scale: float
    """The standard deviation of the residuals of least squares, in the outcome's units."""


def standardise(design: Design) -> Standard:
    """Raises CannotEstimate when nothing is left to estimate variances from."""
    n, p = design.matrix.shape
    if n <= p:
        raise CannotEstimate(f"The model has {p} coefficients and there are only {n} values.")
    if design.n_participants < 2:
        raise CannotEstimate("There are values of one participant only, so participants cannot be compared.")
    columns, upper = np.linalg.qr(design.matrix)
    turn = np.linalg.inv(upper)
    start = turn @ (columns.T @ design.values)
    residuals = design.values - design.matrix @ start
    scale = math.sqrt(float(residuals @ residuals) / (n - p))
    if scale <= 1e-10 * float(design.values.std()):
        raise CannotEstimate(f"The model's terms determine {design.outcome} exactly; nothing is left to vary.")
    return Standard(np.column_stack([columns, residuals / scale]), turn, start, scale)


def pad(design: Design, data: Array, places: NDArray[np.intp], length: int) -> tuple[Array, NDArray[np.bool_]]:
    """(n, length, c), the rows of `data` at each participant's `places`, and (n, length), where there are any."""
    padded = np.zeros((design.n_participants, length, data.shape[1]))
    seen = np.zeros((design.n_participants, length), dtype=bool)
    padded[design.participants, places] = data
    seen[design.participants, places] = True
    return padded, seen


def climb(blocks: Blocks, structure: Structure, method: Method, df: Df) -> Maximum:
    """The maximum of the likelihood."""
    if method == "ml" and df == "kenward-roger":
        raise ValueError("kenward-roger needs method='reml'; with 'ml' use df='satterthwaite'")
    return maximise(Likelihood(blocks, structure, method == "reml"))


def finish(
    design: Design,
    standard: Standard,
    maximum: Maximum,
    df: Df,
    *,
    variances: Mapping[str, float],
    within: Array,
    information: Literal["expected", "observed"],
    singular: bool = False,
    icc: float | None = None,
) -> Fit:
    """The fit at a maximum; variances are in the outcome's units already.

    `information` is what Kenward and Roger's uncertainty of the variances comes from. Their paper and pbkrtest take the
    expected one; SAS and mmrm the observed one, which is right also when values are missing at random (Kenward and
    Molenberghs 1998, Stat Sci 13:236).
    """
    point = maximum.point
    _check_information(point)
    n, p = design.matrix.shape
    restricted = point.likelihood.restricted
    free = n - p if restricted else n
    deviance = point.deviance + free * math.log(2 * math.pi) + 2 * free * math.log(standard.scale)
    if restricted:  # X' V^-1 X in the columns of the design
        deviance -= 2 * float(np.log(np.abs(np.diag(standard.turn))).sum())
    return Fit(
        design=design,
        coefficients=standard.start + standard.scale * (standard.turn @ point.coefficients),
        small_sample=_small_sample(standard, maximum, df, information),
        variances=variances,
        within=within,
        loglik=-deviance / 2,
        aic=deviance + 2 * (p + len(point.parameters)),
        singular=singular,
        icc=icc,
    )


def _check_information(point: Point) -> None:
    """That the values say something of every parameter of the covariance (of an outcome with variance 1).

    Raises CannotEstimate when they don't, as when each arm has one participant only.
    """
    told = np.diag(point.expected)
    if told.min() > 1e-7:
        scale = 1 / np.sqrt(told)
        if np.linalg.eigvalsh(point.expected * scale[:, None] * scale)[0] > 1e-9:
            return
    raise CannotEstimate("There are too few participants to tell how they differ.")


def _small_sample(
    standard: Standard, maximum: Maximum, df: Df, information: Literal["expected", "observed"]
) -> SmallSample:
    point = maximum.point
    phi = point.phi
    back = standard.scale * standard.turn
    slopes = phi @ point.information_slopes @ phi
    if df == "satterthwaite":
        spread, jacobian = maximum.spread()
        slopes = np.tensordot(jacobian.T, slopes, axes=1)
        return Satterthwaite(back @ phi @ back.T, back @ slopes @ back.T, spread)
    spread = np.asarray(2 * np.linalg.inv(point.expected if information == "expected" else point.observed))
    adjusted = phi + 2 * phi @ point.adjustment(spread) @ phi
    return KenwardRoger(back @ adjusted @ back.T, back @ phi @ back.T, back @ slopes @ back.T, spread)

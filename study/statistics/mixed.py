"""Linear mixed models: participants differ by an intercept, or by an intercept and a slope over the occasions.

As lme4 fits them (Bates, Maechler, Bolker and Walker 2015, J Stat Softw 67(1)); after Laird and Ware (1982, Biometrics
38:963).
"""

from typing import Literal

import numpy as np

from study.errors import CannotEstimate
from study.statistics.covariance import Blocks, RandomEffects
from study.statistics.design import Design
from study.statistics.fit import Df, Fit, Method
from study.statistics.reml import Array, Standard, climb, finish, pad, standardise

__all__ = ["fit_mixed"]


def fit_mixed(
    design: Design,
    random: Literal["intercept", "slope"] = "intercept",
    df: Df = "kenward-roger",
    method: Method = "reml",
) -> Fit:
    """The model `design` with an intercept, and perhaps a correlated slope over the occasion, for each participant.

    Raises CannotEstimate when the values cannot tell differences between participants from differences within, when
    nothing varies within them, and when the fit does not converge. Raises ValueError for kenward-roger under ml.
    """
    standard = standardise(design)
    q = 2 if random == "slope" else 1
    if q == 2 and len(design.times) < 2:
        raise CannotEstimate("There is one occasion only, so participants have no slope.")
    if design.n_values <= q * design.n_participants:
        raise CannotEstimate(
            f"There are {design.n_values} values of {design.n_participants} participants: too few to tell differences "
            "between participants from differences within."
        )
    centre, unit = (float(design.clock.mean()), float(design.clock.std())) if q == 2 else (0.0, 1.0)
    blocks, structure = _turn(design, standard, q, centre, unit)
    maximum = climb(blocks, structure, method, df)
    parameters = maximum.point.parameters * standard.scale**2
    residual = float(parameters[-1])
    variances = {"intercept": float(parameters[0]), "residual": residual}
    m = len(design.times)
    g = parameters[:1].reshape(1, 1)
    z = np.ones((m, 1))
    if q == 2:
        # From the slope over (time - centre) / unit back to that over the time.
        turn = np.array([[1, -centre / unit], [0, 1 / unit]])
        g = turn @ np.array([[parameters[0], parameters[1]], [parameters[1], parameters[2]]]) @ turn.T
        z = np.column_stack([np.ones(m), np.asarray(design.times, dtype=float)])
        variances = {"intercept": float(g[0, 0]), "slope": float(g[1, 1]), "covariance": float(g[0, 1])}
        if g[0, 0] > 0 and g[1, 1] > 0:
            variances["correlation"] = float(np.clip(g[0, 1] / np.sqrt(g[0, 0] * g[1, 1]), -1, 1))
        variances["residual"] = residual
    return finish(
        design,
        standard,
        maximum,
        df,
        variances=variances,
        within=z @ g @ z.T + residual * np.eye(m),
        information="expected",
        singular=maximum.free is not None,
        icc=float(g[0, 0] / (g[0, 0] + residual)) if q == 1 else None,
    )


def _turn(design: Design, standard: Standard, q: int, centre: float, unit: float) -> tuple[Blocks, RandomEffects]:
    """Each participant's rows, turned so that the first q hold all of the random effects (`RandomEffects`).

    What is left of all participants together are p + 1 rows with the same cross products, and spare rows of zeros.
    """
    order = np.argsort(design.participants, kind="stable")
    counts = np.bincount(design.participants)
    places = np.empty(design.n_values, dtype=np.intp)
    places[order] = np.arange(design.n_values) - np.repeat(np.cumsum(counts) - counts, counts)
    length = max(int(counts.max()), q)
    loadings = np.ones((design.n_values, 1))
    if q == 2:
        loadings = np.column_stack([loadings, (design.clock - centre) / unit])
    padded, _ = pad(design, np.column_stack([loadings, standard.data]), places, length)
    basis, upper = np.linalg.qr(padded[:, :, :q])
    data = padded[:, :, q:]
    turned = basis.transpose(0, 2, 1) @ data
    width = data.shape[2]
    rest: Array = np.asarray(np.linalg.qr((data - basis @ turned).reshape(-1, width), mode="r"))
    _check_rest(rest, design.n_values - q * design.n_participants, design.outcome)
    more = -(-len(rest) // q)
    rest = np.vstack([rest, np.zeros((more * q - len(rest), width))])
    blocks = Blocks(
        np.concatenate([turned, rest.reshape(more, q, width)]),
        spare=float(design.n_values - q * (design.n_participants + more)),
    )
    return blocks, RandomEffects(np.concatenate([upper, np.zeros((more, q, q))]))


def _check_rest(rest: Array, rows: int, outcome: str) -> None:
    """That values vary within participants beyond what the model says."""
    solution, _, rank, _ = np.linalg.lstsq(rest[:, :-1], rest[:, -1], rcond=1e-9)
    left = rest[:, -1] - rest[:, :-1] @ solution
    if rank < rows and float(left @ left) < 1e-18 * rows:
        raise CannotEstimate(
            f"Within participants the model's terms determine {outcome} exactly; nothing is left to vary."
        )

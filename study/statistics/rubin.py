"""Rubin's rules: one estimate from those of many imputations."""

import math

import numpy as np
from numpy.typing import ArrayLike

from study.errors import CannotEstimate
from study.statistics.estimate import Estimate

__all__ = ["pooled"]


def pooled(name: str, values: ArrayLike, variances: ArrayLike, df: float, *, level: float = 0.95) -> Estimate:
    """Pool the estimates `values` (M,) with their squared standard errors `variances` (M,), of M imputations.

    The variance is W + (1 + 1/M) B, of the mean within and the variance between the imputations (Rubin 1987). `df` are
    the degrees of freedom that the analysis has when nothing is missing; those of the result are Barnard and Rubin's
    (1999, Biometrika 86:948), which never exceed them. Raises `CannotEstimate` for fewer than two imputations.
    """
    q, u = np.asarray(values, dtype=float), np.asarray(variances, dtype=float)
    count = len(q)
    if count < 2 or not (np.isfinite(q).all() and np.isfinite(u).all()):
        raise CannotEstimate("The imputations leave no estimate to pool.")
    within, between = float(u.mean()), float(q.var(ddof=1))
    total = within + (1 + 1 / count) * between
    share = (1 + 1 / count) * between / total if total > 0 else 0.0
    observed = df if math.isinf(df) else (df + 1) / (df + 3) * df * (1 - share)
    old = (count - 1) / share**2 if share > 1e-12 else math.inf
    if math.isinf(old):
        pooled_df = observed
    elif math.isinf(observed):
        pooled_df = old
    else:
        pooled_df = old * observed / (old + observed)
    return Estimate(name, float(q.mean()), math.sqrt(total), pooled_df, level)

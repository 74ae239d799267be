"""Analysis of covariance: one value for each participant, by least squares."""

import numpy as np

from study.errors import CannotEstimate
from study.statistics.design import Design
from study.statistics.fit import Fit
from study.statistics.small_sample import Residual

__all__ = ["fit_ancova"]


def fit_ancova(design: Design) -> Fit:
    """The model `design` by ordinary least squares (statsmodels), with the residual degrees of freedom.

    Raises CannotEstimate when no degrees of freedom are left, and when the terms determine the outcome.
    """
    from statsmodels.regression.linear_model import OLS

    n, p = design.matrix.shape
    if n <= p:
        raise CannotEstimate(f"The model has {p} coefficients and there are only {n} values.")
    fitted = OLS(design.values, design.matrix).fit()
    if np.sqrt(fitted.scale) <= 1e-10 * design.values.std():
        raise CannotEstimate(f"The model's terms determine {design.outcome} exactly; nothing is left to vary.")
    variance = float(fitted.scale)
    return Fit(
        design=design,
        coefficients=np.asarray(fitted.params),
        small_sample=Residual(np.asarray(fitted.cov_params()), float(fitted.df_resid)),
        variances={"residual": variance},
        within=variance * np.eye(len(design.times)),
        loglik=float(fitted.llf),
        aic=float(-2 * fitted.llf + 2 * (p + 1)),
    )

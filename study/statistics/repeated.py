"""Mixed models for repeated measures (MMRM): means by terms, and a covariance within participants.

No random effects; the covariance of a participant's values is unstructured or follows from few parameters (Mallinckrodt
et al. 2008, Drug Inf J 42:303). As SAS PROC MIXED with REPEATED, nlme's gls and mmrm fit them. Occasions that a
participant missed are taken to be missing at random.
"""

from typing import Literal

import numpy as np

from study.errors import CannotEstimate
from study.statistics.covariance import AutoRegressive, Blocks, CompoundSymmetry, Unstructured, Within
from study.statistics.design import Design
from study.statistics.fit import Df, Fit, Method
from study.statistics.reml import climb, finish, pad, standardise

__all__ = ["Covariance", "fit_repeated"]

Covariance = Literal["unstructured", "ar1", "compound_symmetry"]

_STRUCTURES = {"unstructured": Unstructured, "ar1": AutoRegressive, "compound_symmetry": CompoundSymmetry}


def fit_repeated(
    design: Design,
    covariance: Covariance = "unstructured",
    df: Df = "kenward-roger",
    method: Method = "reml",
) -> Fit:
    """The model `design` with this covariance of a participant's values on the occasions.

    In ar1 neighbours are occasions next to each other among all that occur, whatever the time between. Its
    Kenward-Roger covariance counts the second derivatives of V by the variance and the correlation.

    Raises CannotEstimate when somebody has two values on one occasion, when there is one occasion only, when two
    occasions of an unstructured covariance have nobody in common, and when the fit does not converge. Raises ValueError
    for kenward-roger under ml.
    """
    m = len(design.times)
    if m < 2:
        raise CannotEstimate("There is one occasion only, so there are no repeated measures.")
    key = design.participants * m + design.occasions
    taken, counts = np.unique(key, return_counts=True)
    if len(taken) < len(key):
        twice = taken[int(np.argmax(counts))]
        raise CannotEstimate(
            f"Participant {design.labels[twice // m]} has more than one value on occasion {design.times[twice % m]}."
        )
    standard = standardise(design)
    data, seen = pad(design, standard.data, design.occasions, m)
    structure: Within = _STRUCTURES[covariance](seen)
    _check(design, seen, covariance, structure.k)
    maximum = climb(Blocks(data), structure, method, df)
    parameters = maximum.point.parameters
    within = structure.within(parameters) * standard.scale**2
    icc = None
    if covariance == "unstructured":
        variances = {f"variance[{time}]": float(within[i, i]) for i, time in enumerate(design.times)} | {
            f"covariance[{design.times[j]}, {design.times[i]}]": float(within[i, j]) for i in range(m) for j in range(i)
        }
    else:
        variances = {"variance": float(within[0, 0]), "correlation": float(within[0, 1] / within[0, 0])}
        if covariance == "compound_symmetry" and variances["correlation"] >= 0:
            icc = variances["correlation"]
    return finish(design, standard, maximum, df, variances=variances, within=within, information="observed", icc=icc)


def _check(
    design: Design, seen: np.ndarray[tuple[int, int], np.dtype[np.bool_]], covariance: Covariance, k: int
) -> None:
    together = seen.T.astype(int) @ seen.astype(int)
    if covariance == "unstructured":
        apart = np.argwhere(together < 2)
        if len(apart):
            one, other = sorted(apart[0].tolist())
            raise CannotEstimate(
                f"Fewer than two participants have values on both {design.times[one]} and {design.times[other]}, so an "
                "unstructured covariance cannot be estimated."
            )
    elif not (together - np.diag(np.diag(together))).any():
        raise CannotEstimate("No participant has values on two occasions, so there are no repeated measures.")
    if design.n_values - len(design.names) < k:
        raise CannotEstimate(f"There are too few values for a covariance of {k} parameters.")

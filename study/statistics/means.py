"""Estimated marginal means: what the model says of a point, or of the average of points, of a reference grid.

As R's emmeans (Searle, Speed and Milliken 1980, Am Stat 34:216): factors that are not held are averaged over their
levels with equal weights; numbers that are not held are at their mean over the rows of the fit.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.errors import CannotEstimate
from study.statistics.design import Design

__all__ = ["weights"]


def weights(design: Design, at: Mapping[str, Any]) -> NDArray[np.float64]:
    """(p,), the weights of the coefficients in the mean at these values of columns.

    A sequence of values means: averaged over them, with equal weights. The difference of two such rows is a contrast.

    Raises CannotEstimate when a factor has no such level among the values that the model was fitted to, and ValueError
    for a column that the model does not have.
    """
    if unknown := [name for name in at if name not in design.factors and name not in design.means]:
        raise ValueError(f"the model has no column {unknown[0]!r}")
    choices: list[Sequence[Any]] = []
    names = [*design.factors, *design.means]
    for name in names:
        if name not in at:
            choices.append(design.factors[name] if name in design.factors else [design.means[name]])
            continue
        held = at[name]
        asked = list(held) if isinstance(held, Sequence | np.ndarray) and not isinstance(held, str) else [held]
        if name in design.factors:
            for value in asked:
                if value not in design.factors[name]:
                    raise CannotEstimate(f"There are no values with {name} {value}, so no mean can be estimated.")
        choices.append(asked)
    points = [dict(zip(names, point, strict=True)) for point in itertools.product(*choices)]
    found: NDArray[np.float64] = design.columns(points).mean(axis=0)
    return found

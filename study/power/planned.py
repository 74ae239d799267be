"""The planned analysis of one simulated trial: that of `study.analysis`, as it will be run on the real one."""

import math

import numpy as np

from study.analysis.compare import compare
from study.errors import CannotEstimate
from study.power.assumptions import Assumptions, contrasts_of, plan_of
from study.power.replicates import Replicate
from study.power.trial import simulate
from study.protocol import Protocol

__all__ = ["replicate"]


def replicate(
    protocol: Protocol, assumed: Assumptions, participants: int, scale: float, seed: int, number: int
) -> Replicate:
    """Simulate trial `number` and analyse it as planned. A trial that lacks a contrast could not be analysed."""
    values = simulate(protocol, assumed, participants, scale=scale, seed=seed, replicate=number)
    try:
        found = compare(values, plan_of(protocol))
    except (CannotEstimate, np.linalg.LinAlgError) as error:
        return Replicate(number, None, said=str(error))
    estimates = tuple(
        (float(one.estimate.value), float(one.estimate.se), float(one.estimate.df)) for one in found.contrasts
    )
    if len(estimates) < len(contrasts_of(protocol)):
        return Replicate(number, None, said=" ".join(found.notes))
    if not all(math.isfinite(value) and se > 0 and df > 0 for value, se, df in estimates):
        return Replicate(number, None, said="The model gave no standard error.")
    return Replicate(number, estimates, fell_back=found.fell_back, singular=found.fit.singular)

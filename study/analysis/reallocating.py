"""The study's allocation as its record has it, ready to be run again: the procedure of each scheme, and who came when.

A blinded reader has labels in place of arms; the procedure does not care what its arms are called.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from study.analysis.data import AnalysisData
from study.analysis.record import column_of
from study.errors import CannotEstimate
from study.protocol import Protocol
from study.statistics.reallocation import Enrolled, Scheme, reallocate

__all__ = ["procedure_in_words", "reallocations"]


def reallocations(
    data: AnalysisData, draws: int, rng: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """`draws` allocations of the participants (draws, N), and the one that was made (N,), as places in `data.arms`.

    Raises `CannotEstimate` when there is nobody.
    """
    people = data.participants
    if people.empty:
        raise CannotEstimate("Nobody was allocated.")
    numbers = _scheme_numbers(data)
    schemes = {numbers[version]: _scheme(data, protocol) for version, protocol in enumerate(_versions(data), 1)}
    own = [numbers[int(version)] for version in people["version"]]
    given = [data.arms.index(arm) for arm in people["arm"]]
    factors = {factor.name for protocol in _versions(data) for factor in protocol.allocation.strata}
    levels = {
        factor: [
            str(level) if factor in schemes[scheme].weights else None
            for level, scheme in zip(people[_column(data, factor)], own, strict=True)
        ]
        for factor in sorted(factors)
    }
    enrolled = Enrolled(given, own, [str(stratum) for stratum in people["stratum"]], levels)
    return reallocate(schemes, enrolled, draws, rng), np.asarray(given, dtype=np.int8)


def procedure_in_words(data: AnalysisData) -> str:
    """What was run again, for each scheme under which somebody was allocated."""
    numbers = _scheme_numbers(data)
    used = {numbers[int(version)] for version in data.participants["version"]}
    parts = dict.fromkeys(
        _words(data, protocol) for version, protocol in enumerate(_versions(data), 1) if numbers[version] in used
    )
    return "; after an amendment, ".join(parts)


def _column(data: AnalysisData, factor: str) -> str:
    """Where its levels stand: under another name when a column of the record is called like the factor."""
    return factor if factor in data.factors else column_of(factor)


def _versions(data: AnalysisData) -> tuple[Protocol, ...]:
    return data.versions or (data.protocol,)


def _scheme_numbers(data: AnalysisData) -> dict[int, int]:
    """Version of the protocol to the number of its allocation scheme, as `study.amendment` counts them."""
    versions = _versions(data)
    numbers = {1: 0}
    for version, (old, new) in enumerate(pairwise(versions), 2):
        numbers[version] = numbers[version - 1] + new.allocates_otherwise(old)
    return numbers


def _scheme(data: AnalysisData, protocol: Protocol) -> Scheme:
    plan = protocol.allocation
    ratios = tuple(arm.ratio for arm in protocol.arms)
    sizes = tuple(plan.block_sizes)
    method = plan.method
    if method == "list" and data.rehearsal:  # which has no list, and blocks of one size in its place
        method, sizes = "blocks", (sum(ratios),)
    return Scheme(
        method,
        tuple(data.arms.index(arm.name) for arm in protocol.arms),
        ratios,
        sizes,
        {factor.name: factor.weight for factor in plan.strata},
        plan.chance,
    )


def _words(data: AnalysisData, protocol: Protocol) -> str:
    plan = protocol.allocation
    factors = " and ".join(factor.name for factor in plan.strata)
    ratios = [arm.ratio for arm in protocol.arms]
    # In the order of the labels it would tell a blinded reader which of them is which; the methods withhold it as well.
    shown = len(set(ratios)) > 1 and not data.blinded
    unequal = f" in the ratio {':'.join(map(str, ratios))}" if shown else ""
    within = f" within strata of {factors}" if factors else ""
    if plan.method == "minimisation":
        return f"minimisation over {factors}, with the best arm given in {plan.chance:.0%} of the draws{unequal}"
    if plan.method == "list" and not data.rehearsal:
        return f"an uploaded list, the used places of which are permuted{within}, since how it was made is not known"
    sizes = plan.block_sizes or [sum(ratios)]
    return f"permuted blocks of {' or '.join(map(str, sizes))}{within}{unequal}"

"""A sequence for show: the study's procedure, run on invented participants, so that anyone can check it.

It is never the study's own. The study's seed is a hash of 64 hexadecimal digits that follows from `study.key`; the seed
here is the word `simulate` and a number, which no such hash can be.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from study.allocation import Slot, minimise, sequence
from study.eligibility import intervals, stratum_of
from study.grammar import Factor
from study.protocol import Protocol

__all__ = ["Rehearsed", "levels_of", "rehearse"]


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One invented participant. `participant` counts from 1, `block` from 0; minimisation has no blocks."""

    participant: int
    stratum: str
    block: int | None
    arm: str
    levels: Mapping[str, str]
    """Factor to level."""


def levels_of(protocol: Protocol, factor: Factor) -> list[str]:
    """Every level that a factor can have, but for the unknown."""
    question = protocol.question(factor.question)
    if question is not None and question.answers:
        return list(question.answers)
    return intervals(factor.cuts)


def rehearse(protocol: Protocol, seed: str, participants: int) -> Iterator[Rehearsed]:
    """Allocate invented participants by the protocol's procedure, with the seed `simulate {seed}`.

    Participant n has, of each factor, the level numbered h("simulate {seed}/participant/{n}/{factor}") modulo the
    number of its levels, from 0 in the order of the protocol, with `h` as in `study.allocation`.
    """
    plan = protocol.allocation
    name = f"simulate {seed}"
    arms = [arm.name for arm in protocol.arms]
    ratios = [arm.ratio for arm in protocol.arms]
    weights = {factor.name: factor.weight for factor in plan.strata}
    possible = {factor.name: levels_of(protocol, factor) for factor in plan.strata}
    # A list is somebody else's: the procedure shown for it is that of blocks of the smallest size.
    sizes = plan.block_sizes or [sum(ratios)]
    strata: dict[str, Iterator[Slot]] = {}
    before: list[tuple[str, dict[str, str]]] = []
    for number in range(1, participants + 1):
        levels = {
            factor: some[_number(f"{name}/participant/{number}/{factor}") % len(some)]
            for factor, some in possible.items()
        }
        stratum = stratum_of(levels)
        if plan.method == "minimisation":
            slot = minimise(name, number - 1, arms, ratios, before, levels, weights, plan.chance)
            before.append((slot.arm, levels))
        else:
            slot = next(strata.setdefault(stratum, sequence(name, stratum, arms, ratios, sizes)))
        yield Rehearsed(number, stratum, slot.block, slot.arm, levels)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")

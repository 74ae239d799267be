"""Allocation: permuted blocks within strata, and minimisation. Pure: a seed and what came before give an arm.

Both are defined so that anyone can rebuild a sequence in any language. Let `h(text)` be the SHA-256 of the UTF-8 text
as an unsigned big-endian integer.

Permuted blocks, for the blocks b = 0, 1, ... of a stratum:

- the size of block b is `sizes[h("{seed}/{stratum}/{b}/size") mod len(sizes)]`;
- a block of size n holds each arm `n * ratio / sum(ratios)` times, in the order of the protocol;
- these slots, numbered from 0, are then sorted by `h("{seed}/{stratum}/{b}/{slot}")`.

Varying the size keeps the last slot of a block from being guessed by someone who counts.

Minimisation (Pocock & Simon 1975, Biometrics 31:103), for the participant at position n = 0, 1, ...:

- for each arm k, suppose that the participant is given k. For each factor, take all participants so far who have the
  participant's level of it, and the participant; the imbalance of the factor is the largest minus the smallest, over
  the arms, of (their number in the arm) / (the arm's ratio). The imbalance of k is the sum of weight * imbalance.
  All this is exact: weights and `chance` are the decimal numbers as they are written, and nothing is rounded;
- the arm preferred is the one with the least imbalance; of several, the arm that is drawn among them in proportion to
  their ratios by `u("{seed}/minimise/{n}/tie")`, with `u(text) = h(text) / 2**256`, going through the arms in the
  order of the protocol;
- with R the sum of the ratios and r the smallest, the preferred arm i is given with the probability
  1 - c * (R - ratio of i), and any other arm j with c * ratio of j, where c = (1 - chance) / (R - r); it is drawn by
  `u("{seed}/minimise/{n}/arm")` going through the arms in the order of the protocol. An arm of the smallest ratio, when
  preferred, is thus given with probability `chance`; and if each arm is preferred as often as its ratio says, it is
  given as often as its ratio says, which the same `chance` for every arm would not do (Han, Enas & McEntegart 2009,
  Stat Med 28:3329). `chance` must be more than r / R: with less, the arm preferred would be avoided.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import count
from math import lcm

__all__ = ["Slot", "minimise", "preferred_among", "sequence"]


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in the sequence of a stratum. `position` and `block` count from 0; minimisation has no blocks."""

    position: int
    block: int | None
    arm: str


def sequence(
    seed: str, stratum: str, arms: Sequence[str], ratios: Sequence[int], sizes: Sequence[int]
) -> Iterator[Slot]:
    """The endless allocation sequence of one stratum.

    `ratios` has one positive whole number for each arm; every one of `sizes` is a multiple of their sum (the
    protocol is checked for that).
    """
    unit = sum(ratios)
    position = count()
    for block in count():
        size = sizes[_draw(seed, stratum, block, "size") % len(sizes)]
        slots = [arm for arm, ratio in zip(arms, ratios, strict=True) for _ in range(ratio * size // unit)]
        order = sorted(range(size), key=lambda slot, b=block: _draw(seed, stratum, b, str(slot)))  # type: ignore[misc]
        for slot in order:
            yield Slot(next(position), block, slots[slot])


def minimise(
    seed: str,
    position: int,
    arms: Sequence[str],
    ratios: Sequence[int],
    before: Iterable[tuple[str, Mapping[str, str]]],
    levels: Mapping[str, str],
    weights: Mapping[str, float],
    chance: float,
) -> Slot:
    """The arm of the participant at `position`, who has `levels` (factor to level).

    `before` has arm and levels of everyone allocated so far; an arm that is not in `arms` any more counts for nothing.
    """
    share = dict(zip(arms, ratios, strict=True))
    _, least = preferred_among(arms, ratios, before, levels, weights)
    preferred = _pick(f"{seed}/minimise/{position}/tie", {arm: Fraction(share[arm]) for arm in least})
    whole, smallest = sum(ratios), min(ratios)
    spread = (1 - _exactly(chance)) / (whole - smallest) if len(arms) > 1 else Fraction(0)
    odds = {arm: 1 - spread * (whole - share[arm]) if arm == preferred else spread * share[arm] for arm in arms}
    return Slot(position, None, _pick(f"{seed}/minimise/{position}/arm", odds))


def preferred_among(
    arms: Sequence[str],
    ratios: Sequence[int],
    before: Iterable[tuple[str, Mapping[str, str]]],
    levels: Mapping[str, str],
    weights: Mapping[str, float],
) -> tuple[dict[str, Fraction], list[str]]:
    """The imbalance that giving each arm would leave, and the arms that leave the least."""
    alike = {factor: dict.fromkeys(arms, 0) for factor in weights}
    for arm, theirs in before:
        for factor, counts in alike.items():
            if arm in counts and theirs.get(factor) == levels[factor]:
                counts[arm] += 1
    common = lcm(*ratios)  # the parts as whole numbers of this one's
    parts_of = {arm: common // ratio for arm, ratio in zip(arms, ratios, strict=True)}
    imbalance = {}
    for given in arms:
        total = Fraction(0)
        for factor, counts in alike.items():
            parts = [(counts[arm] + (arm == given)) * parts_of[arm] for arm in arms]
            total += _exactly(weights[factor]) * (max(parts) - min(parts))
        imbalance[given] = total / common
    return imbalance, [arm for arm in arms if imbalance[arm] == min(imbalance.values())]


@lru_cache
def _exactly(number: float) -> Fraction:
    """The decimal number as somebody wrote it: 0.1 is a tenth, not the binary number nearest to it.

    So 0.1 + 0.2 ties with 0.3 here as it does on paper.
    """
    return Fraction(str(number))


def _pick(what: str, odds: Mapping[str, Fraction]) -> str:
    """One of the keys, each as likely as its part of the sum, exactly: fractions leave no rounding to agree on."""
    point = Fraction(_number(what), 2**256) * sum(odds.values())
    passed = Fraction(0)
    for name, part in odds.items():
        passed += part
        if point < passed:
            return name
    raise AssertionError("a point below the sum lies in one of its parts")


def _draw(seed: str, stratum: str, block: int, what: str) -> int:
    return _number(f"{seed}/{stratum}/{block}/{what}")


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")

"""The study's allocation, run again many times at once: what a randomisation test compares the one that was made with.

A test that shuffles the arms freely would be of another study than this one: blocks, strata and minimisation make many
allocations impossible or unlikely (Rosenberger, Uschner & Wang 2019, Stat Med 38:1; Simon & Simon 2011, Stat Med 30:1).
So the procedure of `study.allocation` is run anew, for the participants as they came: their order, strata and levels
are kept, the chance is drawn afresh. That module draws by hashes, one study at a time; this one draws thousands of
studies at once, from a generator of numpy. Each study has the same distribution here as there:

- permuted blocks: the size of each block is drawn uniformly from the list of sizes, and every order of its slots is as
  likely as any other; a stratum uses as much of its last block as it has participants;
- minimisation: imbalances, ties and chances are those of `study.allocation.minimise`. Imbalances are reckoned in whole
  numbers, so that what ties there ties here;
- an uploaded list: how it was made is not known. The places that were used are permuted within each stratum, which is
  right for any list whose places can be exchanged within a stratum, and keeps the number in each arm.

After an amendment of the allocation there are several schemes; each participant belongs to one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Enrolled", "Scheme", "reallocate"]

_AT_ONCE = 5_000
"""Studies that are drawn together: enough for numpy to be fast, few enough to stay within some hundred MB."""


@dataclass(frozen=True)
class Scheme:
    """A way of allocating. Arms are numbers, the same in all schemes of a study."""

    method: Literal["blocks", "minimisation", "list"]
    arms: tuple[int, ...]
    ratios: tuple[int, ...]
    """Of each arm, in the same order."""
    sizes: tuple[int, ...] = ()
    """Blocks: the sizes of which each is drawn; multiples of the sum of the ratios."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Minimisation: factor to weight, the decimal number as it is written."""
    chance: float = 0.8
    """Minimisation: how likely the preferred arm is given."""


@dataclass(frozen=True)
class Enrolled:
    """Everybody who was allocated, in the order of enrolment. Each is a sequence of length N."""

    arms: Sequence[int]
    """What was given: needed of the schemes that are lists only."""
    schemes: Sequence[int]
    """The key of each participant's scheme."""
    strata: Sequence[str]
    levels: Mapping[str, Sequence[str | None]]
    """Factor to each participant's level of it; None where somebody has none, which is like nobody's."""

    def __len__(self) -> int:
        return len(self.arms)


def reallocate(
    schemes: Mapping[int, Scheme], enrolled: Enrolled, draws: int, rng: np.random.Generator
) -> NDArray[np.int8]:
    """`draws` re-allocations of the same participants, as numbers of arms: shape (draws, N)."""
    found = np.empty((draws, len(enrolled)), dtype=np.int8)
    for start in range(0, draws, _AT_ONCE):
        part = found[start : start + _AT_ONCE]
        part[:] = -1
        _blocks_and_lists(schemes, enrolled, part, rng)
        if any(scheme.method == "minimisation" for scheme in schemes.values()):
            _minimise(schemes, enrolled, part, rng)
    return found


def _blocks_and_lists(
    schemes: Mapping[int, Scheme], enrolled: Enrolled, found: NDArray[np.int8], rng: np.random.Generator
) -> None:
    """Fill in those whose place depends on nobody else's arm."""
    groups: dict[tuple[int, str], list[int]] = {}
    for person, key in enumerate(zip(enrolled.schemes, enrolled.strata, strict=True)):
        groups.setdefault(key, []).append(person)
    given = np.asarray(enrolled.arms, dtype=np.int8)
    for (number, _), people in groups.items():
        scheme = schemes[number]
        if scheme.method == "blocks":
            found[:, people] = _blocks(scheme, len(people), len(found), rng)
        elif scheme.method == "list":
            found[:, people] = rng.permuted(np.broadcast_to(given[people], (len(found), len(people))), axis=1)


def _blocks(scheme: Scheme, places: int, draws: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """The first `places` of as many sequences of permuted blocks."""
    unit = sum(scheme.ratios)
    longest = max(scheme.sizes)
    # Enough blocks to fill the places with the smallest; and whole the block that the last place is in.
    width = places + longest
    count = -(-width // min(scheme.sizes))
    choice = rng.integers(len(scheme.sizes), size=(draws, count))
    sizes = np.asarray(scheme.sizes)
    starts = np.zeros((draws, width), dtype=np.int32)
    ends = np.cumsum(sizes[choice], axis=1)
    rows, blocks = np.nonzero(ends < width)
    starts[rows, ends[rows, blocks]] = 1
    block = np.cumsum(starts, axis=1)
    begins = np.where(block > 0, np.take_along_axis(ends, np.maximum(block - 1, 0), axis=1), 0)
    offset = np.arange(width) - begins
    slots = np.full((len(sizes), longest), -1, dtype=np.int8)
    for row, size in enumerate(scheme.sizes):
        slots[row, :size] = np.repeat(scheme.arms, [ratio * size // unit for ratio in scheme.ratios])
    arms = slots[np.take_along_axis(choice, block, axis=1), offset]
    # Sorted by block and then by chance, the slots of each block come in any order.
    order = np.argsort(block + rng.random((draws, width)), axis=1)
    return np.take_along_axis(arms, order, axis=1)[:, :places]


def _minimise(
    schemes: Mapping[int, Scheme], enrolled: Enrolled, found: NDArray[np.int8], rng: np.random.Generator
) -> None:
    """Fill in those under minimisation, one participant after the other, in all studies at once."""
    draws = len(found)
    arms = 1 + max(max(scheme.arms) for scheme in schemes.values())
    counts: dict[tuple[str, str], NDArray[np.int64]] = {}
    row = np.arange(draws)
    numbers = {key: _Numbers(scheme) for key, scheme in schemes.items() if scheme.method == "minimisation"}
    for person, key in enumerate(enrolled.schemes):
        theirs = {factor: levels[person] for factor, levels in enrolled.levels.items()}
        if key in numbers:
            alike = {
                factor: counts.get((factor, str(theirs[factor])), np.zeros((draws, arms), dtype=np.int64))
                for factor in schemes[key].weights
            }
            found[:, person] = numbers[key].given(alike, draws, rng)
        for factor, level in theirs.items():
            if level is not None:
                count = counts.setdefault((factor, level), np.zeros((draws, arms), dtype=np.int64))
                count[row, found[:, person]] += 1


class _Numbers:
    """A scheme of minimisation in whole numbers: every imbalance is multiplied by what makes all of them whole."""

    def __init__(self, scheme: Scheme) -> None:
        self._arms = list(scheme.arms)
        self._ratios = np.asarray(scheme.ratios)
        self._smallest, self._whole = int(self._ratios.min()), int(self._ratios.sum())
        self._chance = scheme.chance
        weights = {factor: Fraction(str(weight)) for factor, weight in scheme.weights.items()}
        scale = lcm(*(weight.denominator for weight in weights.values()))
        whole = {factor: int(weight * scale) for factor, weight in weights.items()}
        shared = gcd(*whole.values())
        self._weights = {factor: weight // shared for factor, weight in whole.items()}
        self._shares = [lcm(*scheme.ratios) // ratio for ratio in scheme.ratios]

    def given(self, alike: Mapping[str, NDArray[np.int64]], draws: int, rng: np.random.Generator) -> NDArray[np.int8]:
        """An arm in each study, where `alike` has for each factor how many in each arm share the newcomer's level."""
        imbalance = self._imbalance(alike, draws)
        least = imbalance == imbalance.min(axis=1, keepdims=True)
        preferred = _drawn(least * self._ratios, rng)
        odds = np.broadcast_to(self._ratios.astype(float), least.shape)
        if len(self._arms) > 1:
            spread = (1 - self._chance) / (self._whole - self._smallest)
            others = np.arange(len(self._arms)) != preferred[:, None]
            odds = np.where(others, spread * self._ratios, 1 - spread * (self._whole - self._ratios))
        return np.asarray(self._arms, dtype=np.int8)[_drawn(odds, rng)]

    def _imbalance(self, alike: Mapping[str, NDArray[np.int64]], draws: int) -> NDArray[Any]:
        people = 1 + max((int(count.sum(axis=1).max()) for count in alike.values()), default=0)
        largest = people * max(self._shares) * sum(self._weights.values())
        kind = np.int64 if largest < 2**62 else object  # weights of many digits are reckoned in Python's own integers
        shares = np.asarray(self._shares, dtype=np.int64)
        total = np.zeros((draws, len(self._arms)), dtype=kind)
        for factor, count in alike.items():
            parts = count[:, self._arms] * shares
            with_them = parts[:, None, :] + np.diag(shares)
            spread = with_them.max(axis=2) - with_them.min(axis=2)
            total += spread.astype(kind) * self._weights[factor]
        return total


def _drawn(odds: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
    """In each row, a column drawn in proportion to `odds`."""
    passed = np.cumsum(odds, axis=1)
    point = rng.random(len(passed)) * passed[:, -1]
    return np.asarray((point[:, None] >= passed).sum(axis=1))

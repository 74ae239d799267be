"""Allocation by permuted blocks. Pure: a seed and a position give an arm.

The sequence is defined so that anyone can rebuild it in any language. With `h(text)` for the SHA-256 of the UTF-8
text as an unsigned big-endian integer, and block number b = 0, 1, ...:

- the size of block b is `sizes[h("{seed}/{stratum}/{b}/size") mod len(sizes)]`;
- a block of size n holds each arm `n * ratio / sum(ratios)` times, in the order of the protocol;
- these slots, numbered from 0, are then sorted by `h("{seed}/{stratum}/{b}/{slot}")`.

Varying the size keeps the last slot of a block from being guessed by someone who counts.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

__all__ = ["Slot", "sequence"]


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in the sequence of a stratum. `position` and `block` count from 0."""

    position: int
    block: int
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


def _draw(seed: str, stratum: str, block: int, what: str) -> int:
    text = f"{seed}/{stratum}/{block}/{what}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")

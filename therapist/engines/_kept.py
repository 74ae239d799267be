"""The keys and values that were computed before, kept for whoever's prompt begins with the same tokens.

A prompt begins with the same tokens as the conversation's last one, and a new visit with the same tokens as another
visit to the same exercise. What is the same is not computed again, and not held twice: it is kept in blocks of a
fixed number of tokens, each found by the tokens up to its end (as vLLM does, arXiv 2309.06180).

Only whole blocks of prompts are kept. A prompt is read in the same blocks whether or not some of them were kept, so
that the same arithmetic is done for a token either way, and a reply cannot depend on what was kept. The words that
the model wrote are read again at the next turn, in the blocks of that turn's prompt: one by one they were computed
in another order.
"""

import hashlib
import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

__all__ = ["BLOCK", "Block", "KeptBlocks"]

BLOCK = 8
"""Tokens in a block. Up to so many are read again at each turn that were read before, and with larger blocks sixteen
chats wrote less together (docs/performance.md)."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Block:
    """Keys and values of one block: each (layers, heads, BLOCK, head size)."""

    keys: torch.Tensor
    values: torch.Tensor

    @property
    def bytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes


class KeptBlocks:
    """The blocks used last, within a budget of memory. Safe to use from any thread."""

    def __init__(self, most_bytes: int = 1 << 30) -> None:
        self._most_bytes = most_bytes
        self._blocks: OrderedDict[bytes, Block] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def bytes(self) -> int:
        """How much memory the keys and values take."""
        return self._bytes

    def beginning(self, tokens: Sequence[int]) -> list[Block]:
        """The blocks that `tokens` begin with, as far as they are kept. The last token is never in one of them: a
        model has to read one at least."""
        found: list[tuple[bytes, Block]] = []
        with self._lock:
            for name in _names(tokens[: len(tokens) - 1]):
                block = self._blocks.get(name)
                if block is None:
                    break
                found.append((name, block))
            # The first block is touched last: a beginning outlives what follows it, without which it is still of use.
            for name, _ in reversed(found):
                self._blocks.move_to_end(name)
        return [block for _, block in found]

    def keep(self, tokens: Sequence[int], blocks: Sequence[Block | None]) -> None:
        """Keep the blocks that `tokens` begin with; a None stands for one that is kept already.

        Those used longest ago are let go of when there is no room; they are computed again when they are needed.
        """
        with self._lock:
            named = list(zip(_names(tokens), blocks, strict=False))
            for name, block in reversed(named):
                if block is not None and name not in self._blocks:
                    self._blocks[name] = block
                    self._bytes += block.bytes
                if name in self._blocks:
                    self._blocks.move_to_end(name)
            while self._bytes > self._most_bytes:
                _, block = self._blocks.popitem(last=False)
                self._bytes -= block.bytes

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._blocks.clear()
            self._bytes = 0


def _names(tokens: Sequence[int]) -> list[bytes]:
    """A name for each whole block: a hash of its tokens and all before them."""
    digest, names = hashlib.sha256(), []
    for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
        digest.update(array("q", tokens[start : start + BLOCK]).tobytes())
        names.append(digest.digest())
    return names

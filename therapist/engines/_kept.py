"""The keys and values of conversations, kept between their turns.

A prompt begins with the same tokens as the conversation's last one, and a new visit with the same tokens as another
visit to the same exercise. What is the same need not be computed again.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from transformers import DynamicCache

__all__ = ["KeptCaches"]


@dataclass(slots=True)
class _Kept:
    tokens: list[int]
    cache: DynamicCache
    bytes: int


class KeptCaches:
    """The caches of the conversations used last, within bounds of number and memory. Safe to use from any thread."""

    def __init__(self, *, conversations: int = 64, most_bytes: int = 1 << 30) -> None:
        """At most so many `conversations`, and `most_bytes` of keys and values together."""
        self._conversations = conversations
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """How much memory the keys and values take."""
        with self._lock:
            return sum(kept.bytes for kept in self._kept.values())

    def take(self, conversation: str, tokens: list[int]) -> tuple[DynamicCache, int]:
        """A cache that holds a beginning of `tokens`, and how many of them. It is the caller's, to `put` back.

        It is the conversation's own, cut back to where the two part; or a copy of that part of another's where more
        is the same, as at the first turn of a visit. The last token is never in it: a model has to read one at least.
        """
        with self._lock:
            best = own = self._kept.pop(conversation, None)
            source = None
            shared = common_beginning(own.tokens, tokens) if own else 0
            for name, kept in self._kept.items():
                length = common_beginning(kept.tokens, tokens)
                if length > shared:
                    best, source, shared = kept, name, length
            shared = min(shared, len(tokens) - 1)
            if best is None or shared <= 0:
                return DynamicCache(), 0
            if source is not None:
                # In use: a beginning that every visit shares must outlive the visits.
                self._kept.move_to_end(source)
                return _beginning(best.cache, shared), shared
            if surplus := best.cache.get_seq_length() - shared:
                best.cache.crop(-surplus)
            return best.cache, shared

    def put(self, conversation: str, tokens: list[int], cache: DynamicCache) -> None:
        """Keep `cache`, which has read the beginning of `tokens`; let go of what was not used for longest."""
        held = cache.get_seq_length()
        size = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers if layer.is_initialized)
        with self._lock:
            self._kept[conversation] = _Kept(tokens[:held], cache, size)
            self._kept.move_to_end(conversation)
            while len(self._kept) > self._conversations or (len(self._kept) > 1 and self.bytes > self._most_bytes):
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._kept.clear()


def common_beginning(one: list[int], other: list[int]) -> int:
    """How many tokens two sequences have in common from the beginning."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))


def _beginning(cache: DynamicCache, length: int) -> DynamicCache:
    """A copy of the first `length` tokens of `cache`. Keys and values are (batch, heads, tokens, head size)."""
    part = DynamicCache()
    for index, layer in enumerate(cache.layers):
        if layer.is_initialized:
            part.update(layer.keys[..., :length, :].clone(), layer.values[..., :length, :].clone(), index)
    return part

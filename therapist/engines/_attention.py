"""Attention of tokens of several conversations, over keys and values that some of them share.

Most of a prompt is the same for everybody: the persona, the exercise, its examples. The tokens of a pass that share
such a *trunk* attend to it in one product, so that its keys and values are read from memory once for all of them. What
is a conversation's own lies in a *pool*, in a place a conversation, so that tokens of several conversations attend to
their own keys and values in one call, too. The two parts are joined by the sums under their softmax (as in cascade
inference; Ye et al., FlashInfer, arXiv 2501.01005).

A token's result must not depend on the others in the pass. So the trunk is attended to by chunks of a fixed number of
rows, and what is beyond a conversation's end is masked, which adds zeros. That this machine's kernel gives the same
bits then is tried by `agrees` before it is relied upon.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import AttentionInterface

__all__ = ["OURS", "Held", "Laid", "Pool", "Trunk", "agrees"]

OURS = "bedside"
"""The name of our attention among the library's."""

ROWS = 8
"""Rows of queries in a chunk: few, since one reply alone has as many as there are heads that share a key."""

STEP = 32
"""How much of a conversation is attended to is a multiple of so many tokens, the rest of it masked."""

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
"""The kernel of torch's own `scaled_dot_product_attention`, which gives the sums under the softmax, too."""


@dataclass(slots=True, eq=False)
class Trunk:
    """What several conversations begin with: keys and values, each (layers, key heads, tokens, head size)."""

    keys: torch.Tensor
    values: torch.Tensor

    @property
    def length(self) -> int:
        return self.keys.shape[2]


@dataclass(slots=True, eq=False)
class Held:
    """The keys and values of one conversation: its trunk, if it has one, and its place in the pool."""

    place: int
    trunk: Trunk | None = None
    shared: int = 0
    """The length of the trunk that it has or will have."""
    length: int = 0
    """How many tokens have been read, those of the trunk among them."""

    @property
    def own(self) -> int:
        """How many tokens lie in the pool."""
        return self.length - (self.trunk.length if self.trunk else 0)


class Pool:
    """Places for the keys and values of conversations: (layers, places, key heads, capacity, head size) each.

    It grows when it has to. Memory is taken as places are filled, and used again by the next conversation.
    """

    def __init__(self, layers: int, heads: int, size: int, dtype: torch.dtype) -> None:
        self._layers, self._heads, self._size, self._dtype = layers, heads, size, dtype
        self._free: set[int] = set()
        self.keys = self.values = torch.empty(layers, 0, heads, 0, size, dtype=dtype)

    def take(self, tokens: int) -> int:
        """A place for so many tokens: the first that is free, so that those in use lie close together."""
        places, capacity = self.keys.shape[1], self.keys.shape[3]
        if not self._free or tokens > capacity:
            self._grow(places if self._free else max(4, 2 * places), max(capacity, -(-tokens // 256) * 256))
        place = min(self._free)
        self._free.remove(place)
        return place

    def give_back(self, place: int) -> None:
        self._free.add(place)

    def _grow(self, places: int, capacity: int) -> None:
        before, tokens = self.keys.shape[1], self.keys.shape[3]
        for name in ("keys", "values"):
            fresh = self._zeros(places, capacity)
            fresh[:, :before, :, :tokens] = getattr(self, name)
            setattr(self, name, fresh)
        self._free.update(range(before, places))

    def _zeros(self, places: int, capacity: int) -> torch.Tensor:
        """Numbers that are finite, since they are multiplied by zero before they are written; numpy's zeros take no
        memory until then."""
        shape = (self._layers, places, self._heads, capacity, self._size)
        flat = np.zeros(int(np.prod(shape)) * self._dtype.itemsize, np.uint8)
        return torch.from_numpy(flat).view(self._dtype).view(shape)


@dataclass(slots=True)
class Ones:
    """Tokens of which each is another conversation's: those that are being written. They come first in a pass."""

    count: int
    first: int
    """How many tokens lay in the pool before, of the first of them."""
    places: torch.Tensor
    """Their conversations' places in the pool, in order."""
    among: torch.Tensor
    """The same, counted from the first of them."""
    starts: torch.Tensor
    """How many tokens lay there before."""
    within: slice
    """The places of the pool from the first to the last of them."""
    end: int
    """So many tokens of each are attended to."""
    _masks: dict[int | None, torch.Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, ones: Sequence[tuple[Held, int]]) -> "Ones":
        places, starts = [held.place for held, _ in ones], [start for _, start in ones]
        end = -(-(max(starts) + 1) // STEP) * STEP
        within = slice(places[0], places[-1] + 1)
        at = torch.tensor(places)
        return cls(len(ones), starts[0], at, at - places[0], torch.tensor(starts), within, end)

    @property
    def gaps(self) -> bool:
        """Whether places between theirs are others'."""
        return bool(self.within.stop - self.within.start != self.count)

    def mask(self, window: int | None, dtype: torch.dtype) -> torch.Tensor:
        """What each sees: (places, 1, 1, tokens), 0 or minus infinity."""
        if window not in self._masks:
            mask = torch.full((self.within.stop - self.within.start, self.end), float("-inf"), dtype=dtype)
            for place, start in zip(self.places.tolist(), self.starts.tolist(), strict=True):
                mask[place - self.within.start, max(0, start + 1 - window) if window else 0 : start + 1] = 0
            self._masks[window] = mask[:, None, None]
        return self._masks[window]


@dataclass(slots=True)
class Laid:
    """How the tokens of a pass lie: which are whose, and what each attends to."""

    pool: Pool
    filling: int
    """Tokens at its end that are nobody's."""
    ones: Ones | None = None
    pieces: list[tuple[Held, int, int, int]] = field(default_factory=list)
    """Conversations of which several are read: the first's place in the pool, how many, its place in the pass."""
    trunks: list[tuple[Trunk, torch.Tensor | None]] = field(default_factory=list)
    """Each trunk, and the places in the pass of the tokens that attend to it; None for all."""
    _masks: dict[tuple[int, int, int, int | None], torch.Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, pool: Pool, pieces: Sequence[tuple[Held, int, int]], filling: int, apart: bool = False) -> "Laid":
        """`pieces`, in the order of `order`, are conversations, how many tokens of each lay in the pool before, and how
        many are read now. With `apart` each is attended to by itself."""
        laid = cls(pool, filling)
        sharing: dict[int, tuple[Trunk, list[int]]] = {}
        at = 0
        for held, start, count in pieces:
            if count > 1 or apart:
                laid.pieces.append((held, start, count, at))
            if held.trunk:
                sharing.setdefault(id(held.trunk), (held.trunk, []))[1].extend(range(at, at + count))
            at += count
        ones = [(held, start) for held, start, count in pieces if count == 1 and not apart]
        laid.ones = Ones.of(ones) if ones else None
        laid.trunks = [
            (trunk, None if len(ats) == at and not filling else torch.tensor(ats)) for trunk, ats in sharing.values()
        ]
        return laid

    @staticmethod
    def order(held: Held, count: int) -> tuple[bool, int]:
        """What the pieces of a pass are sorted by."""
        return count > 1, held.place

    def mask(self, start: int, count: int, groups: int, window: int | None, dtype: torch.dtype) -> torch.Tensor:
        """What each of `count` tokens after `start` others sees, for each of the heads that share a key:
        (count * groups, start + count), 0 or minus infinity."""
        name = (start, count, groups, window)
        if name not in self._masks:
            seen = torch.ones(count, start + count, dtype=torch.bool).tril(start)
            if window:
                seen = seen.triu(start - window + 1)
            mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, float("-inf"))
            self._masks[name] = mask.repeat_interleave(groups, 0)
        return self._masks[name]


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    pieces: Laid,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of each token over its own conversation, whose keys and values its own are added to.

    `query` is (1, heads, tokens, head size), `key` and `value` are (1, key heads, tokens, head size); the result is
    (1, tokens, heads, head size). Of a sliding window, a token sees so many tokens and itself among them.
    """
    if more.get("s_aux") is not None:
        raise NotImplementedError("attention with sinks")
    laid = pieces
    keys, values = laid.pool.keys[module.layer_idx], laid.pool.values[module.layer_idx]
    new_keys, new_values = key[0].transpose(0, 1), value[0].transpose(0, 1)
    heads, tokens, size = query.shape[1:]
    key_heads = key.shape[1]
    groups = heads // key_heads
    # (tokens, key heads, groups, size): the heads that share a key are rows of one question to it.
    asked = query[0].transpose(0, 1).reshape(tokens, key_heads, groups, size)
    found: list[torch.Tensor] = []
    sums: list[torch.Tensor] = []
    for held, start, count, at in laid.pieces:
        end = start + count
        keys[held.place, :, start:end] = key[0, :, at : at + count]
        values[held.place, :, start:end] = value[0, :, at : at + count]
        rows = asked[at : at + count].transpose(0, 1).reshape(1, key_heads, count * groups, size)
        mask = laid.mask(start, count, groups, sliding_window, query.dtype)
        its_keys, its_values = keys[None, held.place, :, :end], values[None, held.place, :, :end]
        if softcap is None:
            its, its_sums = _flash(rows, its_keys, its_values, attn_mask=mask, scale=scaling)
        else:
            its, its_sums = _capped(rows, its_keys, its_values, mask, scaling, softcap)
        found.append(its.view(key_heads, count, groups, size).transpose(0, 1))
        sums.append(its_sums.view(key_heads, count, groups).transpose(0, 1))
    if laid.ones:
        # After the pieces: the last token of a prompt may be one by itself, and sees those before it.
        its, its_sums = _ones(laid.ones, asked, new_keys, new_values, keys, values, sliding_window, scaling)
        found.insert(0, its)
        sums.insert(0, its_sums)
    if laid.filling:
        found.append(asked.new_zeros(laid.filling, key_heads, groups, size))
        sums.append(torch.zeros(laid.filling, key_heads, groups))
    out = torch.cat(found) if len(found) > 1 else found[0]
    if laid.trunks:
        own = torch.cat(sums) if len(sums) > 1 else sums[0]
        for trunk, ats in laid.trunks:
            its_keys, its_values = trunk.keys[module.layer_idx], trunk.values[module.layer_idx]
            if ats is None:
                out = _join(out, own, *_over_trunk(asked, its_keys, its_values, scaling))
            else:
                out[ats] = _join(out[ats], own[ats], *_over_trunk(asked[ats], its_keys, its_values, scaling))
    return out.reshape(1, tokens, heads, size), None


def _ones(
    ones: Ones,
    asked: torch.Tensor,
    new_keys: torch.Tensor,
    new_values: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    window: int | None,
    scaling: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the tokens find that are read one by one, and the logarithms of the sums under their softmax."""
    rows = asked[: ones.count]
    if ones.count == 1:
        keys[ones.within.start, :, ones.first] = new_keys[0]
        values[ones.within.start, :, ones.first] = new_values[0]
    else:
        keys[ones.places, :, ones.starts] = new_keys[: ones.count]
        values[ones.places, :, ones.starts] = new_values[: ones.count]
    if ones.gaps:
        rows = asked.new_zeros(ones.within.stop - ones.within.start, *asked.shape[1:])
        rows[ones.among] = asked[: ones.count]
    its_keys, its_values = keys[ones.within, :, : ones.end], values[ones.within, :, : ones.end]
    mask = ones.mask(window, asked.dtype)
    its, its_sums = _flash(rows, its_keys, its_values, attn_mask=mask, scale=scaling)
    return (its[ones.among], its_sums[ones.among]) if ones.gaps else (its, its_sums)


def _capped(
    rows: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor,
    scaling: float | None,
    softcap: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same with scores that are kept within `softcap`, which the kernel can't."""
    scores = softcap * torch.tanh(rows @ keys.mT * (scaling or rows.shape[-1] ** -0.5) / softcap) + mask
    return scores.float().softmax(-1).to(values.dtype) @ values, scores.float().logsumexp(-1)


def _over_trunk(
    asked: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scaling: float | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """What tokens (tokens, key heads, groups, size) find among keys and values (key heads, length, size), and the
    logarithms of the sums under their softmax (tokens, key heads, groups)."""
    tokens, key_heads, groups, size = asked.shape
    count = tokens * groups
    chunks = -(-count // ROWS)
    rows = asked.new_zeros(key_heads, chunks * ROWS, size)
    rows[:, :count].view(key_heads, tokens, groups, size).copy_(asked.transpose(0, 1))
    cut = rows.view(key_heads, chunks, ROWS, size).transpose(0, 1)
    found, sums = _flash(cut, keys.expand(chunks, -1, -1, -1), values.expand(chunks, -1, -1, -1), scale=scaling)
    found = found.transpose(0, 1).reshape(key_heads, chunks * ROWS, size)[:, :count]
    sums = sums.transpose(0, 1).reshape(key_heads, chunks * ROWS)[:, :count]
    return (
        found.view(key_heads, tokens, groups, size).transpose(0, 1),
        sums.view(key_heads, tokens, groups).transpose(0, 1),
    )


def _join(own: torch.Tensor, own_sums: torch.Tensor, found: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
    """What tokens found in their own and in their trunk, each weighed by its share of the sum under the softmax."""
    # A softmax over two is computed row by row; a sigmoid is computed otherwise for what a vector leaves over.
    weights = torch.stack((own_sums, sums), -1).softmax(-1)[..., 1:]
    return torch.lerp(own, found, weights if own.dtype == weights.dtype else weights.to(own.dtype))


def agrees(heads: int, key_heads: int, size: int, dtype: torch.dtype) -> bool:
    """Whether a token's attention has the same bits here whatever else is in the pass."""
    generator = torch.Generator().manual_seed(1)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(dtype)

    def trunk(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return _over_trunk(rows, keys, values, None)

    def own(count: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
        mask = torch.zeros(count, 1, 1, end, dtype=dtype)
        for place, length in enumerate(lengths[:count]):
            mask[place, ..., length:] = float("-inf")
        found, sums = _flash(asked[:count], pool_keys[:count, :, :end], pool_values[:count, :, :end], attn_mask=mask)
        return found, sums

    with torch.inference_mode():
        keys, values = drawn(key_heads, 160, size), drawn(key_heads, 160, size)
        rows = drawn(33, key_heads, heads // key_heads, size)
        whole = trunk(rows)
        same = all(_equal(trunk(rows[:count]), [one[:count] for one in whole]) for count in (1, 2, 5, 16)) and all(
            _equal(trunk(rows.roll(by, 0)), [one.roll(by, 0) for one in whole]) for by in range(1, ROWS)
        )
        lengths = (5, 32, 33, 100)
        pool_keys, pool_values = drawn(4, key_heads, 640, size), drawn(4, key_heads, 640, size)
        asked = drawn(4, key_heads, heads // key_heads, size)
        most = own(4, 128)
        return same and all(
            _equal(own(count, end), [one[:count] for one in most])
            for count, end in ((1, 32), (1, 64), (2, 64), (3, 96), (4, 256), (4, 544), (4, 640))
        )


def _equal(some: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


AttentionInterface.register(OURS, _attend)

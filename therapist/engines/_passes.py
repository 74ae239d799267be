"""One pass of the model over pieces of several conversations: what continuous batching does.

The tokens of all pieces stand in one sequence, so that each weight is read from memory once for all of them; only
attention is done piece by piece, over the keys and values of the piece's own conversation. So a token's attention is
the same arithmetic whatever else is in the pass. The layers between are given a number of tokens at which this machine
computes a token's result as it does at all others (`_counts`).

The model stays the library's own: attention is the one function that it lets others supply. A model that is made
otherwise (recurrent layers, attention with sinks or caps) is found out by comparing the two when it is loaded, and is
read one conversation after another, by its own code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, DynamicCache

from therapist.engines._counts import Counts
from therapist.engines._int8 import Int8Linear
from therapist.engines._kept import BLOCK, Block
from therapist.engines._probing import can_be_cut_back

__all__ = ["Alone", "Passes", "Piece", "Together", "passes_of"]

OURS = "bedside"
"""The name of our attention among the library's."""

NEAR = 1e-2
"""By so much of their range the two ways of reading may differ: they sum in another order, and then round otherwise."""


@dataclass(slots=True)
class Piece:
    """Tokens of one conversation that are read in one pass, after those that were read before."""

    state: Any
    """What `begin` gave."""
    tokens: list[int]
    wanted: bool
    """Whether the scores of the token after the last one are wanted."""


class Passes(Protocol):
    """How a model is read."""

    together: bool
    """Whether pieces of several conversations are read in one pass."""

    def begin(self, capacity: int, kept: Sequence[Block]) -> Any:
        """The state of a conversation of at most `capacity` tokens that begins with `kept`."""
        ...

    def read(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """Read the pieces; the scores (wanted pieces, vocabulary) of what comes after those that want them."""
        ...

    def blocks(self, state: Any, first: int, last: int) -> list[Block]:
        """Copies of the blocks of a state from number `first` to before `last`."""
        ...


@dataclass(slots=True)
class _Held:
    """The keys and values of one conversation, each (layers, heads, capacity, head size), and how many tokens of it."""

    keys: torch.Tensor
    values: torch.Tensor
    length: int = 0


class Together:
    """Reads pieces of several conversations in one pass."""

    together = True

    def __init__(self, model: Any, counts: Counts) -> None:
        self._model = model
        self._counts = counts
        config = model.config.get_text_config()
        heads = config.num_attention_heads
        self._layers: int = config.num_hidden_layers
        self._heads: int = getattr(config, "num_key_value_heads", None) or heads
        self._size: int = getattr(config, "head_dim", None) or config.hidden_size // heads
        self._dtype: torch.dtype = model.dtype

    def begin(self, capacity: int, kept: Sequence[Block]) -> _Held:
        shape = (self._layers, self._heads, capacity, self._size)
        held = _Held(torch.empty(shape, dtype=self._dtype), torch.empty(shape, dtype=self._dtype))
        for block in kept:
            held.keys[:, :, held.length : held.length + BLOCK] = block.keys
            held.values[:, :, held.length : held.length + BLOCK] = block.values
            held.length += BLOCK
        return held

    def read(self, pieces: Sequence[Piece]) -> torch.Tensor:
        tokens: list[int] = []
        places: list[int] = []
        wanted: list[int] = []
        ahead: dict[int, int] = {}  # of a conversation with several pieces in this pass, what the earlier ones hold
        laid = []
        for piece in pieces:
            start = ahead.get(id(piece.state), piece.state.length)
            laid.append((piece.state, start, len(piece.tokens)))
            ahead[id(piece.state)] = start + len(piece.tokens)
            tokens += piece.tokens
            places += range(start, start + len(piece.tokens))
            if piece.wanted:
                wanted.append(len(tokens) - 1)
        filling = self._counts.at_least(len(tokens)) - len(tokens)
        asked = wanted + wanted[:1] * (self._counts.at_least(len(wanted)) - len(wanted)) if wanted else [0]
        scores: torch.Tensor = self._model(
            input_ids=torch.tensor([tokens + [0] * filling]),
            position_ids=torch.tensor([places + [0] * filling]),
            use_cache=False,
            logits_to_keep=torch.tensor(asked),
            pieces=laid,
        ).logits[0]
        for piece in pieces:
            piece.state.length += len(piece.tokens)
        return scores[: len(wanted)].float()

    def blocks(self, state: _Held, first: int, last: int) -> list[Block]:
        spans = [slice(number * BLOCK, (number + 1) * BLOCK) for number in range(first, last)]
        return [Block(state.keys[:, :, span].clone(), state.values[:, :, span].clone()) for span in spans]


class Alone:
    """Reads one conversation after another, by the library's own code. Nothing is kept between replies."""

    together = False

    def __init__(self, model: Any) -> None:
        self._model = model

    def begin(self, capacity: int, kept: Sequence[Block]) -> DynamicCache:
        return DynamicCache(config=self._model.config)

    def read(self, pieces: Sequence[Piece]) -> torch.Tensor:
        scores = [
            self._model(
                input_ids=torch.tensor([piece.tokens]),
                past_key_values=piece.state,
                cache_params=piece.state,
                use_cache=True,
                logits_to_keep=1,
            ).logits[0, -1]
            for piece in pieces
        ]
        wanted = [one for one, piece in zip(scores, pieces, strict=True) if piece.wanted]
        return torch.stack(wanted).float() if wanted else torch.empty(0, 0)

    def blocks(self, state: DynamicCache, first: int, last: int) -> list[Block]:
        return []


def passes_of(model: Any, counts: Counts, together: bool | None = None) -> Passes:
    """The way in which `model` can be read: several conversations `together` if that gives what the library's own code
    gives, else one after another. None: not tried yet."""
    if together is False or not (can_be_cut_back(model) and _is_plain(model)):
        return Alone(model)
    if together:
        model.set_attn_implementation(OURS)
        return Together(model, counts)
    own = model.config._attn_implementation
    tokens = [index % min(1000, model.config.get_text_config().vocab_size) for index in range(2, 2 + 2 * BLOCK + 5)]
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1].float()
        try:
            model.set_attn_implementation(OURS)
            ours = Together(model, counts)
            state = ours.begin(len(tokens), [])
            cut = [tokens[:BLOCK], tokens[BLOCK : 2 * BLOCK], tokens[2 * BLOCK : -1], tokens[-1:]]
            first = [Piece(state, piece, False) for piece in cut[:2]]
            ours.read(first)
            ours.read([Piece(state, cut[2], False)])
            found = ours.read([Piece(state, cut[3], True)])[0]
            if (found - expected).abs().max() <= NEAR * (expected.max() - expected.min()):
                return ours
        except Exception:  # noqa: S110 - whatever a model of another kind does with it: it is read in its own way
            pass
    model.set_attn_implementation(own)
    return Alone(model)


def _is_plain(model: Any) -> bool:
    """Whether a token's result depends on its own conversation alone, as far as that can be seen of a model: its
    weights are in layers that `_counts` tries, and its positions do not follow the longest one in a pass."""
    config = model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kinds = {rope.get("rope_type")} | {one.get("rope_type") for one in rope.values() if isinstance(one, dict)}
    tried = (nn.Linear, Int8Linear, nn.Embedding)
    return not kinds & {"dynamic", "longrope"} and all(
        isinstance(module, tried) or all(parameter.dim() < 2 for parameter in module.parameters(recurse=False))
        for module in model.modules()
    )


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    pieces: list[tuple[_Held, int, int]],
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of each piece over its own conversation, whose keys and values it is added to.

    `query` is (1, heads, tokens, head size), `key` and `value` are (1, key heads, tokens, head size); the result is
    (1, tokens, heads, head size). Of a sliding window, a token sees so many tokens and itself among them.
    """
    if more.get("s_aux") is not None:
        raise NotImplementedError("attention sinks")
    heads, size = query.shape[1], query.shape[3]
    groups = key.shape[1]
    out = torch.zeros(1, query.shape[2], heads, size, dtype=query.dtype)
    at = 0
    for held, start, count in pieces:
        keys, values = held.keys[module.layer_idx], held.values[module.layer_idx]
        end = start + count
        keys[:, start:end] = key[0, :, at : at + count]
        values[:, start:end] = value[0, :, at : at + count]
        begin = max(0, start + 1 - sliding_window) if sliding_window else 0
        seen_keys, seen_values = keys[None, :, begin:end], values[None, :, begin:end]
        if count == 1:
            # The heads that share a key are put as rows of one: there is nothing to mask.
            rows = query[0, :, at].reshape(1, groups, heads // groups, size)
            out[0, at] = _attention(rows, seen_keys, seen_values, None, scaling, softcap).view(heads, size)
        else:
            rows = query[:, :, at : at + count]
            mask = _mask(start - begin, count, sliding_window)
            found = _attention(rows, seen_keys, seen_values, mask, scaling, softcap)
            out[0, at : at + count] = found[0].transpose(0, 1)
        at += count
    return out, None


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float | None,
    softcap: float | None,
) -> torch.Tensor:
    if softcap is None:
        return scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
        )
    groups = query.shape[1] // key.shape[1]
    scores = query @ key.repeat_interleave(groups, 1).mT * (scaling or query.shape[-1] ** -0.5)
    scores = softcap * torch.tanh(scores / softcap)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.float().softmax(-1).to(value.dtype) @ value.repeat_interleave(groups, 1)


def _mask(before: int, count: int, window: int | None) -> torch.Tensor:
    """Which of `before` + `count` tokens each of the last `count` sees: (count, before + count)."""
    mask = torch.ones(count, before + count, dtype=torch.bool).tril(before)
    return mask.triu(before - window + 1) if window else mask


AttentionInterface.register(OURS, _attend)

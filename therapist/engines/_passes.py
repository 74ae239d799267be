"""One pass of the model over pieces of several conversations: what continuous batching does.

The tokens of all pieces stand in one sequence, so that each weight is read from memory once for all of them; attention
is over the keys and values of a token's own conversation, and the same arithmetic whatever else is in the pass
(`_attention`). The layers between are given a number of tokens at which this machine computes a token's result as it
does at all others (`_counts`).

The model stays the library's own: attention is the one function that it lets others supply. A model that is made
otherwise (recurrent layers, attention with sinks) is found out by comparing the two when it is loaded, and is
read one conversation after another, by its own code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import nn
from transformers import DynamicCache

from therapist.engines._attention import OURS, Held, Laid, Pool, Trunk
from therapist.engines._counts import Counts
from therapist.engines._int8 import Int8Linear
from therapist.engines._kept import BLOCK, Block
from therapist.engines._probing import can_be_cut_back

__all__ = ["Alone", "Passes", "Piece", "Together", "passes_of"]

LEAST = 8
"""Blocks of which a trunk consists at the least: to join two parts costs something, too."""

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

    def begin(self, capacity: int, kept: Sequence[Block], shared: int = 0) -> Any:
        """The state of a conversation of at most `capacity` tokens that begins with `kept`. Others begin with its first
        `shared` tokens, too; no pass may read tokens on both sides of their end."""
        ...

    def end(self, state: Any) -> None:
        """Let go of what `begin` gave."""
        ...

    def read(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """Read the pieces; the scores (wanted pieces, vocabulary) of what comes after those that want them."""
        ...

    def blocks(self, state: Any, first: int, last: int) -> list[Block]:
        """Copies of the blocks of a state from number `first` to before `last`."""
        ...


class Together:
    """Reads pieces of several conversations in one pass."""

    together = True

    def __init__(self, model: Any, counts: Counts) -> None:
        self._model = model
        self._counts = counts
        config = model.config.get_text_config()
        heads = config.num_attention_heads
        size: int = getattr(config, "head_dim", None) or config.hidden_size // heads
        key_heads: int = getattr(config, "num_key_value_heads", None) or heads
        self._pool = Pool(config.num_hidden_layers, key_heads, size, model.dtype)
        self._trunks: WeakKeyDictionary[Block, Trunk] = WeakKeyDictionary()
        self._capped = getattr(config, "attn_logit_softcapping", None) is not None
        # Of a trunk every token sees all.
        self._shares = not (self._capped or _has_windows(config))

    def begin(self, capacity: int, kept: Sequence[Block], shared: int = 0) -> Held:
        blocks = shared // BLOCK if self._shares else 0
        whole = blocks >= LEAST and len(kept) >= blocks
        held = Held(self._pool.take(capacity - blocks * BLOCK if whole else capacity))
        held.shared = blocks * BLOCK if blocks >= LEAST else 0
        if whole:
            held.trunk = self._trunk(kept[:blocks])
            kept = kept[blocks:]
            held.length = held.shared
        for block in kept:
            span = slice(held.own, held.own + BLOCK)
            self._pool.keys[:, held.place, :, span] = block.keys
            self._pool.values[:, held.place, :, span] = block.values
            held.length += BLOCK
        return held

    def end(self, state: Held) -> None:
        self._pool.give_back(state.place)

    def read(self, pieces: Sequence[Piece]) -> torch.Tensor:
        starts: list[int] = []
        ahead: dict[int, int] = {}  # of a conversation with several pieces in this pass, what the earlier ones hold
        for piece in pieces:
            starts.append(ahead.get(id(piece.state), piece.state.length))
            ahead[id(piece.state)] = starts[-1] + len(piece.tokens)
        order = sorted(range(len(pieces)), key=lambda one: Laid.order(pieces[one].state, len(pieces[one].tokens)))
        tokens: list[int] = []
        places: list[int] = []
        last: dict[int, int] = {}
        laid = []
        for number in order:
            piece, start = pieces[number], starts[number]
            laid.append((piece.state, start - piece.state.length + piece.state.own, len(piece.tokens)))
            tokens += piece.tokens
            places += range(start, start + len(piece.tokens))
            last[number] = len(tokens) - 1
        wanted = [last[number] for number, piece in enumerate(pieces) if piece.wanted]
        filling = self._counts.at_least(len(tokens)) - len(tokens)
        asked = wanted + wanted[:1] * (self._counts.at_least(len(wanted)) - len(wanted)) if wanted else [0]
        scores: torch.Tensor = self._model(
            input_ids=torch.tensor([tokens + [0] * filling]),
            position_ids=torch.tensor([places + [0] * filling]),
            use_cache=False,
            logits_to_keep=torch.tensor(asked),
            pieces=Laid.of(self._pool, laid, filling, self._capped),
        ).logits[0]
        for piece in pieces:
            piece.state.length += len(piece.tokens)
            if piece.state.trunk is None and piece.state.length == piece.state.shared > 0:
                self._begin_own(piece.state)
        return scores[: len(wanted)].float()

    def blocks(self, state: Held, first: int, last: int) -> list[Block]:
        within = state.trunk.length // BLOCK if state.trunk else 0
        blocks = []
        for number in range(first, last):
            if state.trunk and number < within:
                keys, values, place = state.trunk.keys, state.trunk.values, number
            else:
                keys, values = self._pool.keys[:, state.place], self._pool.values[:, state.place]
                place = number - within
            span = slice(place * BLOCK, (place + 1) * BLOCK)
            blocks.append(Block(keys[:, :, span].clone(), values[:, :, span].clone()))
        if state.trunk and first < within <= last:
            self._trunks[blocks[within - 1 - first]] = state.trunk
        return blocks

    def _trunk(self, blocks: Sequence[Block]) -> Trunk:
        """The trunk that consists of `blocks`: there once, as long as the last of them is kept."""
        trunk = self._trunks.get(blocks[-1])
        if trunk is None:
            keys, values = (torch.cat([getattr(one, name) for one in blocks], 2) for name in ("keys", "values"))
            trunk = self._trunks[blocks[-1]] = Trunk(keys, values)
        return trunk

    def _begin_own(self, state: Held) -> None:
        """What `state` has read becomes its trunk."""
        keys, values = (one[:, state.place, :, : state.length].clone() for one in (self._pool.keys, self._pool.values))
        state.trunk = Trunk(keys, values)


class Alone:
    """Reads one conversation after another, by the library's own code. Nothing is kept between replies."""

    together = False

    def __init__(self, model: Any) -> None:
        self._model = model

    def begin(self, capacity: int, kept: Sequence[Block], shared: int = 0) -> DynamicCache:
        return DynamicCache(config=self._model.config)

    def end(self, state: DynamicCache) -> None:
        pass

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
    tokens = [
        index % min(1000, model.config.get_text_config().vocab_size) for index in range(2, 2 + (LEAST + 2) * BLOCK + 5)
    ]
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1].float()
        try:
            model.set_attn_implementation(OURS)
            ours = Together(model, counts)
            # A trunk in two pieces, what follows it in two more, and a token by itself.
            ends = [0, BLOCK, LEAST * BLOCK, (LEAST + 1) * BLOCK, len(tokens) - 1, len(tokens)]
            state = ours.begin(len(tokens), [], LEAST * BLOCK)
            pieces = [Piece(state, tokens[ends[at] : ends[at + 1]], at == 4) for at in range(5)]
            for some in (pieces[:2], pieces[2:4]):
                ours.read(some)
            found = ours.read(pieces[4:])[0]
            ours.end(state)
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


def _has_windows(config: Any) -> bool:
    """Whether some of a model's layers see only the latest tokens."""
    kinds = getattr(config, "layer_types", None) or []
    return getattr(config, "sliding_window", None) is not None or "sliding_attention" in kinds

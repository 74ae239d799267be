"""At how many tokens in a pass this machine computes a token's result to the same bit.

A product of matrices is summed in another order for one token than for sixteen: BLAS has kernels for each size. A
reply must not depend on how many others are written beside it, so passes are filled up to a number of tokens at which
this machine's kernels agree. Which these are is found out by trying, on the model's own layers: of MKL's float32
kernels on one machine 4, 8, and all from 12 on; with weights of eight bits, whose sums are exact, all.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from therapist.engines._attention import agrees

__all__ = ["Counts", "find_counts"]

SMALL = 16

TRIED = (*range(1, SMALL + 1), 24, 33, 64, 128)
"""Beyond the small ones, a number that is not tried is taken to be like those that are."""

ACTIVATIONS = ("act_fn", "act", "activation_fn")
"""The library's names for the function between two layers. Threads that share its numbers may round otherwise."""

WIDE = 33
"""Of the layer that scores the vocabulary, which has far more outputs than inputs and is given the last token of each
piece alone, so many tokens are tried."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of tokens, up to `SMALL`, at which results agree with those of all greater ones."""

    small: tuple[int, ...]

    def at_least(self, count: int) -> int:
        """The least of the agreeing numbers that is not below `count`."""
        place = bisect_left(self.small, count)
        return self.small[place] if place < len(self.small) else count

    @property
    def found(self) -> bool:
        """Whether this machine has such numbers at all."""
        return bool(self.small)


def find_counts(model: Any) -> Counts:
    """Try the kernels on one of each shape of the model's linear layers, and on what stands between them."""
    if not _attention_agrees(model):
        return Counts(())
    layers: dict[tuple[int, int], nn.Module] = {}
    for name, module in model.named_modules():
        if hasattr(module, "in_features") and hasattr(module, "out_features"):
            layers.setdefault((module.in_features, module.out_features), module)
        if name.rpartition(".")[2] in ACTIVATIONS:
            width = model.config.get_text_config().intermediate_size
            layers.setdefault((width, 0), module)
    agreeing = set(TRIED)
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        for (inputs, outputs), layer in layers.items():
            most = WIDE if outputs > 8 * inputs else max(TRIED)
            x = torch.randn(1, most, inputs, generator=generator).to(model.dtype)
            whole = layer(x)
            agreeing -= {
                count
                for count in agreeing
                if count <= most
                and not (
                    torch.equal(layer(x[:, :count].contiguous()), whole[:, :count])
                    # Neither may it matter which of them a token is.
                    and torch.equal(layer(x[:, :count].flip(1).contiguous()), whole[:, :count].flip(1))
                )
            }
    if not agreeing.issuperset(count for count in TRIED if count > SMALL):
        return Counts(())
    return Counts(tuple(sorted(count for count in agreeing if count <= SMALL)))


def _attention_agrees(model: Any) -> bool:
    if not hasattr(model, "config"):
        return True
    config = model.config.get_text_config()
    heads: int | None = getattr(config, "num_attention_heads", None)
    if heads is None:
        return True
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    return agrees(heads, key_heads, getattr(config, "head_dim", None) or config.hidden_size // heads, model.dtype)

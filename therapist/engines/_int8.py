"""Weights of eight bits, with sums that are exact.

On a processor a token waits for the weights to come from memory, so weights of a quarter of the size are read in a
quarter of the time. Each row of a layer's weights is scaled to integers from -127 to 127.

What the layer is given is written as two digits of seven bits, each with the scale of its own token. Seven bits alone
change the model: with the default one, the likeliest next token was another in 22 of 100 places, and with two digits,
as with weights of eight bits alone, in 5. The digits are multiplied by FBGEMM's kernels, which sum integers: no order
of summing gives another result, so a token's result does not depend on what else is computed beside it.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

__all__ = ["Int8Linear", "with_int8"]

HALF = 64
"""Half of the steps that seven bits have."""


class Int8Linear(nn.Module):
    """A linear layer with weights of eight bits, over inputs (1, tokens, inputs) of float32."""

    def __init__(self, weights: "_Weights", like: nn.Linear, first: int) -> None:
        """Its outputs are those of `weights` from number `first` on."""
        super().__init__()
        self._weights = weights
        self._first = first
        self.in_features, self.out_features = like.in_features, like.out_features
        self.bytes = like.in_features * like.out_features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = self._weights.outputs(x)
        if outputs.shape[-1] == self.out_features:
            return outputs
        return outputs[..., self._first : self._first + self.out_features]


class _Weights:
    """The weights of layers that are given the same: one product gives the outputs of all."""

    def __init__(self, likes: Sequence[nn.Linear], digits: "_Digits") -> None:
        weight = torch.cat([like.weight.detach().float() for like in likes])
        scale = weight.abs().amax(1).clamp_min(1e-12) / 127
        whole = (weight / scale[:, None]).round_().to(torch.int8)
        zero = torch.zeros(len(weight), dtype=torch.long)
        quantised = torch._make_per_channel_quantized_tensor(whole, scale.double(), zero, 0)
        self._packed = torch.ops.quantized.linear_prepack(quantised, None)
        biases = [like.bias for like in likes if like.bias is not None]
        self._bias = torch.cat([bias.detach().float() for bias in biases]) if biases else None
        self._digits = digits
        self._layers = len(likes)
        self._of: torch.Tensor | None = None
        self._outputs: torch.Tensor | None = None
        self._left = 0

    def outputs(self, x: torch.Tensor) -> torch.Tensor:
        """The outputs of all the layers, one after another: (1, tokens, outputs)."""
        if self._layers == 1:
            return self._computed(x)
        if self._outputs is None or self._of is not x:
            self._of, self._outputs, self._left = x, self._computed(x), self._layers
        outputs = self._outputs
        self._left -= 1
        if not self._left:  # each has had its own
            self._of = self._outputs = None
        return outputs

    def _computed(self, x: torch.Tensor) -> torch.Tensor:
        digits, scale = self._digits.of(x)
        count = len(scale)
        both = torch.ops.quantized.linear_dynamic(digits, self._packed, True)
        out = torch.add(both[:count], both[count : 2 * count], alpha=1 / _LOW).mul_(scale)
        if self._bias is not None:
            out += self._bias
        return out.view(*x.shape[:-1], -1)


_LOW = 2 * (HALF - 1)
"""By so much the rest that the first digit leaves, at most 1/128, is magnified to become the second."""


FEW = 16
"""For so many tokens the place of their digits is kept from one layer to the next."""


class _Digits:
    """A layer's input in two digits: computed once for the layers that are given the same, as a gate and what it lets
    through are."""

    def __init__(self) -> None:
        self._of: torch.Tensor | None = None
        self._digits: tuple[torch.Tensor, torch.Tensor] | None = None
        self._places: dict[tuple[int, int], torch.Tensor] = {}

    def of(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The first digit of each token, then the second, then a row that spans the range; and each token's scale."""
        if self._digits is None or self._of is not x:
            tokens = x.reshape(-1, x.shape[-1])
            self._of, self._digits = x, _digits(tokens, self._place(*tokens.shape))
        return self._digits

    def _place(self, count: int, width: int) -> torch.Tensor:
        place = self._places.get((count, width))
        if place is None:
            place = torch.zeros(2 * count + 1, width)
            # The kernel takes its step from the least and the greatest of all it is given: with these in the last row
            # it is always the same one.
            place[-1, 0], place[-1, 1] = -1, (HALF - 1) / HALF
            if count <= FEW:
                self._places[count, width] = place
        return place


def _digits(tokens: torch.Tensor, place: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    count = len(tokens)
    scale = tokens.abs().amax(-1, keepdim=True).clamp_min_(1e-12).mul_(HALF / (HALF - 1))
    high, low = place[:count], place[count : 2 * count]
    torch.div(tokens, scale, out=low)
    torch.mul(low, HALF, out=high)
    high.round_().mul_(1 / HALF)
    low.sub_(high).mul_(_LOW)
    return place, scale


def with_int8(model: Any) -> Any:
    """`model` with the weights of its linear layers in eight bits, in place. Embeddings stay as they are."""
    with warnings.catch_warnings():
        # torch announces that its quantised tensors will go, and its version is pinned here.
        warnings.simplefilter("ignore", UserWarning)
        _replace(model, _Digits())
    for parameter in model.parameters():
        # Else what is left of the model would hold the whole file of its weights in memory.
        parameter.data = parameter.data.clone()
    return model


TOGETHER = (("q_proj", "k_proj", "v_proj"),)
"""The library's names of layers that are given the same. (A gate's outputs stay apart: the activation over a part of
them would be cut at other places among the processor's vectors.)"""


def _replace(module: nn.Module, digits: _Digits) -> None:
    children = dict(module.named_children())
    linear = {name: child for name, child in children.items() if type(child) is nn.Linear}
    groups = [names for names in TOGETHER if _alike([linear.get(name) for name in names])]
    grouped = {name for names in groups for name in names}
    for names in [*groups, *((name,) for name in linear if name not in grouped)]:
        likes = [linear[name] for name in names]
        weights, first = _Weights(likes, digits), 0
        for name, like in zip(names, likes, strict=True):
            setattr(module, name, Int8Linear(weights, like, first))
            first += like.out_features
    for name, child in children.items():
        if name not in linear:
            _replace(child, digits)


def _alike(layers: Sequence[nn.Linear | None]) -> bool:
    """Whether all are there, with inputs and biases alike."""
    there = [layer for layer in layers if layer is not None]
    return len(there) == len(layers) and len({(one.in_features, one.bias is None) for one in there}) == 1

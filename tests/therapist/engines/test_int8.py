"""Weights of eight bits: near the model's own, and the same beside whatever else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from therapist.engines._counts import SMALL, Counts, find_counts
from therapist.engines._int8 import Int8Linear, with_int8


def layer(inputs: int = 96, outputs: int = 40, bias: bool = False) -> nn.Linear:
    torch.manual_seed(2)
    return nn.Linear(inputs, outputs, bias=bias)


@pytest.mark.parametrize("bias", [False, True])
def test_it_gives_what_the_layer_gives_but_for_the_rounding_of_weights(bias: bool) -> None:
    like = layer(bias=bias)
    ours = with_int8(nn.Sequential(like))
    given = torch.randn(1, 50, 96)
    given[:, :, 5] *= 100  # as some features of language models are
    with torch.inference_mode():
        exact, found = layer(bias=bias)(given), ours(given)
    assert isinstance(ours[0], Int8Linear)
    assert (exact - found).norm() / exact.norm() < 0.01


def test_inputs_lose_next_to_nothing() -> None:
    """With weights that eight bits hold exactly, what is left is the rounding of the inputs: fourteen bits of it."""
    like = layer()
    like.weight.data = torch.randint(-127, 128, like.weight.shape).float()
    like.weight.data[:, 0] = 127
    given = torch.randn(1, 50, 96)
    with torch.inference_mode():
        exact = like(given)
        found = with_int8(nn.Sequential(like))(given)
    assert (exact - found).norm() / exact.norm() < 2e-4


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(0, 10_000))
def test_a_token_is_the_same_to_the_bit_whatever_stands_beside_it(count: int, seed: int) -> None:
    model = with_int8(nn.Sequential(layer()))
    generator = torch.Generator().manual_seed(seed)
    given = torch.randn(1, count, 96, generator=generator) * 10 ** torch.randn(1, count, 1, generator=generator)
    order = torch.randperm(count, generator=generator)
    with torch.inference_mode():
        together = model(given)
        assert torch.equal(model(given[:, order].contiguous()), together[:, order])
        for place in range(min(count, 5)):
            assert torch.equal(model(given[:, place : place + 1].contiguous()), together[:, place : place + 1])


def test_silence_in_is_silence_out() -> None:
    assert not with_int8(nn.Sequential(layer()))(torch.zeros(1, 3, 96)).any()


def test_integers_agree_at_every_number_of_tokens() -> None:
    model = with_int8(nn.Sequential(layer()))
    model.dtype = torch.float32
    assert find_counts(model).small == tuple(range(1, SMALL + 1))


class Moody(nn.Module):
    """A layer whose result depends on how many tokens there are, as that of BLAS does."""

    in_features, out_features = 8, 8

    def __init__(self, alike: set[int]) -> None:
        super().__init__()
        self._alike = alike

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.shape[1] in self._alike or x.shape[1] > SMALL else x + 1e-6 * x.shape[1]


@pytest.mark.parametrize(("alike", "counts"), [({4, 8, *range(12, 17)}, (4, 8, 12, 13, 14, 15, 16)), (set(), ())])
def test_the_numbers_at_which_a_machine_agrees_with_itself_are_found(alike: set[int], counts: tuple[int, ...]) -> None:
    model = nn.Sequential(Moody(alike), layer(8, 8))
    model.dtype = torch.float64
    model[1] = Moody(set(range(100)))
    found = find_counts(model)
    assert found.small == counts
    assert found.found == bool(counts)


def test_a_pass_is_filled_up_to_the_next_number_that_agrees() -> None:
    counts = Counts((4, 8, 12))
    assert [counts.at_least(number) for number in (1, 4, 5, 9, 12, 13, 40)] == [4, 4, 8, 12, 12, 13, 40]
    assert Counts(()).at_least(3) == 3

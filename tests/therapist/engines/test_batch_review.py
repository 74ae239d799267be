"""What one reply does to another that is written in the same passes: nothing, whatever the model and the machine."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM

from therapist.engine import Prompt, Sampling
from therapist.engines._counts import find_counts
from therapist.engines._kept import KeptBlocks
from therapist.engines._loop import Loop
from therapist.engines._passes import Passes, Piece, passes_of
from therapist.engines._reply import Reply
from therapist.errors import EngineError

SHAPE: dict[str, Any] = {
    "vocab_size": 200,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


@pytest.fixture(params=[2, 7], ids=["2 threads", "7 threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """As on a machine of two processors, and on one of eight, where one is left to others."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def scores(passes: Passes, tokens: list[int], beside: list[int]) -> torch.Tensor:
    """What comes after `tokens`, read in the same passes as the end of `beside`."""
    state = passes.begin(len(tokens), [])
    pieces = [Piece(state, tokens, True)]
    if beside:
        other = passes.begin(len(beside), [])
        passes.read([Piece(other, beside[:-30], False)])
        pieces.append(Piece(other, beside[-30:], True))
    return passes.read(pieces)[0]


def with_dynamic_positions() -> Any:
    """Positions that are reckoned from the longest conversation in a pass, as in Phi-3's models."""
    rope = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0}
    config = LlamaConfig(**SHAPE, intermediate_size=128, max_position_embeddings=80, rope_parameters=rope)
    return LlamaForCausalLM(config)


def with_experts() -> Any:
    """Layers that are given only the tokens of a pass that chose them."""
    return MixtralForCausalLM(MixtralConfig(**SHAPE, intermediate_size=128, num_local_experts=4))


def with_wide_layers() -> Any:
    """Activations of so many numbers that threads share them, at bounds that fall inside a vector."""
    return LlamaForCausalLM(LlamaConfig(**SHAPE, intermediate_size=1536))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("make", [with_wide_layers, with_dynamic_positions, with_experts])
def test_a_token_is_the_same_to_the_bit_whatever_else_is_in_the_pass(make: Any) -> None:
    torch.manual_seed(1)
    model = make().eval()
    with torch.inference_mode():
        counts = find_counts(model)
        passes = passes_of(model, counts)
        if passes.together and not counts.found:
            pytest.skip("this machine's kernels agree at no numbers of tokens here: replies are written one by one")
        tokens = list(range(3, 33))
        alone = scores(passes, tokens, [])
        for length in (31, 60, 90, 120):
            assert torch.equal(scores(passes, tokens, list(range(5, 5 + length))), alone), length


class Counted:
    """Stands for the model: the score of token 1 is the greatest, always."""

    together = True

    def begin(self, capacity: int, kept: Sequence[Any], shared: int = 0) -> object:
        return object()

    def end(self, state: object) -> None:
        pass

    def read(self, pieces: Sequence[Piece]) -> torch.Tensor:
        return torch.tensor([[0.0, 1.0]]).repeat(sum(piece.wanted for piece in pieces), 1)

    def blocks(self, state: object, first: int, last: int) -> list[Any]:
        return []


def test_a_reply_that_fails_ends_no_other_and_the_model_goes_on() -> None:
    """One reply ends in the pass in which another fails: at its text, say, or at how it is drawn."""

    def broken(tokens: list[int]) -> str:
        raise ValueError

    def says(tokens: list[int]) -> str:
        return "Well."

    def reply(name: str, text_of: Any) -> Reply:
        prompt = Prompt("", (), (), "", "statement")
        return Reply(prompt, Sampling(max_tokens=1), 1, name, "interactive", text_of)

    def prepare(one: Reply) -> None:
        # The two that follow the first are asked for while it is begun, so they are let in together.
        assert asked.wait(10)
        one.asked([5, 6, 7], [], frozenset())

    asked = threading.Event()
    loop = Loop(Counted(), KeptBlocks(), prepare, 4, 64)
    try:
        first, whole, failing, later = (
            reply(name, text_of) for name, text_of in zip("abcd", (says, says, broken, says), strict=True)
        )
        for one in (first, whole, failing):
            loop.add(one)
        asked.set()
        assert whole.pieces.get(timeout=10) == "Well."
        assert isinstance(failing.pieces.get(timeout=10), EngineError)
        loop.add(later)
        assert later.pieces.get(timeout=10) == "Well."
    finally:
        loop.close()

"""Which keys and values are kept, and for whom."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from therapist.engines._kept import BLOCK, Block, KeptBlocks

SIZE = 2 * BLOCK * 4
"""Bytes of a block below: a key and a value of four bytes for each token."""


def prompt(*numbers: int) -> list[int]:
    """A prompt of whole blocks, each of one token over and over, and one token more."""
    return [number for number in numbers for _ in range(BLOCK)] + [99]


def blocks(tokens: list[int]) -> list[Block]:
    """The blocks of `tokens`; their keys are the tokens themselves, so that one can see which they are."""
    whole = [tokens[at : at + BLOCK] for at in range(0, len(tokens) - BLOCK + 1, BLOCK)]
    tensors = [torch.tensor(one, dtype=torch.float32).view(1, 1, BLOCK, 1) for one in whole]
    return [Block(one, one) for one in tensors]


def held(found: list[Block]) -> list[int]:
    return [int(one) for block in found for one in block.keys.flatten()]


def keep(kept: KeptBlocks, tokens: list[int]) -> None:
    kept.keep(tokens, blocks(tokens))


def test_a_prompt_gets_the_blocks_that_it_shares_with_another() -> None:
    kept = KeptBlocks()
    keep(kept, prompt(1, 2, 3))
    assert held(kept.beginning(prompt(1, 2, 7))) == prompt(1, 2)[:-1]
    assert kept.beginning(prompt(2, 3)) == []


def test_the_same_words_after_others_are_not_the_same() -> None:
    kept = KeptBlocks()
    keep(kept, prompt(1, 2))
    keep(kept, prompt(3))
    assert held(kept.beginning(prompt(3, 2))) == prompt(3)[:-1]


def test_at_least_one_token_is_left_to_read() -> None:
    kept = KeptBlocks()
    tokens = prompt(1, 2)[:-1]
    keep(kept, tokens)
    assert held(kept.beginning(tokens)) == prompt(1)[:-1]


@given(st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=8), st.integers(0, 6))
def test_what_is_given_is_always_a_true_beginning_within_the_budget(prompts: list[list[int]], room: int) -> None:
    kept = KeptBlocks(room * SIZE)
    for numbers in prompts:
        tokens = prompt(*numbers)
        found = kept.beginning(tokens)
        assert held(found) == tokens[: BLOCK * len(found)]
        kept.keep(tokens, [*([None] * len(found)), *blocks(tokens)[len(found) :]])
        assert kept.bytes == SIZE * len(kept) <= room * SIZE


def test_what_two_prompts_share_is_held_once() -> None:
    kept = KeptBlocks()
    keep(kept, prompt(1, 2, 3))
    keep(kept, prompt(1, 2, 4))
    assert len(kept) == 4
    kept.clear()
    assert (len(kept), kept.bytes) == (0, 0)


def test_a_beginning_that_new_visits_draw_on_outlives_them() -> None:
    kept = KeptBlocks(4 * SIZE)
    keep(kept, prompt(1, 2))
    for visit in range(10, 20):
        assert len(kept.beginning(prompt(1, 2, visit))) == 2
        kept.keep(prompt(1, 2, visit), [None, None, blocks(prompt(1, 2, visit))[2]])
    assert len(kept) == 4
    assert len(kept.beginning(prompt(1, 2, 19))) == 3
    assert len(kept.beginning(prompt(1, 2, 10))) == 2

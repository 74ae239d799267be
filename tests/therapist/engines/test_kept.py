"""Which keys and values are kept, and for whom."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import DynamicCache

from therapist.engines._kept import KeptCaches, common_beginning

TOKEN = 2 * 4 * 4
"""Bytes of a token in the caches below: key and value, one head of size 4, four bytes each."""


def read(tokens: list[int]) -> DynamicCache:
    """A cache that has read `tokens`; its keys are the tokens themselves, so that one can see which it holds."""
    cache = DynamicCache()
    states = torch.tensor(tokens, dtype=torch.float32).view(1, 1, -1, 1).expand(1, 1, len(tokens), 4).contiguous()
    cache.update(states, states.clone(), 0)
    return cache


def held(cache: DynamicCache) -> list[int]:
    return cache.layers[0].keys[0, 0, :, 0].int().tolist() if cache.layers else []


def test_a_conversation_gets_its_own_cache_back_up_to_where_the_prompt_differs() -> None:
    kept = KeptCaches()
    kept.put("a", [1, 2, 3, 4], read([1, 2, 3, 4]))
    cache, shared = kept.take("a", [1, 2, 9, 9])
    assert (held(cache), shared) == ([1, 2], 2)


def test_at_least_one_token_is_left_to_read() -> None:
    kept = KeptCaches()
    kept.put("a", [1, 2, 3], read([1, 2, 3]))
    cache, shared = kept.take("a", [1, 2, 3])
    assert (held(cache), shared) == ([1, 2], 2)


def test_a_new_conversation_gets_a_copy_of_what_it_shares_with_another() -> None:
    kept = KeptCaches()
    kept.put("a", [1, 2, 3, 4], read([1, 2, 3, 4]))
    cache, shared = kept.take("b", [1, 2, 3, 7])
    assert (held(cache), shared) == ([1, 2, 3], 3)
    cache.layers[0].keys.zero_()
    untouched, _ = kept.take("a", [1, 2, 3, 4, 5])
    assert held(untouched) == [1, 2, 3, 4]


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=8))
def test_what_is_given_back_is_always_a_true_beginning_of_the_prompt(prompts: list[list[int]]) -> None:
    kept = KeptCaches(conversations=3)
    for number, tokens in enumerate(prompts):
        cache, shared = kept.take(f"visit {number % 4}", tokens)
        assert held(cache) == tokens[:shared]
        assert shared < len(tokens)
        kept.put(f"visit {number % 4}", tokens, read(tokens))


def test_the_conversation_that_was_used_longest_ago_is_let_go_first() -> None:
    kept = KeptCaches(conversations=2)
    for name, tokens in {"a": [1, 1], "b": [2, 2], "c": [3, 3]}.items():
        kept.put(name, tokens, read(tokens))
    assert [kept.take("x", [first, first, 0])[1] for first in (1, 2, 3)] == [0, 2, 2]


def test_a_beginning_that_new_visits_draw_on_outlives_them() -> None:
    kept = KeptCaches(conversations=3)
    kept.put("shared", [1, 2, 3, 0], read([1, 2, 3, 0]))
    for visit in range(10):
        tokens = [1, 2, 3, 10 + visit]
        assert kept.take(f"visit {visit}", tokens)[1] == 3
        # As a conversation that goes on to something else: only `shared` still begins like this.
        kept.put(f"visit {visit}", [20 + visit], read([20 + visit]))


def test_memory_is_bounded_and_counted() -> None:
    kept = KeptCaches(most_bytes=10 * TOKEN)
    for name in "abcd":
        kept.put(name, [ord(name)] * 4, read([ord(name)] * 4))
    assert len(kept) == 2
    assert kept.bytes == 8 * TOKEN
    kept.clear()
    assert kept.bytes == 0


@given(st.lists(st.integers(0, 1)), st.lists(st.integers(0, 1)))
def test_the_common_beginning_is_common_and_no_longer(one: list[int], other: list[int]) -> None:
    length = common_beginning(one, other)
    assert one[:length] == other[:length]
    assert one[length : length + 1] != other[length : length + 1] or length == min(len(one), len(other))

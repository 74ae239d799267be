"""Attention over a trunk that conversations share and over what is their own: what one softmax over both gives."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from therapist.engines._attention import Held, Laid, Pool, Trunk, _attend, agrees

HEADS, KEY_HEADS, SIZE = 4, 2, 16
LAYER = SimpleNamespace(layer_idx=1)


def drawn(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator)


def expected(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Of the last tokens of a conversation, all of whose keys and values are given: (tokens, heads, size)."""
    count, length = query.shape[1], keys.shape[1]
    mask = torch.ones(count, length, dtype=torch.bool).tril(length - count)
    keys, values = (one.repeat_interleave(HEADS // KEY_HEADS, 0)[None] for one in (keys, values))
    return scaled_dot_product_attention(query[None], keys, values, attn_mask=mask)[0].transpose(0, 1)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9), st.booleans()), min_size=1, max_size=7),
    st.integers(0, 3),
    st.integers(0, 10_000),
)
def test_it_is_one_softmax_over_trunk_and_own(
    conversations: list[tuple[int, int, bool]], filling: int, seed: int
) -> None:
    """Each conversation: how many tokens of its own lay there, how many are read now, whether it has a trunk."""
    generator = torch.Generator().manual_seed(seed)
    pool = Pool(2, KEY_HEADS, SIZE, torch.float32)
    trunk = Trunk(drawn(generator, 2, KEY_HEADS, 64, SIZE), drawn(generator, 2, KEY_HEADS, 64, SIZE))
    laid, wanted, new = [], [], []
    for before, count, shares in conversations:
        held = Held(pool.take(before + count), trunk if shares else None)
        own_keys, own_values = (drawn(generator, KEY_HEADS, before + count, SIZE) for _ in range(2))
        pool.keys[1, held.place, :, :before] = own_keys[:, :before]
        pool.values[1, held.place, :, :before] = own_values[:, :before]
        query = drawn(generator, HEADS, count, SIZE)
        keys, values = own_keys, own_values
        if shares:
            keys, values = torch.cat([trunk.keys[1], keys], 1), torch.cat([trunk.values[1], values], 1)
        laid.append((held, before, count))
        new.append((query, own_keys[:, before:], own_values[:, before:]))
        wanted.append(expected(query, keys, values))
    order = sorted(range(len(laid)), key=lambda one: Laid.order(laid[one][0], laid[one][2]))
    parts = [
        [*(new[one][part] for one in order), torch.zeros(HEADS if part == 0 else KEY_HEADS, filling, SIZE)]
        for part in range(3)
    ]
    query, key, value = (torch.cat(part, 1)[None] for part in parts)
    plan = Laid.of(pool, [laid[one] for one in order], filling)
    found, _ = _attend(LAYER, query, key, value, None, pieces=plan)
    want = torch.cat([*(wanted[one] for one in order), torch.zeros(filling, HEADS, SIZE)])
    count = want.shape[0] - filling
    torch.testing.assert_close(found[0, :count], want[:count], atol=1e-5, rtol=1e-4)
    assert found.isfinite().all()


def test_the_pool_keeps_what_lies_in_it_when_it_grows_and_gives_the_first_place_that_is_free() -> None:
    pool = Pool(1, KEY_HEADS, SIZE, torch.bfloat16)
    places = [pool.take(100) for _ in range(4)]
    assert places == [0, 1, 2, 3]
    pool.keys[0, 2, :, :100] = 7
    pool.give_back(1)
    assert pool.take(3000) == 1
    assert [pool.take(10), pool.take(10)] == [4, 5]
    assert pool.keys.shape[3] >= 3000
    assert (pool.keys[0, 2, :, :100] == 7).all()
    assert not pool.keys[0, 2, :, 100:].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_whether_the_kernel_gives_the_same_bits_whatever_else_is_in_the_pass_is_tried(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    import therapist.engines._attention as attention

    real = attention._flash

    def moody(query: torch.Tensor, *rest: torch.Tensor, **more: object) -> tuple[torch.Tensor, torch.Tensor]:
        found, sums = real(query, *rest, **more)
        return found + 1e-3 * query.shape[0], sums

    assert isinstance(agrees(HEADS, KEY_HEADS, SIZE, dtype), bool)
    monkeypatch.setattr(attention, "_flash", moody)
    assert not agrees(HEADS, KEY_HEADS, SIZE, dtype)


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="this torch has no MKL")
def test_the_kernel_gives_the_same_bits_wherever_in_memory_its_numbers_lie() -> None:
    """In a process of its own: the library is told so before it is first used. Without, processors that are not Intel's
    give others, and replies would be written one after another."""
    code = (
        "import therapist.engines, torch\n"
        "from therapist.engines._attention import agrees\n"
        "torch.set_num_threads(2)\n"
        "print(agrees(9, 3, 64, torch.float32))"
    )
    unset = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=unset)
    assert done.stdout.strip() == "True"

"""How the next token is chosen: as the library chooses, and with each token's own chance."""

from collections import Counter

import pytest
import torch
from transformers import TemperatureLogitsWarper, TopPLogitsWarper

from therapist.engine import Sampling
from therapist.engines._drawing import FIRST, Choice, _likeliest


@pytest.mark.parametrize("spread", [0.01, 1.0, 4.0])
@pytest.mark.parametrize("top_p", [0.1, 0.9, 0.999])
def test_the_likeliest_tokens_are_those_that_the_library_keeps(spread: float, top_p: float) -> None:
    """Also where the first few hundred do not suffice."""
    scores = spread * torch.randn(20 * FIRST, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    among, shares = _likeliest((scores / 0.7).softmax(-1), top_p)
    asked = torch.tensor([[1]])
    kept = TopPLogitsWarper(top_p)(asked, TemperatureLogitsWarper(0.7)(asked, scores[None]))[0].isfinite()
    assert set(among.tolist()) == set(kept.nonzero()[:, 0].tolist())
    assert shares.sum() >= top_p


def test_everything_can_be_drawn_where_nothing_is_left_out() -> None:
    among, shares = _likeliest(torch.full((1000,), 1e-3), 1.0)
    assert len(among) == 1000
    assert float(shares.sum()) == pytest.approx(1)


def test_tokens_are_drawn_as_often_as_their_shares_say() -> None:
    shares = torch.tensor([0.5, 0.3, 0.15, 0.05])
    drawn: Counter[int] = Counter()
    choice = Choice(Sampling(temperature=1.0, top_p=0.9), 5)
    for _ in range(4000):
        drawn[choice.next([0], shares.log())] += 1
    # Of the first three, which are the fewest that have nine tenths together.
    assert drawn[3] == 0
    for token, share in enumerate([0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95]):
        assert drawn[token] / 4000 == pytest.approx(share, abs=0.03)


def test_the_same_seed_draws_the_same() -> None:
    scores = torch.randn(500, generator=torch.Generator().manual_seed(1))

    def draws(seed: int) -> list[int]:
        choice = Choice(Sampling(temperature=1.0), seed)
        return [choice.next([0], scores) for _ in range(20)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)

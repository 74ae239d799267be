"""How the next token is chosen.

The library's own choice of the likeliest tokens sorts the whole vocabulary, 7 ms for each token of each reply with the
default model, which is more than the model itself takes for it when sixteen are written. Here only the likeliest few
hundred are sorted, and more if they do not suffice.
"""

import torch
from transformers import RepetitionPenaltyLogitsProcessor

from therapist.engine import Sampling

__all__ = ["Choice"]

FIRST = 256
"""So many of the likeliest tokens are looked at first."""


class Choice:
    """Chooses the tokens of one reply: the likeliest at temperature 0, else drawn with the reply's own seed."""

    def __init__(self, sampling: Sampling, seed: int) -> None:
        penalty = float(sampling.repetition_penalty)
        self._penalised = RepetitionPenaltyLogitsProcessor(penalty) if penalty != 1 else None
        self._temperature = sampling.temperature
        self._top_p = sampling.top_p
        self._generator = torch.Generator().manual_seed(seed)

    def next(self, tokens: list[int], scores: torch.Tensor) -> int:
        """The token after `tokens`, given the `scores` (vocabulary) of what may come next."""
        if self._penalised:
            scores = self._penalised(torch.tensor([tokens]), scores[None])[0]
        if self._temperature == 0:
            return int(scores.argmax())
        among, shares = _likeliest((scores / self._temperature).softmax(-1), self._top_p)
        # The greatest of shares divided by exponential noise is a draw by these shares (Gumbel, 1954).
        noise = torch.empty_like(shares).exponential_(generator=self._generator)
        return int(among[(shares / noise).argmax()])


def _likeliest(shares: torch.Tensor, top_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The fewest tokens whose shares (vocabulary) sum to `top_p` or more, and their shares, the greatest first
    (nucleus sampling: Holtzman et al., ICLR 2020)."""
    count = FIRST if top_p < 1 else len(shares)
    while True:
        found = shares.topk(min(count, len(shares)))
        # The token with which the sum is reached is one of them.
        needed = int((found.values.cumsum(0) < top_p).sum()) + 1
        if needed <= len(found.values) or count >= len(shares):
            return found.indices[:needed], found.values[:needed]
        count *= 8

"""How the next token is chosen."""

from typing import Any

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from therapist.engine import Sampling

__all__ = ["Choice"]


class Choice:
    """Chooses the tokens of one reply: the likeliest at temperature 0, else drawn with the reply's own seed."""

    def __init__(self, sampling: Sampling, seed: int) -> None:
        self._chain = LogitsProcessorList()
        if sampling.repetition_penalty != 1:
            self._chain.append(RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty)))
        if sampling.temperature > 0:
            self._chain.append(TemperatureLogitsWarper(float(sampling.temperature)))
            if sampling.top_p < 1:
                self._chain.append(TopPLogitsWarper(float(sampling.top_p)))
            self._chain.append(_Draw(seed))

    def next(self, tokens: list[int], scores: torch.Tensor) -> int:
        """The token after `tokens`, given the `scores` (vocabulary) of what may come next."""
        if self._chain:
            scores = self._chain(torch.tensor([tokens]), scores[None])[0]
        return int(scores.argmax())


class _Draw(LogitsProcessor):  # type: ignore[misc] # transformers is untyped here
    """Draws the next token: the likeliest after Gumbel noise is added is a draw from the softmax (Gumbel, 1954).

    The library itself can only draw from torch's global generator, which is anybody's.
    """

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        exponential = torch.empty_like(scores).exponential_(generator=self._generator)
        return scores - exponential.log()

"""How the next token is chosen, and when no more are: what `generate` is given beside the model."""

import threading
from typing import Any

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from therapist.engine import Sampling

__all__ = ["Closed", "drawing"]


def drawing(sampling: Sampling, seed: int) -> LogitsProcessorList:
    """How the next token is chosen, after the repetition penalty: the likeliest at temperature 0, else drawn."""
    chain = LogitsProcessorList()
    if sampling.temperature > 0:
        chain.append(TemperatureLogitsWarper(float(sampling.temperature)))
        if sampling.top_p < 1:
            chain.append(TopPLogitsWarper(float(sampling.top_p)))
        chain.append(_Draw(seed))
    return chain


class _Draw(LogitsProcessor):  # type: ignore[misc] # transformers is untyped here
    """Draws the next token: the likeliest after Gumbel noise is added is a draw from the softmax (Gumbel, 1954).

    `generate` itself can only draw from torch's global generator, which is anybody's.
    """

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        exponential = torch.empty_like(scores).exponential_(generator=self._generator)
        return scores - exponential.log()


class Closed(StoppingCriteria):  # type: ignore[misc] # transformers is untyped here
    """Ends a generation when its reader has gone."""

    def __init__(self, closed: threading.Event) -> None:
        self._closed = closed

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        return torch.full((input_ids.shape[0],), self._closed.is_set(), dtype=torch.bool)

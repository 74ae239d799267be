"""How a model's weights are held while it computes, and with how many threads."""

from pathlib import Path
from typing import Any, Literal, get_args

import torch
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers import logging as transformers_logging

from therapist.engines._int8 import with_int8
from therapist.engines._probing import processors
from therapist.errors import EngineError

__all__ = ["PRECISIONS", "Precision", "cannot_be_loaded", "load", "threads"]

Precision = Literal["float32", "bfloat16", "int8"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)

MOST_THREADS = 8
"""A small model gains nothing from more."""


def threads() -> None:
    """Bound the threads that compute.

    From three processors on, one is left to what hears, speaks and serves pages. It is a power of two: seven threads
    share a layer's numbers so that some are computed one by one and some eight at a time, which rounds otherwise, and
    which those are depends on what else is in the pass.
    """
    free = processors()
    most = min(MOST_THREADS, free - 1 if free > 2 else free)
    torch.set_num_threads(1 << (most.bit_length() - 1))


def cannot_be_loaded(where: Path, error: Exception) -> EngineError:
    """What is said of a model whose files cannot be read."""
    return EngineError(
        f"The model in {where} cannot be loaded ({type(error).__name__}); is it whole, and a language model "
        "that transformers knows? If Bedside unpacked it, remove the folder and start again."
    )


def load(where: Path, precision: Precision) -> Any:
    """The model in the folder `where`, ready to be read. Raises `EngineError`."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    try:
        model = AutoModelForCausalLM.from_pretrained(where, dtype=dtype)
    except Exception as error:  # a broken file raises whatever its reader raises
        raise cannot_be_loaded(where, error) from error
    model.eval()
    # What its makers advise for drawing must not leak into a study: here only `Sampling` decides.
    ends = model.generation_config.eos_token_id
    model.generation_config = GenerationConfig(eos_token_id=ends)
    return with_int8(model) if precision == "int8" else model

"""What a model, its tokenizer and this machine can do, found out once when the engine is opened."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

import jinja2

__all__ = ["can_be_cut_back", "ends_of_turn", "processors", "takes_system"]


def ends_of_turn(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end a reply: the model's own, and the tokenizer's where it names another."""
    named = model.generation_config.eos_token_id
    ends = list(named) if isinstance(named, list) else [named]
    return [end for end in dict.fromkeys([*ends, tokenizer.eos_token_id]) if end is not None]


def can_be_cut_back(model: Any) -> bool:
    """Whether what the model has read can be cut back to an earlier token.

    True of attention over keys and values; not of recurrent layers, whose state is of all they have read.
    """
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or []
    return not getattr(model, "_is_stateful", False) and all(
        kind in ("full_attention", "sliding_attention") for kind in kinds
    )


def takes_system(tokenizer: Any) -> bool:
    """Whether the chat template takes a system message."""
    probe = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    with suppress(jinja2.TemplateError):
        tokenizer.apply_chat_template(probe, tokenize=False)
        return True
    return False


def processors() -> int:
    """The processors this process may use."""
    affinity: Callable[[Literal[0]], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1

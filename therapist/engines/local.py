"""The engine `transformers`: a model on this machine.

One thread runs the model for all replies that are being written (`_loop`), each token of theirs in the same passes
(`_passes`). What prompts have in common is computed once (`_kept`). A reply is the same to the letter whatever else is
written beside it and whatever was kept: that decides much of how those modules are made.

The library's own continuous batching was measured first and is not used: docs/performance.md has the figures.
"""

import re
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from transformers import AutoTokenizer

from therapist.engine import EngineIdentity, Priority, Prompt, Sampling, Usage
from therapist.engines._counts import Counts
from therapist.engines._kept import BLOCK, KeptBlocks
from therapist.engines._loop import READ_AT_ONCE, Loop
from therapist.engines._messages import Messages, as_messages, broken, without_system
from therapist.engines._passes import Passes, passes_of
from therapist.engines._precision import Precision, cannot_be_loaded, load, threads
from therapist.engines._probe import probed
from therapist.engines._probing import ends_of_turn, takes_system
from therapist.engines._reply import Reply
from therapist.engines._weights import find_model
from therapist.errors import EngineError

__all__ = ["LocalEngine"]


class LocalEngine:
    """A causal language model and its tokenizer. Close it to give back its thread and its memory."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        identity: EngineIdentity,
        passes: Passes,
        counts: Counts,
        *,
        at_once: int = 16,
    ) -> None:
        self.identity = identity
        self.kept = KeptBlocks()
        self._tokenizer = tokenizer
        self._ends = frozenset(ends_of_turn(model, tokenizer))
        self._longest: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._takes_system = takes_system(tokenizer)
        self._marks = _marks(tokenizer)
        self._beginning = lru_cache(64)(self._tokens_of_beginning)
        # A machine whose kernels agree at no two numbers of tokens: then every pass has to have the same one.
        free = counts.found or not passes.together
        self._loop = Loop(passes, self.kept, self._prepare, at_once if free else 1, READ_AT_ONCE if free else BLOCK)

    @classmethod
    def open(
        cls, name: str, tell: Callable[[str], None], *, precision: Precision | None = None, at_once: int = 16
    ) -> "LocalEngine":
        """Load a model: `smollm2`, a folder, a `.gguf` file or a hub name. Raises `EngineError`.

        Without a `precision`, that which was measured as the fastest on this machine; the first time, it is measured.
        """
        # In a thread that ends: torch keeps a set of helper threads for each thread that computed, and while there are
        # more of them than processors, those of the model's thread sleep between layers, which takes half of its speed.
        with ThreadPoolExecutor(1, "opening") as opening:
            return opening.submit(cls._open, name, tell, precision, at_once).result()

    @classmethod
    def _open(cls, name: str, tell: Callable[[str], None], precision: Precision | None, at_once: int) -> "LocalEngine":
        where, digest = find_model(name, tell)
        threads()
        tokenizer = _tokenizer(where, name)
        chosen = probed(where, digest, precision, tell)
        tell("Loading the language model ...")
        model = load(where, chosen.precision)
        identity = EngineIdentity("transformers", name, digest, chosen.precision)
        counts = Counts(chosen.counts)
        passes = passes_of(model, counts, chosen.together)
        return cls(model, tokenizer, identity, passes, counts, at_once=at_once)

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> "LocalGeneration":
        reply = Reply(prompt, sampling, seed, conversation, priority, self._text_of)
        if not self._loop.add(reply):
            raise EngineError("The language model was closed.")
        return LocalGeneration(reply, self._loop)

    def forget(self) -> None:
        """Let go of all kept keys and values. Nothing changes but the time of the next replies."""
        self.kept.clear()

    def close(self) -> None:
        """Stop writing, end the thread and let go of what was kept. Safe to call twice."""
        self._loop.close()
        self.kept.clear()

    def _prepare(self, reply: Reply) -> None:
        """Give a reply the tokens of its prompt."""
        messages = self._messages(reply.prompt)
        begin = reply.prompt.begin.rstrip()
        reply.usage.messages = [*messages, *([{"role": "assistant", "content": begin}] if begin else [])]
        tokens, before = self._tokens_of(messages, begin)
        room = None if self._longest is None else self._longest - len(tokens)
        reply.shared = self._shared(reply.prompt, tokens)
        reply.asked(tokens, tokens[before:], self._ends, room)

    def _messages(self, prompt: Prompt) -> Messages:
        """The messages of a prompt. What the tokenizer would read as a mark of its own stands broken in them."""
        return [{**message, "content": broken(message["content"], self._marks)} for message in as_messages(prompt)]

    def _tokens_of(self, messages: Messages, begin: str) -> tuple[list[int], int]:
        """The prompt as the model reads it, and how many of its tokens come before the reply's beginning."""
        head = self._rendered(messages, asks=True)
        before = self._ids(head)
        # The beginning is read together with what stands before it, as the model's own words would be.
        tokens = self._ids(head + begin) if begin else before
        if self._longest is not None and len(tokens) >= self._longest:
            raise EngineError(f"The conversation has {len(tokens)} tokens, and the model reads {self._longest}.")
        return tokens, min(len(before), len(tokens))

    def _shared(self, prompt: Prompt, tokens: list[int]) -> int:
        """How many of `tokens`, in whole blocks, are of what all turns of a visit and all visits alike begin with."""
        beginning = self._beginning(prompt.system, prompt.examples)
        alike = next((at for at, (one, other) in enumerate(zip(beginning, tokens, strict=False)) if one != other), None)
        # The last token of a prompt is always read.
        return min(len(beginning) if alike is None else alike, len(tokens) - 1) // BLOCK * BLOCK

    def _tokens_of_beginning(self, system: str, examples: tuple[tuple[str, str], ...]) -> list[int]:
        """What every prompt begins with that has this system message and these examples; perhaps a few tokens more."""
        messages = self._messages(Prompt(system, examples, (), "", "statement"))
        if not messages:
            return []
        try:
            return self._ids(self._rendered(messages, asks=False))
        except jinja2.TemplateError:  # a template that takes no such beginning alone
            return []

    def _rendered(self, messages: Messages, *, asks: bool) -> str:
        """The messages as the model's template has them, and, if it `asks` for a reply, with the reply's head."""
        if not self._takes_system:
            messages = without_system(messages)
        text: str = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=asks)
        return text

    def _text_of(self, tokens: list[int]) -> str:
        """Tokens as text, without the marks of a turn's end."""
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


class LocalGeneration:
    """A reply being written. Dropping it unread ends it as `close` does."""

    def __init__(self, reply: Reply, loop: Loop) -> None:
        self._reply = reply
        self._loop = loop
        # The finalizer must not hold this object, or it would never be dropped.
        self._stop = weakref.finalize(self, loop.give_up, reply)
        self._stop.atexit = False

    @property
    def usage(self) -> Usage:
        return self._reply.usage

    @property
    def place(self) -> int:
        return self._loop.place(self._reply)

    def __iter__(self) -> Iterator[str]:
        try:
            while True:
                piece = self._reply.pieces.get()
                if piece is None:
                    self._reply.pieces.put(None)  # whoever asks again is told the same
                    return
                if isinstance(piece, EngineError):
                    self._reply.pieces.put(None)
                    raise piece
                if not self._reply.closed.is_set():
                    yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Stop the writing within a pass and leave the queue at once. Safe to call twice, and from any thread."""
        self._stop()


def _marks(tokenizer: Any) -> re.Pattern[str]:
    """The special tokens of a tokenizer: wherever they stand in a text, they are read as marks and not as words."""
    added = (str(token) for token in tokenizer.added_tokens_decoder.values() if token.special)
    marks = {token for token in (*added, *tokenizer.all_special_tokens) if len(token.strip()) > 1}
    return re.compile("|".join(map(re.escape, sorted(marks, key=len, reverse=True))) or r"(?!)")


def _tokenizer(where: Path, name: str) -> Any:
    try:
        tokenizer = AutoTokenizer.from_pretrained(where)
    except Exception as error:  # a broken file raises whatever its reader raises
        raise cannot_be_loaded(where, error) from error
    if tokenizer.chat_template is None:
        raise EngineError(f"The model {name!r} has no chat template; choose one that is made for conversation.")
    return tokenizer

"""The engine `transformers`: a model on this machine.

One thread runs the model and writes one reply at a time; others wait in the order in which they were asked for. The
library's own `generate` does the writing. Around it stand three things it does not have: keys and values that outlive
a reply, a prompt that is read in pieces so that it can be given up half-way, and draws of its own generator, so that
a seed gives the same reply whatever else draws random numbers in this process.
"""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, StoppingCriteriaList
from transformers import logging as transformers_logging
from transformers.generation.streamers import BaseStreamer

from therapist.engine import EngineIdentity, Priority, Prompt, Sampling, Usage
from therapist.engines._drawing import Closed, drawing
from therapist.engines._kept import KeptCaches
from therapist.engines._messages import Messages, as_messages, without_system
from therapist.engines._probing import can_be_cut_back, ends_of_turn, processors, takes_system
from therapist.engines._weights import find_model
from therapist.engines._worker import Worker
from therapist.errors import EngineError

__all__ = ["LocalEngine"]

READ_AT_ONCE = 128
"""So many tokens of a prompt are read in one go, about 0.3 s with the default model; then a reply can be given up."""

MOST_THREADS = 8
"""A small model gains nothing from more, and the portal needs some processor for itself."""


class LocalEngine:
    """A causal language model and its tokenizer. Close it to give back its thread and its memory."""

    model: Any
    """The library's model. Its own thread uses it: others leave it alone while a reply is being written."""
    tokenizer: Any
    """The library's tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, identity: EngineIdentity) -> None:
        self.identity = identity
        self.model = model
        self.tokenizer = tokenizer
        self._kept = KeptCaches()
        self._worker = Worker("model")
        self._ends = ends_of_turn(model, tokenizer)
        self._longest: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._keeps = can_be_cut_back(model)
        self._takes_system = takes_system(tokenizer)
        # What its makers advise for drawing must not leak into a study: here only `Sampling` decides.
        model.generation_config = GenerationConfig(eos_token_id=self._ends, pad_token_id=self._ends[0])

    @classmethod
    def open(cls, name: str, tell: Callable[[str], None]) -> "LocalEngine":
        """Load a model: `smollm2`, a folder, a `.gguf` file or a hub name. Raises `EngineError`."""
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        torch.set_num_threads(min(MOST_THREADS, processors()))
        where, digest = find_model(name, tell)
        tell("Loading the language model ...")
        try:
            tokenizer = AutoTokenizer.from_pretrained(where)
            model = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32)
        except Exception as error:  # a broken file raises whatever its reader raises
            raise EngineError(
                f"The model in {where} cannot be loaded ({type(error).__name__}); is it whole, and a language model "
                "that transformers knows? If Bedside unpacked it, remove the folder and start again."
            ) from error
        if tokenizer.chat_template is None:
            raise EngineError(f"The model {name!r} has no chat template; choose one that is made for conversation.")
        model.eval()
        return cls(model, tokenizer, EngineIdentity("transformers", name, digest))

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> "LocalGeneration":
        job = _Job(self, prompt, sampling, seed, conversation)
        if not self._worker.add(job):
            raise EngineError("The language model was closed.")
        return LocalGeneration(job, self._worker)

    def forget(self) -> None:
        """Let go of all kept keys and values. Nothing changes but the time of the next replies."""
        self._kept.clear()

    def close(self) -> None:
        """Stop writing, end the thread and let go of the kept conversations. Safe to call twice."""
        self._worker.close()
        self._kept.clear()

    # For a job, which has the model to itself

    def tokens_of(self, messages: Messages, begin: str) -> tuple[list[int], int]:
        """The prompt as the model reads it, and how many of its tokens come before the reply's beginning."""
        if not self._takes_system:
            messages = without_system(messages)
        head: str = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        before = self._ids(head)
        # The beginning is read together with what stands before it, as the model's own words would be.
        tokens = self._ids(head + begin.rstrip()) if begin else before
        if self._longest is not None and len(tokens) >= self._longest:
            raise EngineError(f"The conversation has {len(tokens)} tokens, and the model reads {self._longest}.")
        return tokens, min(len(before), len(tokens))

    def write(self, job: "_Job", tokens: list[int], written: "_Written") -> None:
        """Read the prompt and write the reply, keeping what was computed."""
        cache, cached = self._kept.take(job.conversation, tokens) if self._keeps else (None, 0)
        job.usage.tokens_cached = cached
        config = GenerationConfig(
            max_new_tokens=job.sampling.max_tokens,
            do_sample=False,  # the draw is the last of the processors below
            repetition_penalty=job.sampling.repetition_penalty,
            eos_token_id=self._ends,
            pad_token_id=self._ends[0],
            use_cache=True,
        )
        with torch.inference_mode():
            ids = torch.tensor([tokens])
            try:
                if cache is not None:
                    for start in range(cached, len(tokens) - 1, READ_AT_ONCE):
                        if job.closed.is_set():
                            return
                        piece = ids[:, start : min(start + READ_AT_ONCE, len(tokens) - 1)]
                        self.model.base_model(input_ids=piece, past_key_values=cache, use_cache=True)
                self.model.generate(
                    ids,
                    generation_config=config,
                    attention_mask=torch.ones_like(ids),
                    past_key_values=cache,
                    logits_processor=drawing(job.sampling, job.seed),
                    stopping_criteria=StoppingCriteriaList([Closed(job.closed)]),
                    streamer=written,
                )
            except Exception:
                cache = None  # half-written layers are no use to anybody
                raise
            finally:
                if cache is not None and cache.get_seq_length():
                    self._kept.put(job.conversation, tokens + written.tokens, cache)

    def text_of(self, tokens: list[int]) -> str:
        """Tokens as text, without the marks of a turn's end."""
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


class LocalGeneration:
    """A reply being written. Dropping it unread ends it as `close` does."""

    def __init__(self, job: "_Job", worker: Worker) -> None:
        self._job = job
        self._worker = worker
        # The finalizer must not hold this object, or it would never be dropped.
        self._stop = weakref.finalize(self, _stop, job, worker)
        self._stop.atexit = False

    @property
    def usage(self) -> Usage:
        return self._job.usage

    @property
    def place(self) -> int:
        return self._worker.place(self._job)

    def __iter__(self) -> Iterator[str]:
        try:
            while True:
                piece = self._job.pieces.get()
                if piece is None:
                    self._job.pieces.put(None)  # whoever asks again is told the same
                    return
                if isinstance(piece, EngineError):
                    self._job.pieces.put(None)
                    raise piece
                if not self._job.closed.is_set():
                    yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Stop the writing within a token and leave the queue at once. Safe to call twice, and from any thread."""
        self._stop()


def _stop(job: "_Job", worker: Worker) -> None:
    job.closed.set()
    if worker.withdraw(job):
        job.abandon()


@dataclass(eq=False, slots=True)
class _Job:
    """One reply, as the worker sees it. It does not know its reader, who may be gone."""

    engine: LocalEngine
    prompt: Prompt
    sampling: Sampling
    seed: int
    conversation: str
    usage: Usage = field(default_factory=Usage)
    pieces: "SimpleQueue[str | EngineError | None]" = field(default_factory=SimpleQueue)
    closed: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Write the reply. What goes wrong is handed to the reader."""
        self.usage.queue_ms = self.milliseconds()
        try:
            messages = as_messages(self.prompt)
            begin = self.prompt.begin.rstrip()
            self.usage.messages = [*messages, *([{"role": "assistant", "content": begin}] if begin else [])]
            tokens, before = self.engine.tokens_of(messages, begin)
            self.usage.tokens_in = len(tokens)
            self.engine.write(self, tokens, _Written(self, tokens[before:]))
        except EngineError as error:
            self.pieces.put(error)
        except Exception as error:
            # Only the kind of error: a message may quote what it could not digest.
            failure = EngineError(f"The language model failed: {type(error).__name__}.")
            failure.__cause__ = error
            self.pieces.put(failure)
        finally:
            self._end()

    def abandon(self) -> None:
        self.closed.set()
        self._end()

    def _end(self) -> None:
        self.usage.last_token_ms = self.milliseconds()
        self.pieces.put(None)

    def milliseconds(self) -> float:
        return 1000 * (time.monotonic() - self.started)


class _Written(BaseStreamer):  # type: ignore[misc] # transformers is untyped here
    """Takes tokens as the model writes them and hands on the text they make, no piece with half a letter in it."""

    def __init__(self, job: _Job, begin: list[int]) -> None:
        self.tokens: list[int] = []
        self._job = job
        self._begin = begin
        self._handed = 0
        self._prompt_seen = False

    def put(self, value: Any) -> None:
        if not self._prompt_seen:  # `generate` hands over the prompt first
            self._prompt_seen = True
            return
        self.tokens += value.flatten().tolist()
        usage = self._job.usage
        usage.tokens_out = len(self.tokens)
        if usage.first_token_ms is None:
            usage.first_token_ms = self._job.milliseconds()
        text = self._text()
        # A letter of several tokens shows as a replacement mark until its last one is there.
        if not text.endswith("\ufffd"):
            self._hand_on(text)

    def end(self) -> None:
        self._hand_on(self._text())

    def _text(self) -> str:
        # Decoded together with the beginning: some tokenizers drop the space before a first word.
        return self._job.engine.text_of(self._begin + self.tokens)

    def _hand_on(self, text: str) -> None:
        if len(text) > self._handed:
            self._job.pieces.put(text[self._handed :])
            self._handed = len(text)

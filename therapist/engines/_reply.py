"""One reply, from its being asked for to its last word, as the engine's thread and its reader share it."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from therapist.engine import Priority, Prompt, Sampling, Usage
from therapist.engines._drawing import Choice
from therapist.errors import EngineError

__all__ = ["Reply"]

SENTENCE = re.compile(r"[.!?…:\n]")
"""What may end a sentence."""

AT_MOST = 12
"""So many tokens are written before what they say is handed on, unless a sentence may have ended."""


@dataclass(eq=False, slots=True)
class Reply:
    """It does not know its reader, who may be gone."""

    prompt: Prompt
    sampling: Sampling
    seed: int
    conversation: str
    priority: Priority
    text_of: Callable[[list[int]], str]
    usage: Usage = field(default_factory=Usage)
    pieces: "SimpleQueue[str | EngineError | None]" = field(default_factory=SimpleQueue)
    """What it says, piece by piece; an error if it fails; then None."""
    closed: threading.Event = field(default_factory=threading.Event)
    tokens: list[int] = field(default_factory=list)
    """The prompt's, and then the model's own."""
    state: Any = None
    """Its keys and values, for whoever reads the model."""
    read: int = 0
    """How many of the tokens the model has read."""
    kept: int = 0
    """How many of the blocks at its beginning are kept."""
    shared: int = 0
    """With so many of its first tokens other replies begin, too."""
    _ends: frozenset[int] = frozenset()
    _begin: list[int] = field(default_factory=list)
    _prompt_tokens: int = 0
    _most: int = 0
    _choice: Choice = field(init=False)
    _handed: int = 0
    _due: int = 1
    _started: float = field(default_factory=time.monotonic)
    _over: bool = False

    @property
    def reading(self) -> bool:
        """Whether the prompt is still being read."""
        return self.read < self._prompt_tokens

    @property
    def most_tokens(self) -> int:
        """The length it has at the most, with its prompt."""
        return self._prompt_tokens + self._most

    def begin(self) -> None:
        """It has got its place."""
        self.usage.queue_ms = self._milliseconds()

    def asked(self, tokens: list[int], begin: list[int], ends: frozenset[int], room: int | None = None) -> None:
        """The prompt as the model reads it, whose last tokens, `begin`, are the reply's first; what ends it; and for
        how many tokens more the model has room."""
        self.tokens = tokens
        self.usage.tokens_in = self._prompt_tokens = len(tokens)
        self._begin, self._ends = begin, ends
        self._most = min(self.sampling.max_tokens, room) if room is not None else self.sampling.max_tokens
        self._choice = Choice(self.sampling, self.seed)

    def take(self, scores: Any) -> bool:
        """Choose the next token from the scores (vocabulary) and hand on what it says. True when it was the last."""
        token = self._choice.next(self.tokens, scores)
        self.tokens.append(token)
        written = len(self.tokens) - self._prompt_tokens
        self.usage.tokens_out = written
        if self.usage.first_token_ms is None:
            self.usage.first_token_ms = self._milliseconds()
        last = token in self._ends or written == self._most
        self.usage.cut = last and token not in self._ends
        # Decoded together with the beginning: some tokenizers drop the space before a first word.
        text = self.text_of(self._begin + self.tokens[self._prompt_tokens :])
        # Whoever reads waits for sentences. To be woken for each token costs them and the model a tenth of their time
        # when many are written; what follows the end of a sentence shows that it is one.
        due = last or written >= self._due or SENTENCE.search(text, max(0, self._handed - 2))
        # A letter of several tokens shows as a replacement mark until its last one is there.
        if due and len(text) > self._handed and (last or not text.endswith("\ufffd")):
            self.pieces.put(text[self._handed :])
            self._handed = len(text)
            self._due = written + AT_MOST
        return last

    def end(self, error: Exception | None = None) -> None:
        """Nothing more is written. Safe to call twice."""
        if self._over:
            return
        self._over = True
        self.state = None
        self.usage.last_token_ms = self._milliseconds()
        if isinstance(error, EngineError):
            self.pieces.put(error)
        elif error is not None:
            # Only the kind of error: a message may quote what it could not digest.
            failure = EngineError(f"The language model failed: {type(error).__name__}.")
            failure.__cause__ = error
            self.pieces.put(failure)
        self.pieces.put(None)

    def _milliseconds(self) -> float:
        return 1000 * (time.monotonic() - self._started)

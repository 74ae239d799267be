"""Getting sentences out of an engine that may fail, hang or babble."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog

from therapist._likeness import circles
from therapist.engine import Engine, Generation, Priority, Prompt, Sampling, Usage
from therapist.errors import EngineError
from therapist.rails import LONGEST, Sentences

__all__ = ["Busy", "Interrupted", "Late", "Runaway", "Writing"]

log = structlog.get_logger()

LOOK_EVERY_S = 0.2
"""How often an engine that is being waited for is asked whether it is wanted still."""

STOPPING_S = 2.0
"""How long an engine that was told to stop is waited for, so that its counts are complete."""


class Late(EngineError):
    """No sentence within the time there was."""


class Busy(EngineError):
    """The model wrote for others, and it was not this answer's turn within the time there was."""


class Runaway(EngineError):
    """A sentence that found no end."""


class Interrupted(Exception):
    """Somebody else gives this answer: no failure of the engine's."""


@dataclass(slots=True)
class Writing:
    """One attempt at an answer. Iterate `sentences()`; the other fields tell afterwards what happened."""

    engine: Engine
    prompt: Prompt
    sampling: Sampling
    seed: int
    conversation: str
    deadline_s: float
    wait_s: float = 600.0
    """The longest wait for a place at the model."""
    priority: Priority = "interactive"
    waiting: Callable[[int], None] = lambda place: None
    """Told each new place in the queue, for as long as the answer waits there; 0 when it is begun."""
    interrupted: Callable[[], bool] = lambda: False
    """Whether the answer is not wanted any more."""
    raw: str = ""
    """Everything the engine wrote, as it wrote it."""
    usage: Usage | None = None
    first_sentence_ms: float | None = None
    _pieces: "queue.Queue[str | Exception | None]" = field(default_factory=queue.Queue)
    _generation: Generation | None = None
    _place: int = 0
    _given_up: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._pump, name="engine", daemon=True)

    def sentences(self) -> Iterator[str]:
        """Whole sentences as they come. Raises `EngineError` when the engine fails, and `Late` when it takes longer
        than `deadline_s` for one sentence, and `Busy` when it has not begun after `wait_s`. Raises `Interrupted` when
        it is not wanted any more. The wait for a place counts as waiting for the first sentence.

        The engine runs in a thread of its own: only so can this one stop waiting for an engine that blocks. Closing
        the iterator stops the engine.
        """
        started = time.monotonic()
        self._thread.start()
        cut = Sentences()
        limit = started + self.deadline_s
        busy = started + self.wait_s
        try:
            while True:
                piece = self._next(limit, busy)
                if piece is None:
                    break
                self.raw += piece
                for sentence in cut.feed(piece):
                    if self.first_sentence_ms is None:
                        self.first_sentence_ms = 1000 * (time.monotonic() - started)
                    yield sentence
                    limit = time.monotonic() + self.deadline_s
                if len(cut.rest) > LONGEST or circles(cut.rest):
                    raise Runaway("The engine wrote a sentence that found no end.")
            if cut.rest:
                yield self._last(cut.rest, started)
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop the engine, if it is still writing, and take its account of what it did."""
        self._given_up.set()
        if self._generation is not None:
            self._generation.close()
            self._thread.join(STOPPING_S)
            self.usage = self._generation.usage

    def _last(self, rest: str, started: float) -> str:
        """What was left without a full stop: a sentence if the model ended there, none if it was cut off."""
        if self.first_sentence_ms is None:
            self.first_sentence_ms = 1000 * (time.monotonic() - started)
        if rest.rstrip("\"'”’)").endswith((".", "!", "?", "…")):
            return rest
        if self._generation is not None and self._generation.usage.cut:
            raise Runaway("The engine wrote a sentence that found no end.")
        return rest if rest[-1] in "\"'”’)" else rest + "."

    def _next(self, limit: float, busy: float) -> str | None:
        while True:
            if self.interrupted():
                raise Interrupted
            self._tell_place()
            if self._place and time.monotonic() > busy:
                raise Busy("The model was not free in time.")
            left = limit - time.monotonic()
            try:
                piece = self._pieces.get(timeout=max(0.0, min(left, LOOK_EVERY_S)))
                break
            except queue.Empty:
                if left <= LOOK_EVERY_S:
                    raise Late("The engine took too long for one sentence.") from None
        if isinstance(piece, Exception):
            raise piece if isinstance(piece, EngineError) else EngineError(type(piece).__name__) from piece
        return piece

    def _tell_place(self) -> None:
        place = self._generation.place if self._generation is not None else 0
        if place != self._place:
            self._place = place
            self.waiting(place)

    def _pump(self) -> None:
        try:
            self._generation = self.engine.generate(
                self.prompt,
                sampling=self.sampling,
                seed=self.seed,
                conversation=self.conversation,
                priority=self.priority,
            )
            if self._given_up.is_set():
                self._generation.close()
                return
            for piece in self._generation:
                self._pieces.put(piece)
                if self._given_up.is_set():
                    return
            self._pieces.put(None)
        except Exception as error:
            # Whatever an engine raises becomes one failed attempt; its message may quote, so only its kind is logged.
            log.warning("engine failed", kind=self.engine.identity.kind, error=type(error).__name__)
            self._pieces.put(error)

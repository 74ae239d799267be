"""An engine that is opened beside everything else, so that pages are served while a model loads.

Whoever asks it meanwhile is not refused: their answer waits for the model as it would for a busy one, within the time
that an answer has.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from therapist.engine import Engine, EngineIdentity, Generation, Priority, Prompt, Sampling, Usage
from therapist.errors import EngineError

__all__ = ["OpeningEngine"]


class OpeningEngine:
    """Opens another engine in a thread of its own, and from then on is that engine."""

    def __init__(
        self, expected: EngineIdentity, open_it: Callable[[], Engine], failed: Callable[[Exception], None]
    ) -> None:
        """`expected` is what is known of the engine before it is there: its hash is not. `failed` is told, in that
        thread, what `open_it` raised.
        """
        self._expected = expected
        self._open_it = open_it
        self._failed = failed
        self._engine: Engine | None = None
        self._error: Exception | None = None
        self._closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._open, name="open engine", daemon=True).start()

    @property
    def identity(self) -> EngineIdentity:
        return self._engine.identity if self._engine is not None else self._expected

    @property
    def is_open(self) -> bool:
        """Whether the engine is there."""
        return self._engine is not None

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> Generation:
        def ask(engine: Engine) -> Generation:
            return engine.generate(prompt, sampling=sampling, seed=seed, conversation=conversation, priority=priority)

        return ask(self._engine) if self._engine is not None else _Early(self, ask)

    def close(self) -> None:
        """Close the engine, also one that is still being opened. Safe to call twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            engine = self._engine
        if engine is not None:
            engine.close()

    def wait(self, unwanted: Callable[[], bool]) -> Engine | None:
        """The engine, as soon as it is there; None when `unwanted`, looked at at each `look`, says so before.

        Raises `EngineError` when there will be none.
        """
        with self._changed:
            while self._engine is None and not unwanted():
                if self._error is not None or self._closed:
                    raise EngineError("The engine could not be opened, or was closed.") from self._error
                self._changed.wait()
            return self._engine

    def look(self) -> None:
        """Have everybody who waits look again whether they want to."""
        with self._changed:
            self._changed.notify_all()

    def _open(self) -> None:
        try:
            engine = self._open_it()
        except Exception as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()
            self._failed(error)
            return
        with self._changed:
            self._engine = engine
            closed = self._closed
            self._changed.notify_all()
        if closed:
            engine.close()


class _Early:
    """A reply that was asked for before the engine was there. Its times count from then."""

    def __init__(self, opening: OpeningEngine, ask: Callable[[Engine], Generation]) -> None:
        self._opening = opening
        self._ask = ask
        self._began = time.monotonic()
        self._waited_ms = 0.0
        self._closed = threading.Event()
        self._asking = threading.Lock()
        self._generation: Generation | None = None

    @property
    def usage(self) -> Usage:
        if self._generation is None:
            return Usage(queue_ms=1000 * (time.monotonic() - self._began))
        usage, waited = self._generation.usage, self._waited_ms
        return replace(
            usage,
            queue_ms=usage.queue_ms + waited,
            first_token_ms=None if usage.first_token_ms is None else usage.first_token_ms + waited,
            last_token_ms=None if usage.last_token_ms is None else usage.last_token_ms + waited,
        )

    @property
    def place(self) -> int:
        return self._generation.place if self._generation is not None else 0

    def __iter__(self) -> Iterator[str]:
        engine = self._opening.wait(self._closed.is_set)
        with self._asking:
            if engine is None or self._closed.is_set():
                return
            self._waited_ms = 1000 * (time.monotonic() - self._began)
            self._generation = self._ask(engine)
        yield from self._generation

    def close(self) -> None:
        """Stop waiting, or the writing. Safe to call twice, and from any thread."""
        with self._asking:
            self._closed.set()
            generation = self._generation
        if generation is not None:
            generation.close()
        self._opening.look()

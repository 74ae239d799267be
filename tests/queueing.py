"""An engine whose queue a test moves: it stands for one that writes for others, not for a model."""

import threading
from collections.abc import Iterator

from therapist.engine import EngineIdentity, Priority, Prompt, Sampling, Usage

__all__ = ["QueueingEngine", "Standing"]


class QueueingEngine:
    """Each answer stands at the place that the test says, and is written when the test lets it."""

    def __init__(
        self,
        text: str = "It sounds like you failed the exam.",
        place: int = 0,
        identity: EngineIdentity = EngineIdentity("queueing", "test", None),  # noqa: B008 - never changed
    ) -> None:
        self.identity = identity
        self.text = text
        self.place = place
        self.asked: list[Standing] = []
        self.begun = threading.Semaphore(0)
        """Released once for each answer that was asked for."""
        self._let = threading.Event()

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> "Standing":
        standing = Standing(self, priority, prompt)
        self.asked.append(standing)
        self.begun.release()
        return standing

    def let(self) -> None:
        """Write: every answer is begun."""
        self.place = 0
        self._let.set()
        for one in self.asked:
            one.go.set()

    def close(self) -> None:
        self.let()


class Standing:
    """An answer that stands in the queue."""

    def __init__(self, engine: QueueingEngine, priority: Priority, prompt: Prompt) -> None:
        self.prompt = prompt
        self.usage = Usage()
        self.priority = priority
        self.closed = threading.Event()
        self.go = threading.Event()
        """Set when it is written, or closed."""
        self._engine = engine
        if engine._let.is_set():
            self.go.set()

    @property
    def place(self) -> int:
        return self._engine.place

    def __iter__(self) -> Iterator[str]:
        self.go.wait()
        if not self.closed.is_set():
            yield self._engine.text

    def close(self) -> None:
        self.closed.set()
        self.go.set()

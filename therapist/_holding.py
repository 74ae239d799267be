"""Holding back the first sentence of an answer, without losing sight of those that follow it.

While the first sentence waits, the rest of the answer goes on being written and screened, in a thread of its own. So
what is found there ends the waiting at once: a fixed message is never late because an ordinary sentence was held back.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

__all__ = ["Hold", "held_back"]

Hold = Callable[[int, float, threading.Event], float]
"""Told which turn is answered and how many milliseconds the first sentence took; waits for as long as it is to be held
back, or until the event is set; returns how many milliseconds that was."""

Said = TypeVar("Said")


def held_back(sentences: Iterator[Said], wait: Callable[[], None], hurry: threading.Event) -> Iterator[Said]:
    """The same sentences, none before `wait` is over; `hurry` is set as soon as reading them raises something."""
    read: queue.Queue[tuple[Said] | Exception | None] = queue.Queue()

    def read_ahead() -> None:
        try:
            for sentence in sentences:
                read.put((sentence,))
            read.put(None)
        except Exception as error:
            read.put(error)
            hurry.set()

    reader = threading.Thread(target=read_ahead, name="held", daemon=True)
    reader.start()
    wait()
    while True:
        one = read.get()
        if isinstance(one, tuple):
            yield one[0]
            continue
        reader.join()
        if one is not None:
            raise one
        return

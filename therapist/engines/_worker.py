"""One thread that does what it is given, in the order in which it was given."""

import atexit
import threading
from collections import deque
from typing import Protocol

__all__ = ["Job", "Worker"]


class Job(Protocol):
    """Something to do, once."""

    def run(self) -> None:
        """Do it. Must not raise."""
        ...

    def abandon(self) -> None:
        """The worker was closed before it came to this job, or is closing while it does it."""
        ...


class Worker:
    """A fair queue and the one thread that works it off.

    The same thread serves every job because torch starts a set of helper threads for each thread that calls it.
    It ends with the process without holding it up.
    """

    def __init__(self, name: str) -> None:
        self._waiting: deque[Job] = deque()
        self._current: Job | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()
        # A thread that is inside torch when Python goes down aborts the process.
        atexit.register(self.close)

    def add(self, job: Job) -> bool:
        """Queue `job`. False when the worker is closed."""
        with self._changed:
            if self._closed:
                return False
            self._waiting.append(job)
            self._changed.notify()
            return True

    def place(self, job: Job) -> int:
        """How many jobs are begun before this one."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else 0

    def withdraw(self, job: Job) -> bool:
        """Take `job` out of the queue. False when it has been begun, or was never in it."""
        with self._changed:
            if job not in self._waiting:
                return False
            self._waiting.remove(job)
            return True

    def close(self) -> None:
        """Abandon what waits and what is being done, and end the thread. Safe to call twice."""
        with self._changed:
            self._closed = True
            abandoned = [*self._waiting, *([self._current] if self._current else [])]
            self._waiting.clear()
            self._changed.notify()
        for job in abandoned:
            job.abandon()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        atexit.unregister(self.close)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._current = None
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                job = self._current = self._waiting.popleft()
            job.run()

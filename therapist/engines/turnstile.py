"""A lock that serves those who wait in the order in which they came."""

import threading
from collections import deque

__all__ = ["Turnstile"]


class Turnstile:
    """One at a time, first come first served. A ticket is drawn on arrival and must be given back."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    def arrive(self) -> object:
        """Draw a ticket."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
        return ticket

    def wait(self, ticket: object, given_up: threading.Event) -> bool:
        """Wait until it is `ticket`'s turn: True. False when `given_up` was set or the ticket was given back."""
        with self._changed:
            while ticket in self._waiting and self._waiting[0] is not ticket and not given_up.is_set():
                self._changed.wait()
            return bool(self._waiting) and self._waiting[0] is ticket and not given_up.is_set()

    def leave(self, ticket: object) -> None:
        """Give the ticket back, whether or not its turn had come. Twice is once."""
        with self._changed:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            self._changed.notify_all()

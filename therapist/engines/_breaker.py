"""When a server is left alone: a circuit breaker.

A server that has failed several times in a row is not asked for a while. Answers then get the script's own sentence at
once: participants do not wait for a time-out each, and a server that is getting up again is not overrun. After that
while one request is let through as a probe; what becomes of it decides.

This is the state alone. It has no lock, no thread and no clock of its own: its caller has them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Breaker", "Pass", "Standing"]

Standing = Literal["closed", "open", "probing"]
"""Requests go through; none does; one is on its way, to see whether the server is there again."""


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """Leave to send one request. What becomes of it is told once: `succeeded`, `failed` or `withdrawn`."""

    probe: bool


class Breaker:
    """Opens after `failures` requests in a row have failed."""

    def __init__(
        self,
        now: Callable[[], float],
        *,
        failures: int = 5,
        open_s: float = 10.0,
        longest_s: float = 120.0,
    ) -> None:
        """`now` gives seconds on a monotonic clock. It stays open for `open_s`, and twice as long after each probe that
        fails, at most `longest_s`.
        """
        self._now = now
        self._failures = failures
        self._shortest = open_s
        self._longest = longest_s
        self._in_a_row = 0
        self._open_s = open_s
        self._until: float | None = None
        self._probe: Pass | None = None

    @property
    def standing(self) -> Standing:
        if self._until is None:
            return "closed"
        return "probing" if self._probe is not None else "open"

    @property
    def left_s(self) -> float:
        """Seconds until a request is let through; 0 when one would be."""
        return 0.0 if self._until is None else max(0.0, self._until - self._now())

    def ask(self) -> Pass | None:
        """Leave to send a request, or None: the server is to be left alone."""
        if self._until is None:
            return Pass(probe=False)
        if self._probe is not None or self._now() < self._until:
            return None
        self._probe = Pass(probe=True)
        return self._probe

    def succeeded(self, leave: Pass) -> None:
        """The server answered. One that answers is there, whichever request it was."""
        self._in_a_row = 0
        self._open_s = self._shortest
        self._until = self._probe = None

    def failed(self, leave: Pass) -> None:
        """The server did not answer, or as a server that is not well. While it is left alone only the probe counts."""
        if self._until is None:
            self._in_a_row += 1
            if self._in_a_row >= self._failures:
                self._until = self._now() + self._open_s
        elif leave is self._probe:
            self._open_s = min(2 * self._open_s, self._longest)
            self._until = self._now() + self._open_s
            self._probe = None

    def withdrawn(self, leave: Pass) -> None:
        """The request was given up before it told anything about the server. A probe's place is free again."""
        if leave is self._probe:
            self._probe = None

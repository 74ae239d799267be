"""Who may send a server a request, and when: so many at once, the rest in a fair queue, none while it is left alone."""

import threading
from dataclasses import dataclass, field

import structlog

from therapist.engine import Priority
from therapist.engines._breaker import Breaker, Pass
from therapist.engines._queue import FairQueue
from therapist.errors import EngineError

__all__ = ["Door", "LeftAlone", "Ticket"]

log = structlog.get_logger()


class LeftAlone(EngineError):
    """The server has failed several times in a row and is not asked for a while."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One reply's wish to be let in."""

    conversation: str
    priority: Priority
    withdrawn: bool = False
    leave: Pass | None = field(default=None, init=False)


class Door:
    """Safe to use from several threads."""

    def __init__(self, breaker: Breaker, at_once: int, server: str) -> None:
        """Lets `at_once` in at a time. `server` is its name in the log."""
        self._breaker = breaker
        self._at_once = at_once
        self._server = server
        self._waiting: FairQueue[Ticket] = FairQueue()
        self._inside: list[Ticket] = []
        self._changed = threading.Condition()

    @property
    def left_alone_s(self) -> float | None:
        """Seconds until the server is asked again, 0 while a probe is on its way; None when it is asked as usual."""
        with self._changed:
            return None if self._breaker.standing == "closed" else self._breaker.left_s

    @property
    def waiting(self) -> int:
        """How many are in the queue."""
        with self._changed:
            return len(self._waiting)

    def enter(self, ticket: Ticket) -> bool:
        """Wait until this one is let in. False when it was withdrawn. Raises `LeftAlone`, also while it waits."""
        with self._changed:
            self._waiting.add(ticket, ticket.conversation, ticket.priority)
            try:
                while not ticket.withdrawn:
                    if self._breaker.standing == "probing" or self._breaker.left_s:
                        raise LeftAlone("The server failed several times in a row; it is left alone for a while.")
                    if len(self._inside) < self._at_once and self._waiting.order()[0] is ticket:
                        ticket.leave = self._breaker.ask()
                        self._waiting.next()  # this one; that the queue knows whom it served makes it fair
                        self._inside.append(ticket)
                        return True
                    self._changed.wait()
                return False
            finally:
                self._waiting.withdraw(ticket)
                self._changed.notify_all()

    def again(self, ticket: Ticket) -> bool:
        """Whether one that is inside, and was told that it failed, may try once more."""
        with self._changed:
            ticket.leave = self._breaker.ask()
            return ticket.leave is not None

    def tell(self, ticket: Ticket, well: bool | None) -> None:
        """What became of the request: the server was well, or not, or it was given up too early to know."""
        with self._changed:
            leave, ticket.leave = ticket.leave, None
            if leave is None:
                return
            before = self._breaker.standing
            if well is None:
                self._breaker.withdrawn(leave)
            elif well:
                self._breaker.succeeded(leave)
            else:
                self._breaker.failed(leave)
            after = self._breaker.standing
            for_s = round(self._breaker.left_s)
            self._changed.notify_all()
        if before == "closed" and after == "open":
            log.warning("server left alone", server=self._server, for_s=for_s)
        elif before == "probing" and after == "open" and well is False:
            log.warning("server left alone still", server=self._server, for_s=for_s)
        elif before != "closed" and after == "closed":
            log.info("server is asked again", server=self._server)

    def leave(self, ticket: Ticket) -> None:
        """Make room. Safe to call for one that was never let in."""
        with self._changed:
            if ticket in self._inside:
                self._inside.remove(ticket)
            self._changed.notify_all()

    def withdraw(self, ticket: Ticket) -> None:
        """Leave the queue at once."""
        with self._changed:
            ticket.withdrawn = True
            self._waiting.withdraw(ticket)
            self._changed.notify_all()

    def place(self, ticket: Ticket) -> int:
        """How many replies have to end before this one is begun."""
        with self._changed:
            return self._waiting.endings_before(ticket, self._at_once - len(self._inside))

"""Whose turn it is at an engine that is busy. Pure: no threads, no clock."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from therapist.engine import Priority

__all__ = ["FairQueue"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[T]):
    job: T
    conversation: str
    priority: Priority
    turn: int


class FairQueue(Generic[T]):
    """What waits, in the order in which it is begun. Not safe to use from several threads at once.

    What somebody waits for comes before what nobody waits for. Then each conversation's first comes before any
    conversation's second: who asks for much does not hold up those who ask for one answer. Then who asked first.

    To that end each gets a turn when it comes: the one that is being served, or the one after its conversation's last
    (start-time fair queueing, Goyal et al., SIGCOMM 1996, with every job counted alike).
    """

    def __init__(self) -> None:
        self._tickets: list[_Ticket[T]] = []
        self._now = 0
        self._in_order: list[_Ticket[T]] | None = []
        """The tickets in their order, until they change."""
        self._last: dict[tuple[str, Priority], int] = {}
        """The last turn of each conversation that is not over yet."""

    def __len__(self) -> int:
        return len(self._tickets)

    def __contains__(self, job: object) -> bool:
        return any(ticket.job is job for ticket in self._tickets)

    def add(self, job: T, conversation: str, priority: Priority) -> None:
        """Put `job` in its place."""
        key = (conversation, priority)
        turn = self._last[key] = max(self._now, self._last.get(key, -1) + 1)
        self._tickets.append(_Ticket(job, conversation, priority, turn))
        self._in_order = None

    def withdraw(self, job: T) -> bool:
        """Take `job` out. False when it is not there."""
        for ticket in self._tickets:
            if ticket.job is job:
                self._tickets.remove(ticket)
                self._in_order = None
                return True
        return False

    def place(self, job: T) -> int:
        """How many are begun before `job`; 0 also for what is not there."""
        return next((place for place, ticket in enumerate(self._ordered()) if ticket.job is job), 0)

    def endings_before(self, job: T, free: int) -> int:
        """How many of those that were begun have to end before `job` is, where `free` more may be begun now; 0 also for
        what is not there."""
        return max(0, self.place(job) + 1 - free) if job in self else 0

    def urgent(self) -> bool:
        """Whether somebody waits for one of them."""
        return any(ticket.priority == "interactive" for ticket in self._tickets)

    def next(self, *, batch: bool = True) -> T | None:
        """Take out the first; without `batch`, the first that somebody waits for. None when there is none."""
        if not self._tickets or not (batch or self.urgent()):
            return None
        first = self._ordered()[0]
        self._tickets.remove(first)
        self._in_order = None
        self._now = max(self._now, first.turn)
        self._last = {key: turn for key, turn in self._last.items() if turn >= self._now}
        return first.job

    def order(self) -> list[T]:
        """All of them, the next one first."""
        return [ticket.job for ticket in self._ordered()]

    def _ordered(self) -> list[_Ticket[T]]:
        if self._in_order is None:
            # The sort keeps the order in which they came.
            self._in_order = sorted(self._tickets, key=lambda ticket: (ticket.priority == "batch", ticket.turn))
        return self._in_order

"""Where the time comes from.

Nothing in the study reads the machine's clock directly, so that a 15-day study can be rehearsed in minutes and a
test can stand on any day. All times are aware and in UTC; a participant's day follows from `study.schedule`.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

__all__ = ["Clock", "FileClock", "SystemClock"]


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FileClock:
    """A rehearsal's clock: one file that the simulation moves and the portal, another process, reads.

    The file holds seconds since the epoch as text. It is replaced as a whole, so a reader never sees half.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def now(self) -> datetime:
        return datetime.fromtimestamp(float(self.path.read_text()), UTC)

    def set(self, moment: datetime) -> None:
        draft = self.path.with_suffix(".next")
        draft.write_text(repr(moment.timestamp()))
        draft.replace(self.path)

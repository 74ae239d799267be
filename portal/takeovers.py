"""The wizards' desk: where a person who took over a visit writes, and the worker that owes the answer waits.

Who holds which visit stands in the record. What is kept here is only what a process may lose: when something was last
heard of each of them, and words that no worker has fetched yet. Nobody waits for a person who is not there: one who is
not heard of for `AWAY_S` has handed the visit back, and a server that starts finds no one at the desk.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from study import takeover
from study.errors import NotDue
from study.study import Study
from study.takeover import Released, Takeover
from therapist.wizard import Written

__all__ = ["AWAY_S", "Desk", "Seat"]

log = structlog.get_logger()

AWAY_S = 30.0
"""Whoever is not heard of for so long is away. Their page says that it is there every five seconds."""

LOOK_EVERY_S = 1.0
"""How often the record is asked whether a takeover stands: a visit may be ended by another process."""


@dataclass(slots=True)
class _Held:
    takeover: Takeover
    seen: float
    owed: tuple[int, float] | None = None
    """The turn whose answer is theirs to give, and since when."""
    written: dict[int, Written] = field(default_factory=dict)
    """Their words, by the turn they answer, until the worker has fetched them."""


class Desk:
    """All visits that a person holds now. Safe to use from several threads."""

    def __init__(self, study: Study, now: Callable[[], float] = time.monotonic) -> None:
        self._study = study
        self._now = now
        self._held: dict[int, _Held] = {}
        self._changed = threading.Condition()
        takeover.release_all(study, "server stopped")

    def take(self, visit_id: int, *, by: str, why: str) -> Takeover:
        """Raises what `study.takeover.take` raises."""
        taken = takeover.take(self._study, visit_id, by=by, why=why)
        with self._changed:
            held = self._held.get(visit_id)
            if held is None or held.takeover.id != taken.id:
                self._held[visit_id] = _Held(taken, self._now())
                threading.Thread(target=self._watch, args=(visit_id,), name="takeover", daemon=True).start()
            self._changed.notify_all()
        return taken

    def hand_back(self, visit_id: int, *, by: str) -> None:
        """The engine answers again. Does nothing when `by` does not hold the visit."""
        with self._changed:
            held = self._held.get(visit_id)
        if held is not None and held.takeover.taken_by == by:
            self._release(visit_id, held, "handed back")

    def heard_of(self, visit_id: int, *, by: str) -> bool:
        """Somebody is still there; whether the visit is theirs still."""
        with self._changed:
            held = self._held.get(visit_id)
            if held is None or held.takeover.taken_by != by:
                return False
            held.seen = self._now()
            return True

    def write(self, visit_id: int, number: int, text: str, *, by: str) -> None:
        """Give the answer to turn `number`, which is owed; it is said once it is screened, and then recorded.

        Raises `NotDue` when the visit is not theirs any more, or they have given this answer.
        """
        with self._changed:
            held = self._held.get(visit_id)
            if held is None or held.takeover.taken_by != by:
                raise NotDue("The visit was handed back, so the model answers now.")
            if number in held.written:
                raise NotDue("This turn is answered already.")
            held.seen = self._now()
            since = held.owed[1] if held.owed is not None and held.owed[0] == number else held.seen
            held.written[number] = Written(text, by, 1000 * (held.seen - since))
            self._changed.notify_all()

    def seat(self, visit_id: int) -> "Seat":
        """The place from which the answers of this visit may be written; see `therapist.wizard.Wizard`."""
        return Seat(self, visit_id)

    def look(self) -> None:
        """Have every waiting thread look again at the time and at the record."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """The server stops: every visit is handed back, and nobody waits."""
        with self._changed:
            held = dict(self._held)
        for visit_id, one in held.items():
            self._release(visit_id, one, "server stopped")

    # For the worker

    def holds(self, visit_id: int) -> bool:
        """Whether somebody has this visit."""
        with self._changed:
            return visit_id in self._held

    def answer(self, visit_id: int, number: int) -> Written | None:
        """What is written in answer to turn `number`, waited for; None as soon as nobody has the visit."""
        with self._changed:
            while (held := self._held.get(visit_id)) is not None:
                if held.owed is None or held.owed[0] != number:
                    held.owed = (number, self._now())
                if number in held.written:
                    held.owed = None
                    return held.written.pop(number)
                self._changed.wait()
        return None

    # Inside

    def _watch(self, visit_id: int) -> None:
        """Until it is over, see to it that a takeover ends when the person is away or the record says that it did."""
        with self._changed:
            held = self._held.get(visit_id)
        try:
            while held is not None:
                if not takeover.holds(self._study, held.takeover.id):
                    self._release(visit_id, held, "visit over")
                    return
                with self._changed:
                    if self._held.get(visit_id) is not held:
                        return
                    left = held.seen + AWAY_S - self._now()
                    if left > 0:
                        self._changed.wait(min(left, LOOK_EVERY_S))
                        continue
                self._release(visit_id, held, "away")
                return
        except Exception:
            log.exception("a takeover could not be watched", visit=visit_id)
            with self._changed:
                self._held.pop(visit_id, None)
                self._changed.notify_all()
        finally:
            self._study.records.close()  # this thread's own connection

    def _release(self, visit_id: int, held: _Held, how: Released) -> None:
        by = held.takeover.taken_by if how == "handed back" else "bedside"
        try:
            takeover.release(self._study, held.takeover.id, how, by=by)
        finally:
            # Whatever became of the note in the record: the participant's answer must not wait for it.
            with self._changed:
                if self._held.get(visit_id) is held:
                    del self._held[visit_id]
                self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Seat:
    """One visit's place at the desk."""

    desk: Desk
    visit_id: int

    @property
    def holds(self) -> bool:
        return self.desk.holds(self.visit_id)

    def write(self, number: int) -> Written | None:
        return self.desk.answer(self.visit_id, number)

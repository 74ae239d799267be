"""Holding back answers in the arms that are to be waited for alike. How long is `study.equalising`'s to say."""

import threading
import time
from collections.abc import Callable, Mapping

from study.equalising import Waits, drawn, equalised, hold_ms, waits_of
from study.protocol import Protocol
from study.study import Participant, Study
from study.visits import Visit

__all__ = ["Holding", "Pause"]

FRESH_S = 60.0
"""For so long what the record says of the waits is not read again."""

Pause = Callable[[threading.Event, float], float]
"""Waits so many seconds, or until the event is set; returns how many it waited."""


def _pause(hurry: threading.Event, seconds: float) -> float:
    began = time.monotonic()
    hurry.wait(seconds)
    return time.monotonic() - began


class Holding:
    """For all visits of a study. Safe to use from several threads."""

    def __init__(self, study: Study, pause: Pause = _pause) -> None:
        self._study = study
        self._pause = pause
        self._known: dict[str, tuple[float, Mapping[str, Waits]]] = {}

    def of(self, visit: Visit, participant: Participant) -> Callable[[int, float, threading.Event], float] | None:
        """What holds back the answers of this visit; None where nothing is ever held: in the arms that are not to be
        equalised, and in a rehearsal, where nobody waits."""
        arm, protocol = participant.arm.name, participant.protocol
        if self._study.rehearsal or arm not in equalised(protocol):
            return None

        def hold(number: int, ready_ms: float, hurry: threading.Event) -> float:
            chance = drawn(protocol.allocation.seed, visit.id, number)
            wait_ms = hold_ms(arm, ready_ms, self._waits(protocol), chance=chance)
            return 1000 * self._pause(hurry, wait_ms / 1000) if wait_ms else 0.0

        return hold

    def _waits(self, protocol: Protocol) -> Mapping[str, Waits]:
        now = time.monotonic()
        at, waits = self._known.get(protocol.sha256, (0.0, {}))
        if not waits or now > at + FRESH_S:
            waits = waits_of(self._study, protocol)
            self._known[protocol.sha256] = (now, waits)
        return waits

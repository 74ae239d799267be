"""Alarms that a full disk keeps from being recorded: told at once, and recorded as soon as there is room.

They are in this process's memory alone. Should it end before there is room they are forgotten, but told.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from study.errors import RecordError
from study.records import stamp
from study.study import Study

__all__ = ["Unrecorded", "is_waiting", "remember", "settle"]


@dataclass(slots=True)
class Unrecorded:
    participant: str
    category: str
    raised_at: str
    record: Callable[[], object]
    """Records it. Raises `RecordError` while that cannot be done."""
    told: bool = False
    """Whether somebody took the message about it."""


log = structlog.get_logger()

_LOCK = threading.Lock()
_WAITING: dict[Path, dict[tuple[str, str], Unrecorded]] = {}
"""By the record's path: one of each participant and category."""


def remember(study: Study, participant: str, category: str, record: Callable[[], object]) -> None:
    """Have this told at the next `messages.deliver` of this process, and recorded when it can be."""
    one = Unrecorded(participant, category, stamp(study.clock.now()), record)
    with _LOCK:
        _WAITING.setdefault(study.records.path, {}).setdefault((participant, category), one)


def is_waiting(study: Study, participant: str) -> bool:
    """Whether something of this participant's is in memory alone."""
    with _LOCK:
        return any(code == participant for code, _ in _WAITING.get(study.records.path, {}))


def settle(study: Study) -> list[Unrecorded]:
    """Record what can be recorded by now; return what still waits."""
    with _LOCK:
        waiting = dict(_WAITING.get(study.records.path, {}))
    for key, one in waiting.items():
        try:
            one.record()
        except RecordError:
            continue
        except Exception:  # it can never be recorded, and others must not wait for it
            log.exception("an alarm cannot be recorded", participant=one.participant, category=one.category)
            if not one.told:
                continue
        with _LOCK:
            del _WAITING[study.records.path][key]
    with _LOCK:
        return list(_WAITING.get(study.records.path, {}).values())

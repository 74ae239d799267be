"""The log of a robot's node: one line an event, without anything a participant said.

An exception is logged as its type and the places it passed through. Its message and the variables there may quote.
"""

import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

__all__ = ["set_up", "trace"]


def set_up() -> None:
    """Send structlog's events to standard output as plain lines, and what no code expected likewise."""
    structlog.configure(
        processors=[
            _without_words,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
    )
    sys.excepthook = _unexpected
    threading.excepthook = lambda given: _unexpected(given.exc_type, given.exc_value, given.exc_traceback)


def trace(error: BaseException) -> str:
    """The type of an exception and where it was raised, innermost first: `KeyError at api.py:12 < main.py:7`."""
    return _trace(type(error), error.__traceback__)


def _trace(kind: type[BaseException], traceback: TracebackType | None) -> str:
    places: list[str] = []
    while traceback is not None:
        places.insert(0, f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return f"{kind.__name__} at {' < '.join(places) or 'an unknown place'}"


def _without_words(logger: Any, method: str, event: Any) -> Any:
    """Put the trace in the place of an exception, whoever logs one."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        event["error"] = trace(error)
    return event


def _unexpected(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if not issubclass(kind, SystemExit | KeyboardInterrupt):
        structlog.get_logger().error("unexpected error", error=_trace(kind, traceback))

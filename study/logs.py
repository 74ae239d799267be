"""What a log may say of an exception: nothing that a participant said, wrote or answered.

An exception is logged as its type and the places it passed through. Its message is added where it quotes nobody: those
of the study's own errors, of the disk and of SQLite. Any other may quote what it was given, as may the variables there.
"""

import sqlite3
import sys
from pathlib import Path
from threading import ExceptHookArgs
from types import TracebackType
from typing import Any

import structlog

from study.errors import StudyError

__all__ = ["trace", "unexpected", "unexpected_in_thread", "without_words"]

_QUOTING_NOBODY = (StudyError, OSError, sqlite3.Error)


def trace(error: BaseException) -> str:
    """Such as `KeyError at api.py:12 < main.py:7`: the type, and where it was raised, innermost first."""
    said = _places(type(error), error.__traceback__)
    if isinstance(error, _QUOTING_NOBODY):
        said += f": {error}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return said if cause is None else f"{said}; after {trace(cause)}"


def _places(kind: type[BaseException], traceback: TracebackType | None) -> str:
    places: list[str] = []
    while traceback is not None:
        places.insert(0, f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return f"{kind.__name__} at {' < '.join(places) or 'an unknown place'}"


def without_words(logger: Any, method: str, event: Any) -> Any:
    """A processor for structlog: puts the trace in the place of an exception, whoever logs one."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        event["error"] = trace(error)
    return event


def unexpected(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    """For `sys.excepthook`: logs what no code expected."""
    if not issubclass(kind, SystemExit | KeyboardInterrupt):
        said = _places(kind, traceback) if error is None else trace(error)
        structlog.get_logger().error("unexpected error", error=said)


def unexpected_in_thread(given: ExceptHookArgs) -> None:
    """For `threading.excepthook`: the same of what ends a thread."""
    unexpected(given.exc_type, given.exc_value, given.exc_traceback)

"""The log of a robot's node: one line an event, without anything a participant said (`study.logs`)."""

import sys
import threading

import structlog

from study.logs import unexpected, unexpected_in_thread, without_words

__all__ = ["set_up"]


def set_up() -> None:
    """Send structlog's events to standard output as plain lines, and what no code expected likewise."""
    structlog.configure(
        processors=[
            without_words,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
    )
    sys.excepthook = unexpected
    threading.excepthook = unexpected_in_thread

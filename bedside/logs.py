"""The log: one line an event on standard error, without anything a participant wrote or said."""

import logging
import sys
import threading

import structlog

from study.logs import unexpected_in_thread, without_words

__all__ = ["set_up"]


def set_up(level: int = logging.INFO) -> None:
    """Send structlog's events of at least this level to standard error, and quiet the libraries."""
    structlog.configure(
        processors=[
            without_words,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    threading.excepthook = unexpected_in_thread
    logging.getLogger("apprise").setLevel(logging.CRITICAL)

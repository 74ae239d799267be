"""Whether a request to a server is sent once more, and after how long.

Only what a moment can mend is tried again, and only before the server has said a word: a connection that could not be
made, a server with too much to do (429, 503), and a proxy that has no server behind it just now (502, 504). What is
wrong with the request itself stays wrong; a server that hung would hang again; and a reply that broke off cannot be
begun anew in front of somebody who reads it.

The wait is drawn evenly between nothing and a bound that doubles ("full jitter": M. Brooker, Exponential backoff and
jitter, AWS Architecture Blog, 2015), so that many who were refused together do not come back together. A server that
says how long (Retry-After, RFC 9110, section 10.2.3) is obeyed, unless that is longer than anybody would wait.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["AGAIN", "ATTEMPTS", "asked_to_wait", "pause"]

ATTEMPTS = 3
"""How often a request is sent at most."""

AGAIN = frozenset({429, 502, 503, 504})
"""The answers of a server after which the same request may be sent again."""

FIRST_S = 0.5
MOST_S = 4.0
LONGEST_ASKED_S = 5.0
"""A server that wants to be left alone for longer is not waited for: the script's own sentence is better."""


def asked_to_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds of a Retry-After header, whether it gives seconds or a date; None without one that can be read."""
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())


def pause(attempt: int, asked_s: float | None, draw: Callable[[], float]) -> float | None:
    """Seconds to wait after the attempt of this number, the first being 1; None when there is to be no other.

    `draw` gives a number from 0 to 1. What the server asked for is a lower bound; the draw comes on top of it.
    """
    if attempt >= ATTEMPTS or (asked_s is not None and asked_s > LONGEST_ASKED_S):
        return None
    return (asked_s or 0.0) + draw() * min(MOST_S, FIRST_S * 2.0 ** (attempt - 1))

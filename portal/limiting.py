"""How often somebody may ask: by the link, the account or the address that asks.

A bucket for each holds so many requests and fills again at a steady pace, so a burst passes and a flood does not. It is
kept in this process, of which there is one, and forgotten at a restart, harmlessly. Signing in has waits of its own
beside this, which are not forgotten (`study.access.signing`).
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Bucket", "Limits"]

KEPT = 50_000
"""So many buckets are remembered; then the one that was used longest ago is forgotten."""


class Bucket:
    """So many at once, and so many a second."""

    def __init__(self, at_once: int, a_second: float, now: Callable[[], float] = time.monotonic) -> None:
        self.at_once = at_once
        self.a_second = a_second
        self._now = now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, who: str) -> bool:
        """Use up one; whether there was one left."""
        with self._lock:
            left = self._filled(who)
            if left < 1:
                return False
            self._left[who] = (left - 1, self._now())
            self._left.move_to_end(who)
            while len(self._left) > KEPT:
                self._left.popitem(last=False)
            return True

    def _filled(self, who: str) -> float:
        left, since = self._left.get(who, (float(self.at_once), self._now()))
        return min(float(self.at_once), left + (self._now() - since) * self.a_second)


class Limits:
    """The limits of one portal."""

    def __init__(self) -> None:
        self.link = Bucket(600, 20)
        """Requests by one participant's link. Many participants may share an address: a class, a clinic."""
        self.wrong = Bucket(60, 1)
        """Links and device tokens from one address that open nothing. What opens something is not counted here."""
        self.account = Bucket(600, 20)
        """Requests by one account in the console."""
        self.device = Bucket(600, 20)
        """Requests by one device."""
        self.sign_in = Bucket(30, 0.5)
        """Attempts from one address to sign in or to use a one-time link."""

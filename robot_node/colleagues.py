"""What the companion knows of the other nodes of its robot, from what they say in the diagnostics."""

import threading
import time
from typing import Any

__all__ = ["Colleagues"]

SILENT_S = 4.0
"""A node that has said nothing for so long is not on the network: they speak once a second."""

RESTARTED_S = 60.0
"""For so long it is worth saying that a node was started again."""

ERROR = b"\x02"


class Colleagues:
    """Which nodes are there, and what ails them. `take` is called by the executor, the rest by any thread."""

    def __init__(self, namespace: str, needed: tuple[str, ...]) -> None:
        """`needed` are the nodes without which no visit can be held."""
        self._namespace = namespace
        self._needed = needed
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}
        self._runs: dict[str, str] = {}
        self._restarts: dict[str, float] = {}
        self._errors: dict[str, set[str]] = {}
        self._told: set[str] = set()
        self._failed: set[str] = set()

    def take(self, message: Any) -> None:
        """Take in a message of the topic /diagnostics; those of other robots are passed over."""
        with self._lock:
            for status in message.status:
                if status.hardware_id != self._namespace:
                    continue
                path, _, part = status.name.partition(": ")
                node = path.rpartition("/")[2]
                self._seen[node] = time.monotonic()
                run = next((value.value for value in status.values if value.key == "run"), "")
                errors = self._errors.setdefault(node, set())
                (errors.add if status.level == ERROR else errors.discard)(part)
                again = self._runs.get(node, run) != run
                if again:
                    self._restarts[node] = time.monotonic()
                if errors or again:
                    self._failed.add(node)
                self._runs[node] = run

    def run(self, node: str) -> str:
        """Which run of the node it is: another one after it was started again; empty before it was seen."""
        with self._lock:
            return self._runs.get(node, "")

    def missing(self) -> list[str]:
        """Needed nodes that are not on the network."""
        with self._lock:
            limit = time.monotonic() - SILENT_S
            return [node for node in self._needed if self._seen.get(node, 0.0) < limit]

    def restarted(self) -> list[str]:
        """Nodes that were started again in the last minute."""
        with self._lock:
            limit = time.monotonic() - RESTARTED_S
            return sorted(node for node, moment in self._restarts.items() if moment > limit)

    def troubled(self, node: str) -> bool:
        """Whether a part of the node fails, or the node is gone."""
        with self._lock:
            return bool(self._errors.get(node)) or self._seen.get(node, 0.0) < time.monotonic() - SILENT_S

    def news(self) -> list[str]:
        """What the participant is to be told and was not: names of texts. Each trouble and each recovery once."""
        news = []
        for node, trouble, recovery in (("ear", "cannot_hear", "can_hear"), ("body", "cannot_move", None)):
            troubled = node in self._seen and self.troubled(node)
            if troubled and node not in self._told:
                self._told.add(node)
                news.append(trouble)
            elif not troubled and node in self._told:
                self._told.discard(node)
                news += [recovery] if recovery else []
        # What a voice without sound would say, nobody hears; it can only be told afterwards.
        if "voice" in self._failed and not self.troubled("voice"):
            self._failed.discard("voice")
            news.append("no_sound")
        return news

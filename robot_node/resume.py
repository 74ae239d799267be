"""Which visit a robot held when its process died, so that the next one goes on without asking for the code."""

import contextlib
import json
import os
import threading
import time
from pathlib import Path

import structlog

__all__ = ["Resume", "state_file"]

log = structlog.get_logger()

FRESH_S = 600.0
"""After so long somebody else may stand before the robot: then it asks for the code."""


def state_file(namespace: str) -> Path:
    """Where the robot in this namespace remembers its visit: one file for each namespace and each ROS domain."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "bedside"
    name = "-".join(["robot", *filter(None, namespace.split("/"))])  # a hyphen is in no namespace
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    return state / f"{name}.{domain}.json"


class Resume:
    """A small file; with an empty path nothing is remembered."""

    def __init__(self, path: str, url: str) -> None:
        """`url` is the portal's: what another portal's robot held is passed over."""
        self._url = url
        self._held: tuple[str, int | None] | None = None
        self._lock = threading.Lock()
        self._fails = False
        """Whether the file could not be written last time: that is logged once."""
        self._path = Path(path).expanduser() if path else None

    def code(self) -> str | None:
        """The code of the visit that was being held; None when there was none, or too long ago."""
        code = self._kept("code")
        return None if code is None else str(code)

    def visit(self) -> int | None:
        """Its number, likewise."""
        number = self._kept("visit")
        return number if isinstance(number, int) else None

    def _kept(self, name: str) -> object:
        if self._path is None:
            return None
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            fresh = 0 <= time.time() - kept["at"] < FRESH_S
            return kept[name] if fresh and kept["url"] == self._url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember(self, code: str, visit: int | None = None) -> None:
        """This visit is being held now."""
        with self._lock:
            self._held = (code, visit)
            self._write(code, visit)

    def keep(self) -> None:
        """It is still being held, if there is one: called again and again, so that the time is that of a crash."""
        with self._lock:
            if self._held is not None:
                self._write(*self._held)

    def _write(self, code: str, visit: int | None) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_suffix(".part")
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump({"url": self._url, "code": code, "visit": visit, "at": time.time()}, file)
            part.replace(self._path)
        except OSError as error:  # a full disk: the visit goes on, and is only not remembered
            if not self._fails:
                log.warning("the visit cannot be remembered", file=str(self._path), error=type(error).__name__)
            self._fails = True
        else:
            self._fails = False

    def forget(self) -> None:
        """No visit is being held."""
        with self._lock:
            self._held = None
            if self._path is not None:
                with contextlib.suppress(FileNotFoundError):
                    self._path.unlink()

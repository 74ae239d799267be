"""Which gesture the robot makes now, out of what it is told. No time and no motion: only who comes before whom.

What the robot does at once or holds on somebody's word comes first, then speaking, then listening, then breathing.
"""

from robot_node.body.gestures import gestures

__all__ = ["Bearing"]

QUIET = ("stopped", "away")
"""States of a visit in which the robot only breathes and leans: who has just been told whom to call wants no nod."""


class Bearing:
    """What the robot has been told, and the gesture that follows from it."""

    def __init__(self) -> None:
        self._listening = False
        self._speaking = False
        self._voice = False
        self._state = ""
        self._asked: str | None = None

    @property
    def gesture(self) -> str:
        """The name of the gesture to make now."""
        if self._asked is not None:
            return self._asked
        if self._speaking and not self.quiet:
            return "speak"
        return "listen" if self._listening else "idle"

    @property
    def quiet(self) -> bool:
        """Whether this is no time for lively movements."""
        return self._state in QUIET

    @property
    def asked(self) -> bool:
        """Whether the present gesture was asked for, or answers the participant."""
        return self._asked is not None

    def listening(self, on: bool) -> None:
        """The robot begins or ends to wait for an answer."""
        if on and not self._listening:
            self._drop_held()
        self._listening = on

    def speaking(self, on: bool) -> None:
        """The robot begins or ends to make a sound."""
        if on and not self._speaking:
            self._drop_held()
        self._speaking = on

    def voice(self, on: bool) -> None:
        """The participant begins or ends to speak. After words that the robot listened to, it nods once."""
        if self._voice and not on and self._listening and not self.quiet and self._asked is None:
            self._asked = "attend"
        self._voice = on

    def visit_state(self, state: str) -> None:
        """The visit is at another point."""
        if state != self._state and state in (*QUIET, "done", "idle"):
            self._drop_held()
        self._state = state

    def ask(self, name: str) -> None:
        """Make this gesture at once. Raises `KeyError` when there is none of that name."""
        if name not in gestures():
            raise KeyError(name)
        # Those three are what the robot does by itself; asking for one ends whatever else was asked for.
        self._asked = None if name in ("idle", "listen", "speak") else name

    def finished(self) -> None:
        """The gesture that was asked for has been made; one that is held stays."""
        if self._asked is not None and not gestures()[self._asked].hold:
            self._asked = None

    def _drop_held(self) -> None:
        if self._asked is not None and gestures()[self._asked].hold:
            self._asked = None

"""Watching whether the joints do what they are told."""

from robot_node.body.joints import JOINTS, Positions

__all__ = ["Watch"]


class Watch:
    """What the joints say of themselves, against what they were told. Times are seconds of a clock that never jumps."""

    def __init__(self, silence_s: float, deviation_rad: float, deviation_s: float, now: float) -> None:
        self._silence_s = silence_s
        self._deviation_rad = deviation_rad
        self._deviation_s = deviation_s
        self._heard = now
        self._away_since: dict[str, float] = {}
        self.positions: Positions | None = None
        """Where the joints are, in radians; None before the first word of them."""

    def measured(self, positions: Positions, now: float) -> None:
        """The joints say where they are."""
        self.positions = positions
        self._heard = now

    def silent(self, now: float) -> bool:
        """Whether nothing has been heard of the joints for too long."""
        return now - self._heard > self._silence_s

    def lagging(self, expected: Positions, now: float) -> str | None:
        """A joint that has been too far from where it should be for too long; call it often."""
        if self.positions is None:
            return None
        for name, wanted, real in zip(JOINTS, expected, self.positions, strict=True):
            if abs(wanted - real) <= self._deviation_rad:
                self._away_since.pop(name, None)
            elif now - self._away_since.setdefault(name, now) >= self._deviation_s:
                return name
        return None

    def forget(self) -> None:
        """Begin to watch anew: the joints are told something else."""
        self._away_since.clear()

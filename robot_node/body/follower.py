"""Following a trajectory in time: shared by the simulator and the motors, so that both obey the same limits."""

from collections.abc import Sequence
from itertools import pairwise

from robot_node.body.joints import REST, Positions, clamped, limits
from robot_node.body.motion import Point, at

__all__ = ["TrajectoryFollower"]

SHARE = 0.95
"""The share of a joint's velocity that is used: what follows this, a motor or a simulated one, overshoots a little."""


class TrajectoryFollower:
    """Where the joints should be now.

    Times are seconds of one clock that never jumps, such as `time.monotonic()`. A newer trajectory replaces the older
    one. What comes out never leaves a joint's limits and never moves faster than its velocity, whatever the
    trajectory asks. Not safe for several threads: its owner has a lock.
    """

    def __init__(self, positions: Positions, now: float) -> None:
        self._points: Sequence[Point] = ()
        self._since = now
        self._reference = clamped(positions)
        self._moment = now
        self._velocities = REST

    def follow(self, points: Sequence[Point], now: float) -> None:
        """Follow `points` from now on. Raises `ValueError` when there are none or their times do not rise."""
        moments = [point.seconds for point in points]
        if not moments or moments[0] < 0 or any(b <= a for a, b in pairwise(moments)):
            raise ValueError("a trajectory needs points, each later than the one before it")
        here = self.at(now)
        self._points = [Point(0.0, here), *points] if moments[0] > 0 else list(points)
        self._since = now

    def hold(self, positions: Positions, now: float) -> None:
        """Forget the trajectory and stay at `positions`."""
        self._points = ()
        self._reference = clamped(positions)
        self._velocities = REST
        self._moment = now

    def at(self, now: float) -> Positions:
        """Where the joints should be, in radians. A moment before the last one asked for counts as that one."""
        passed = max(0.0, now - self._moment)
        self._moment = max(now, self._moment)
        if self._points and passed:
            before, wanted = self._reference, clamped(at(self._points, now - self._since))
            self._reference = tuple(
                old + min(max(new - old, -SHARE * limit.velocity * passed), SHARE * limit.velocity * passed)
                for limit, old, new in zip(limits(), before, wanted, strict=True)
            )
            self._velocities = tuple((new - old) / passed for old, new in zip(before, self._reference, strict=True))
        return self._reference

    @property
    def velocities(self) -> Positions:
        """How fast the joints were going when they were last asked for, in radians a second."""
        return self._velocities

    @property
    def done(self) -> bool:
        """Whether the trajectory's last point has been reached, or there is none."""
        return not self._points or (
            self._moment - self._since >= self._points[-1].seconds
            and max(abs(a - b) for a, b in zip(self._reference, self._points[-1].positions, strict=True)) < 1e-6
        )

"""Planning of motion: from where the joints are and a gesture to timed points that the joints can follow.

Every plan passes through `guarded`, which no position outside a joint's limits and no step faster than its velocity
leaves, whatever went in. The rest of this module is there so that the guard seldom has to bite: curves are those of
least jerk (Flash and Hogan 1985), time is stretched where a gesture asks for more than the joints can do, and a motion
that is interrupted runs out softly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, pi, sin

from robot_node.body.gestures import Gesture
from robot_node.body.joints import JOINTS, REST, Positions, clamped, limits, ordered

__all__ = ["STEP_S", "Point", "Pulse", "at", "brake", "guarded", "plan", "pulse", "with_pulses"]

STEP_S = 0.05
"""The time between two points of a plan, in seconds."""

SHARE = 0.9
"""The share of a joint's velocity that a plan uses; the rest is for the motors, which follow with small errors."""

_PEAK = 1.875
"""The greatest velocity of a curve of least jerk, for distance 1 in time 1."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where the joints are, so many seconds after the start."""

    seconds: float
    positions: Positions


@dataclass(frozen=True, slots=True)
class Pulse:
    """A small movement there and back, on top of a plan."""

    start: float
    """Seconds after the plan's start; negative when it has begun before."""
    seconds: float
    positions: Positions
    """Radians at its height."""

    def offset(self, moment: float) -> Positions:
        """What it adds at `moment`, in seconds after the plan's start."""
        phase = (moment - self.start) / self.seconds
        height = sin(pi * phase) ** 2 if 0 < phase < 1 else 0.0
        return tuple(height * position for position in self.positions)


def plan(gesture: Gesture, start: Positions, velocities: Positions = REST) -> list[Point]:
    """One run of a gesture, from `start` (radians) and `velocities` (radians a second).

    Joints that the gesture never names stay where they are. The first point is where the joints are, at 0 s, and the
    gesture's own times are kept where the joints can keep them.
    """
    begin = clamped(start)
    points = [Point(0.0, begin)]
    last_time, last = 0.0, begin
    now = 0.0
    for seconds, wanted in gesture.keyframes(begin):
        target = clamped(wanted)
        duration = max(seconds - last_time, _shortest(last, target), STEP_S)
        count = ceil(duration / STEP_S)
        for step in range(1, count + 1):
            share = step / count
            points.append(Point(now + share * duration, _between(last, target, _least_jerk(share))))
        now += duration
        last_time, last = seconds, target
    return guarded(_running_out(points, velocities), start)


def brake(start: Positions, velocities: Positions, seconds: float = 0.3) -> list[Point]:
    """Points that bring the joints to a stand softly, near `start`."""
    count = ceil(seconds / STEP_S)
    still = [Point(step * seconds / count, clamped(start)) for step in range(count + 1)]
    return guarded(_running_out(still, velocities, seconds), start)


def with_pulses(points: Sequence[Point], since: float, pulses: Iterable[Pulse], start: Positions) -> list[Point]:
    """What is left of a plan after `since` seconds of it, with pulses on top, from where the joints are.

    The new points count their seconds from `since`; so do the pulses. They last as long as the plan or the pulses do.
    """
    pulses = list(pulses)
    end = max([points[-1].seconds - since, *(pulse.start + pulse.seconds for pulse in pulses), STEP_S])
    count = ceil(end / STEP_S)
    found = []
    for step in range(count + 1):
        moment = step * end / count
        positions = at(points, since + moment)
        for one in pulses:
            positions = tuple(a + b for a, b in zip(positions, one.offset(moment), strict=True))
        found.append(Point(moment, positions))
    return guarded(found, start)


def pulse(gesture: Gesture, count: int, seconds: float, start: float = 0.0) -> Pulse | None:
    """The movement of the `count`th word, which takes `seconds`; None when the gesture has none.

    A short word moves less than a long one: the height is what the joints can do in a quarter of a second or more.
    """
    if gesture.beat is None:
        return None
    lasting = min(max(seconds, 0.25), 0.6)
    positions = ordered({str(name): value for name, value in gesture.beat.positions.items()})
    if gesture.beat.sway is not None and count % 2:
        index = JOINTS.index(gesture.beat.sway)
        positions = (*positions[:index], -positions[index], *positions[index + 1 :])
    return Pulse(start, lasting, tuple(position * min(1.0, lasting / 0.4) for position in positions))


def at(points: Sequence[Point], moment: float) -> Positions:
    """Where a plan has the joints at `moment` seconds, straight between its points."""
    if moment <= points[0].seconds:
        return points[0].positions
    low, high = 0, len(points) - 1
    if moment >= points[high].seconds:
        return points[high].positions
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if points[middle].seconds <= moment else (low, middle)
    before, after = points[low], points[high]
    share = (moment - before.seconds) / (after.seconds - before.seconds)
    return _between(before.positions, after.positions, share)


def guarded(points: Iterable[Point], start: Positions) -> list[Point]:
    """The points held inside the limits of position and velocity.

    From a `start` outside the limits the first point is the nearest place inside, later by the time it takes to get
    there. What a joint could not do in time it does afterwards: the last point is repeated until it is reached.
    """
    begin = clamped(start)
    delay = max(
        abs(inside - outside) / (SHARE * limit.velocity)
        for limit, inside, outside in zip(limits(), begin, start, strict=True)
    )
    found = [Point(delay, begin)]
    wanted = begin
    for point in points:
        wanted = clamped(point.positions)
        moment = delay + point.seconds
        if moment - found[-1].seconds > 1e-6:
            found.append(Point(moment, _reached(found[-1], wanted, moment)))
    while max(abs(a - b) for a, b in zip(found[-1].positions, wanted, strict=True)) > 1e-6:
        moment = found[-1].seconds + STEP_S
        found.append(Point(moment, _reached(found[-1], wanted, moment)))
    return found


def _reached(before: Point, wanted: Positions, moment: float) -> Positions:
    positions = []
    for limit, old, new in zip(limits(), before.positions, wanted, strict=True):
        most = SHARE * limit.velocity * (moment - before.seconds)
        positions.append(limit.clamp(old + min(max(new - old, -most), most)))
    return tuple(positions)


def _running_out(points: list[Point], velocities: Positions, seconds: float = 0.4) -> list[Point]:
    """The points, to which a motion under way is added that slows to nothing within `seconds`, and before they end."""
    seconds = min(seconds, points[-1].seconds)
    found = []
    for point in points:
        share = min(point.seconds / seconds, 1.0)
        fade = point.seconds * (1 - share) ** 3
        found.append(
            Point(point.seconds, tuple(p + v * fade for p, v in zip(point.positions, velocities, strict=True)))
        )
    return found


def _shortest(old: Positions, new: Positions) -> float:
    """The least time in seconds that a curve of least jerk needs between two positions."""
    return max(_PEAK * abs(b - a) / (SHARE * limit.velocity) for limit, a, b in zip(limits(), old, new, strict=True))


def _least_jerk(share: float) -> float:
    return share**3 * (10 - 15 * share + 6 * share**2)


def _between(old: Positions, new: Positions, share: float) -> Positions:
    return tuple(a + share * (b - a) for a, b in zip(old, new, strict=True))

"""Between the messages of ROS and the positions of body/: the joints may come in any order."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from builtin_interfaces.msg import Duration
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robot_node.body.joints import JOINTS, Positions, ordered
from robot_node.body.motion import Point

__all__ = ["points_of", "positions_of", "state", "trajectory"]


def trajectory(points: Sequence[Point]) -> Any:
    """A JointTrajectory that starts when it arrives: its stamp is zero, so no clock has to agree with another."""
    return JointTrajectory(
        joint_names=list(JOINTS),
        points=[
            JointTrajectoryPoint(positions=list(point.positions), time_from_start=_duration(point.seconds))
            for point in points
        ],
    )


def points_of(message: Any, here: Positions) -> list[Point]:
    """The points of a JointTrajectory; a joint it does not name stays `here`.

    Raises `ValueError` when a joint is unknown, a number is missing or not finite, or there are no points.
    """
    names = list(message.joint_names)
    unknown = set(names) - set(JOINTS)
    if unknown or len(set(names)) != len(names):
        raise ValueError(f"the joints are {', '.join(JOINTS)}, each once; the trajectory has {', '.join(names)}")
    points = []
    for point in message.points:
        if len(point.positions) != len(names) or not all(isfinite(position) for position in point.positions):
            raise ValueError("a point of the trajectory has not one finite position for each joint")
        seconds = point.time_from_start.sec + point.time_from_start.nanosec / 1e9
        points.append(Point(seconds, ordered(dict(zip(names, point.positions, strict=True)), here)))
    if not points:
        raise ValueError("the trajectory has no points")
    return points


def state(positions: Positions, velocities: Positions, stamp: Any) -> Any:
    """A JointState of all joints."""
    message = JointState(name=list(JOINTS), position=list(positions), velocity=list(velocities))
    message.header.stamp = stamp
    return message


def positions_of(message: Any) -> Positions | None:
    """The positions in a JointState, which may have other joints as well; None when one of ours is not in it."""
    positions = dict(zip(message.name, message.position, strict=False))
    if not all(isfinite(positions.get(name, float("nan"))) for name in JOINTS):
        return None
    return ordered(positions)


def _duration(seconds: float) -> Any:
    nanoseconds = round(seconds * 1e9)
    return Duration(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)

"""The joints of the body and what each may do, as body/blossom.urdf says."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree

__all__ = ["JOINTS", "REST", "Limit", "Positions", "clamped", "limits", "ordered", "urdf"]

JOINTS = ("tower_1", "tower_2", "tower_3", "base")
"""The joints' names, in the order in which positions are written everywhere."""

Positions = tuple[float, ...]
"""One number a joint, in radians, in the order of `JOINTS`."""

REST: Positions = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Limit:
    """What a joint may do: `lower`, `upper` in radians, `velocity` in radians a second, `effort` in newton metres."""

    lower: float
    upper: float
    velocity: float
    effort: float

    def clamp(self, position: float) -> float:
        """The nearest position inside the limits."""
        return min(max(position, self.lower), self.upper)


def urdf() -> Path:
    """Where the robot's description is."""
    return Path(str(resources.files("robot_node") / "body" / "blossom.urdf"))


@cache
def limits() -> tuple[Limit, ...]:
    """The limit of each joint, in the order of `JOINTS`."""
    # The file is ours, so the plain parser may read it.
    joints = {joint.get("name"): joint for joint in ElementTree.parse(urdf()).getroot().iter("joint")}  # noqa: S314
    found = []
    for name in JOINTS:
        limit = joints[name].find("limit")
        assert limit is not None  # noqa: S101 - every revolute joint of the file has one
        found.append(Limit(**{key: float(limit.attrib[key]) for key in ("lower", "upper", "velocity", "effort")}))
    return tuple(found)


def clamped(positions: Positions) -> Positions:
    """The nearest positions inside the limits."""
    return tuple(limit.clamp(position) for limit, position in zip(limits(), positions, strict=True))


def ordered(positions: Mapping[str, float], default: Positions = REST) -> Positions:
    """Positions by name in the order of `JOINTS`; a joint that is not named keeps its place in `default`."""
    return tuple(positions.get(name, value) for name, value in zip(JOINTS, default, strict=True))

"""Gestures are data: robot_node/gestures/NAME.toml, timed frames of joint positions."""

import tomllib
from functools import cache
from importlib import resources
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from robot_node.body.joints import JOINTS, REST, Positions, limits, ordered

__all__ = ["Beat", "Frame", "Gesture", "gesture", "gestures"]

Joint = Literal["tower_1", "tower_2", "tower_3", "base"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _check(positions: dict[Joint, float], where: str) -> None:
    for name, position in positions.items():
        limit = limits()[JOINTS.index(name)]
        if not limit.lower <= position <= limit.upper:
            raise ValueError(f"{where}: {name} is {position}, and may be {limit.lower} to {limit.upper}")


class Frame(_Strict):
    """Where the joints are at one moment of a gesture."""

    seconds: float = Field(gt=0, le=30)
    """Since the gesture began."""
    positions: dict[Joint, float]
    """Radians; a joint that is not named stays where the frame before had it."""

    @model_validator(mode="after")
    def _inside_the_limits(self) -> Self:
        _check(self.positions, f"the frame at {self.seconds} s")
        return self


class Beat(_Strict):
    """A small movement that goes with one word: there and back."""

    positions: dict[Joint, float]
    """Radians away from where the joints would be."""
    sway: Joint | None = None
    """A joint that goes to the other side with every second word."""


class Gesture(_Strict):
    """One gesture. It starts from wherever the joints are, and the first frame says when they have arrived."""

    name: str = Field(pattern=r"^[a-z]+$")
    description: str
    repeat: bool = False
    """Begin anew after the last frame, until something else comes."""
    hold: bool = False
    """Stay in the last frame until something else comes."""
    frames: tuple[Frame, ...] = Field(min_length=1)
    beat: Beat | None = None
    """What each spoken word adds."""

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        if self.repeat and self.hold:
            raise ValueError(f"{self.name}: a gesture repeats or is held, not both")
        moments = [frame.seconds for frame in self.frames]
        if sorted(set(moments)) != moments:
            raise ValueError(f"{self.name}: each frame must be later than the one before it")
        return self

    def keyframes(self, start: Positions = REST) -> list[tuple[float, Positions]]:
        """The frames with every joint in them: seconds and positions, the first as `start` where it names no joint."""
        found: list[tuple[float, Positions]] = []
        for frame in self.frames:
            start = ordered({str(name): value for name, value in frame.positions.items()}, start)
            found.append((frame.seconds, start))
        return found


@cache
def gestures() -> dict[str, Gesture]:
    """All gestures by name. Raises `pydantic.ValidationError` or `ValueError` when a file is wrong."""
    folder = resources.files("robot_node") / "gestures"
    found = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.endswith(".toml"):
            read = Gesture.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
            if f"{read.name}.toml" != path.name:
                raise ValueError(f"{path.name}: the gesture in it is called {read.name}")
            found[read.name] = read
    return found


def gesture(name: str) -> Gesture:
    """The gesture of that name. Raises `KeyError` when there is none."""
    return gestures()[name]

"""The gestures as they are in their files, and which of them the robot makes."""

from typing import Any

import pytest
from pydantic import ValidationError

from robot_node.body.bearing import Bearing
from robot_node.body.gestures import Gesture, gestures
from robot_node.body.joints import JOINTS, REST, limits, ordered, urdf
from robot_node.body.motion import SHARE

PEAK = 1.875  # of a curve of least jerk: its greatest speed over its mean


def test_there_is_one_for_each_moment_of_a_conversation() -> None:
    assert {"idle", "listen", "attend", "nod", "think", "speak", "greet", "farewell"} <= set(gestures())


@pytest.mark.parametrize("name", sorted(gestures()))
def test_a_gesture_asks_for_nothing_that_the_joints_cannot_do(name: str) -> None:
    gesture = gestures()[name]
    frames = gesture.keyframes()
    start = {"attend": gestures()["listen"].keyframes()[-1][1]}.get(name, REST)  # it comes out of the lean
    before = (0.0, frames[-1][1] if gesture.repeat else start)
    for seconds, positions in frames:
        for limit, old, new in zip(limits(), before[1], positions, strict=True):
            assert limit.lower <= new <= limit.upper
            assert PEAK * abs(new - old) / (seconds - before[0]) <= SHARE * limit.velocity
        before = (seconds, positions)
    if gesture.beat is not None:
        away = ordered({str(joint): value for joint, value in gesture.beat.positions.items()})
        for limit, one in zip(limits(), away, strict=True):
            assert abs(one) < 0.15 * (limit.upper - limit.lower)


def test_breathing_repeats_and_leaning_and_thinking_are_held() -> None:
    assert [name for name, gesture in gestures().items() if gesture.repeat] == ["idle", "speak"]
    assert [name for name, gesture in gestures().items() if gesture.hold] == ["listen", "think"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frames": [{"seconds": 1.0, "positions": {"tower_9": 0.1}}]}, "tower_9"),
        ({"frames": [{"seconds": 1.0, "positions": {"tower_1": 0.9}}]}, "tower_1 is 0.9"),
        ({"frames": [{"seconds": 0.0, "positions": {}}]}, "greater than 0"),
        ({"frames": [{"seconds": 2.0, "positions": {}}, {"seconds": 1.0, "positions": {}}]}, "later"),
        ({"frames": []}, "at least 1"),
        ({"hold": True, "repeat": True}, "not both"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_mistake_in_a_gesture_is_named(change: dict[str, Any], words: str) -> None:
    good = {"name": "wave", "description": "A wave.", "frames": [{"seconds": 1.0, "positions": {"base": 0.2}}]}
    Gesture.model_validate(good)
    with pytest.raises(ValidationError, match=words):
        Gesture.model_validate(good | change)


def test_the_description_of_the_robot_loads_in_mujoco_with_the_limits_that_are_planned_with() -> None:
    from robot_node.body.scene import model

    assert urdf().exists()
    loaded = model()
    assert [loaded.actuator(index).name for index in range(loaded.nu)] == list(JOINTS)
    for name, limit in zip(JOINTS, limits(), strict=True):
        assert tuple(loaded.joint(name).range) == pytest.approx((limit.lower, limit.upper))


def test_it_breathes_leans_in_to_listen_and_speaks() -> None:
    bearing = Bearing()
    assert bearing.gesture == "idle"
    bearing.listening(True)
    assert bearing.gesture == "listen"
    bearing.speaking(True)
    assert bearing.gesture == "speak"
    bearing.speaking(False)
    bearing.listening(False)
    assert bearing.gesture == "idle"


def test_it_nods_once_when_the_participant_has_spoken_to_it() -> None:
    bearing = Bearing()
    bearing.voice(True)
    bearing.voice(False)
    assert bearing.gesture == "idle"  # it did not listen
    bearing.listening(True)
    bearing.voice(False)
    assert bearing.gesture == "listen"  # nobody had spoken
    bearing.voice(True)
    bearing.voice(False)
    assert bearing.gesture == "attend"
    bearing.finished()
    assert bearing.gesture == "listen"


@pytest.mark.parametrize("end", ["listening", "speaking", "gesture", "visit"])
def test_thinking_is_held_until_something_else_comes(end: str) -> None:
    bearing = Bearing()
    bearing.listening(True)
    bearing.ask("think")
    bearing.listening(False)
    bearing.finished()
    assert bearing.gesture == "think"
    match end:
        case "listening":
            bearing.listening(True)
        case "speaking":
            bearing.speaking(True)
        case "gesture":
            bearing.ask("nod")
        case "visit":
            bearing.visit_state("done")
    assert bearing.gesture == {"listening": "listen", "speaking": "speak", "gesture": "nod", "visit": "idle"}[end]


def test_after_the_safety_message_it_is_quiet() -> None:
    bearing = Bearing()
    bearing.visit_state("stopped")
    bearing.speaking(True)
    assert bearing.gesture == "idle"
    bearing.listening(True)
    bearing.voice(True)
    bearing.voice(False)
    assert bearing.gesture == "listen"


def test_an_unknown_gesture_is_refused() -> None:
    with pytest.raises(KeyError, match="cartwheel"):
        Bearing().ask("cartwheel")

"""The robot's body on the ROS graph, moved in the simulator."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node

from robot_node.body.gestures import gestures
from robot_node.body.joints import JOINTS, REST, Positions, limits
from robot_node.body.motion import Point
from robot_node.body_node import Body
from robot_node.joint_messages import points_of, positions_of, trajectory
from robot_node.node import overrides
from robot_node.running import spinning
from robot_node.sim import Sim
from robot_node.topics import TOPICS

OK, WARNING, ERROR = b"\x00", b"\x01", b"\x02"
BASE = JOINTS.index("base")


def until(condition: Callable[[], Any], seconds: float = 15.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


class Conversation(Node):
    """The rest of the robot: says what happens in the conversation, and keeps what the body does."""

    def __init__(self) -> None:
        super().__init__("conversation")
        self.positions: list[tuple[float, Positions]] = []
        self.velocities: list[Positions] = []
        self.trajectories: list[Any] = []
        self.reports: list[tuple[str, bytes, str]] = []
        for name, keep in (
            ("joint_states", self._keep_state),
            ("joint_trajectory", self.trajectories.append),
            ("/diagnostics", self._keep_reports),
        ):
            topic = TOPICS[name]
            self.create_subscription(topic.message(), topic.name, keep, topic.quality.profile)
        told = ("listening", "speaking", "voice_activity", "visit_state", "gesture", "word", "stop", "joint_trajectory")
        self.senders = {
            name: self.create_publisher(TOPICS[name].message(), name, TOPICS[name].quality.profile) for name in told
        }

    def tell(self, topic: str, value: Any) -> None:
        self.senders[topic].publish(TOPICS[topic].message()(data=value))

    def said(self, level: bytes, words: str = "", part: str = "motors") -> bool:
        return any(name.endswith(f": {part}") and at == level and words in text for name, at, text in self.reports)

    @property
    def here(self) -> Positions:
        return self.positions[-1][1]

    def at_frame(self, name: str) -> bool:
        """Whether the joints are where a gesture ends."""
        wanted = gestures()[name].keyframes(self.here)[-1][1]
        return max(abs(a - b) for a, b in zip(self.here, wanted, strict=True)) < 0.02

    def _keep_state(self, message: Any) -> None:
        positions = positions_of(message)
        assert positions is not None
        self.positions.append((time.monotonic(), positions))
        self.velocities.append(tuple(message.velocity))

    def _keep_reports(self, message: Any) -> None:
        self.reports += [(status.name, status.level, status.message) for status in message.status]


class Robot:
    """A body, a simulator, and the rest."""

    def __init__(self, executor: Any, **parameters: Any) -> None:
        self.body = Body(parameter_overrides=overrides(parameters))
        self.sim = Sim()
        self.rest = Conversation()
        for node in (self.body, self.sim, self.rest):
            executor.add_node(node)
        for node in (self.sim, self.body):
            assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
            assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        until(lambda: self.rest.positions)
        until(lambda: all(sender.get_subscription_count() for sender in self.rest.senders.values()))

    def end(self) -> None:
        for node in (self.body, self.sim):
            node.trigger_deactivate()
            node.trigger_cleanup()


@pytest.fixture
def graph(ros_domain: int) -> Iterator[Any]:
    os.environ["ROS_DOMAIN_ID"] = str(ros_domain)
    with spinning() as executor:
        yield executor


@pytest.fixture
def robot(graph: Any) -> Iterator[Robot]:
    robot = Robot(graph, retry_s=1.0)
    yield robot
    robot.end()


def moved(positions: list[tuple[float, Positions]], joint: int = 0) -> float:
    """How far a joint has gone to and fro."""
    values = [one[joint] for _, one in positions]
    return max(values) - min(values) if values else 0.0


def test_it_breathes_when_nothing_happens(robot: Robot) -> None:
    until(lambda: moved(robot.rest.positions) > 0.08)
    assert robot.rest.said(OK, "the joints follow")
    assert not robot.rest.said(ERROR)
    breath = robot.rest.trajectories[0]
    assert (breath.header.stamp.sec, breath.header.stamp.nanosec) == (0, 0)
    assert list(breath.joint_names) == list(JOINTS)


def test_it_leans_in_to_listen_and_nods_when_the_participant_has_spoken(robot: Robot) -> None:
    rest = robot.rest
    rest.tell("listening", True)
    until(lambda: rest.at_frame("listen"))
    count = len(rest.positions)
    rest.tell("voice_activity", True)
    rest.tell("voice_activity", False)
    lowest = gestures()["attend"].keyframes()[0][1][0]
    until(lambda: min([one[0] for _, one in rest.positions[count:]], default=0.0) < lowest + 0.03)
    until(lambda: rest.at_frame("listen"))
    rest.tell("listening", False)
    until(lambda: abs(rest.here[0]) < 0.06)


def test_it_moves_with_its_words(robot: Robot) -> None:
    rest = robot.rest
    rest.tell("speaking", True)
    until(
        lambda: rest.trajectories and 70 < len(rest.trajectories[-1].points) < 100
    )  # the sway takes four seconds, a breath nine
    before = len(rest.trajectories)
    rest.tell("word", json.dumps({"word": "hello", "place": 0, "seconds": 0.4}))
    until(lambda: len(rest.trajectories) > before)
    with_word, without = points_of(rest.trajectories[before], REST), points_of(rest.trajectories[before - 1], REST)
    dip = min(point.positions[0] for point in with_word[:8]) - with_word[0].positions[0]
    assert dip < -0.03
    assert with_word[-1].positions == pytest.approx(without[-1].positions, abs=1e-3)
    rest.tell("word", "not JSON")
    rest.tell("word", json.dumps({"seconds": None}))
    rest.tell("speaking", False)
    until(lambda: len(rest.trajectories) > before + 1)


def test_thinking_is_held_and_a_greeting_is_made_once(robot: Robot) -> None:
    rest = robot.rest
    rest.tell("gesture", "think")
    until(lambda: rest.at_frame("think"))
    count = len(rest.positions)
    until(lambda: len(rest.positions) > count + 50)
    assert moved(rest.positions[count:]) < 0.01
    told = len(rest.trajectories)
    for _ in range(3):
        rest.tell("gesture", "think")  # renewed, it goes on: nothing moves
    count = len(rest.positions)
    until(lambda: len(rest.positions) > count + 50)
    assert moved(rest.positions[count:]) < 0.01
    assert len(rest.trajectories) == told
    rest.tell("gesture", "greet")
    until(lambda: rest.here[0] > 0.2 and rest.here[1] > 0.2)
    until(lambda: rest.here[0] < -0.18)
    until(lambda: abs(rest.here[0]) < 0.06)
    rest.tell("gesture", "cartwheel")
    count = len(rest.positions)
    until(lambda: moved(rest.positions[count:]) > 0.05)  # it breathes on


def test_stop_wins_at_once_and_over_everything_until_it_is_taken_back(robot: Robot) -> None:
    rest = robot.rest
    rest.tell("gesture", "greet")
    until(lambda: max(abs(speed) for speed in rest.velocities[-1]) > 0.3)
    rest.tell("stop", True)
    told = time.monotonic()
    until(lambda: rest.said(WARNING, "stopped", part="motion"))
    for topic, value in (("gesture", "nod"), ("listening", True), ("speaking", True)):
        rest.tell(topic, value)
    rest.tell("word", json.dumps({"word": "no", "place": 0, "seconds": 0.4}))
    until(lambda: rest.positions[-1][0] > told + 1.5)
    still = [one for one in rest.positions if one[0] > told + 0.2]
    assert all(moved(still, joint) < 0.005 for joint in range(len(JOINTS)))
    rest.senders["joint_trajectory"].publish(trajectory([Point(0.5, (0.0, 0.0, 0.0, 1.0))]))
    until(lambda: rest.positions[-1][0] > told + 2.0)
    assert abs(rest.here[BASE] - still[0][1][BASE]) < 0.005  # neither does the simulator listen to anybody else
    rest.tell("speaking", False)
    rest.tell("stop", False)
    until(lambda: rest.at_frame("listen"))


def test_the_joints_are_never_faster_than_they_may_be(robot: Robot) -> None:
    rest = robot.rest
    for name in ("greet", "nod", "farewell", "think", "nod"):
        rest.tell("gesture", name)
        count = len(rest.positions)
        until(lambda seen=count: len(rest.positions) > seen + 45)  # each is broken off by the next
    rest.senders["joint_trajectory"].publish(trajectory([Point(0.01, (9.0, -9.0, 9.0, -9.0))]))
    count = len(rest.positions)
    until(lambda: len(rest.positions) > count + 45)
    for index, limit in enumerate(limits()):
        assert max(abs(one[index]) for one in rest.velocities) <= limit.velocity
        positions = [one[index] for _, one in rest.positions]
        assert limit.lower - 0.005 <= min(positions)
        assert max(positions) <= limit.upper + 0.005


def test_a_stuck_joint_is_an_error_until_it_moves_again(robot: Robot) -> None:
    rest = robot.rest
    robot.sim.set_parameters(overrides({"stuck": "tower_1"}))
    rest.tell("listening", True)
    until(lambda: rest.said(ERROR, "tower_1 does not follow"))
    count = len(rest.positions)
    until(lambda: len(rest.positions) > count + 20)
    assert moved(rest.positions[count + 5 :], BASE) < 0.005  # nothing else moves either
    rest.reports.clear()
    known = len(rest.trajectories)
    until(lambda: len(rest.trajectories) >= known + 4)  # it has been tried twice, and held again
    assert not rest.said(OK)
    robot.sim.set_parameters(overrides({"stuck": ""}))
    until(lambda: rest.said(OK, "the joints follow"))
    until(lambda: rest.at_frame("listen"))


def test_silence_of_the_joints_is_an_error_that_passes(robot: Robot) -> None:
    rest = robot.rest
    robot.sim.trigger_deactivate()
    until(lambda: rest.said(ERROR, "said nothing"))
    count = len(rest.trajectories)
    rest.reports.clear()
    rest.tell("gesture", "nod")
    until(lambda: rest.said(ERROR))
    assert len(rest.trajectories) == count
    robot.sim.trigger_activate()
    until(lambda: rest.said(OK, "the joints follow"))
    until(lambda: len(rest.trajectories) > count)


def test_after_a_jump_of_ros_time_it_goes_on_from_where_the_joints_are(graph: Any) -> None:
    from builtin_interfaces.msg import Time
    from rosgraph_msgs.msg import Clock

    robot = Robot(graph, use_sim_time=True)
    rest = robot.rest
    clock = rest.create_publisher(Clock, "/clock", 10)
    now = [1000]
    rest.create_timer(0.1, lambda: clock.publish(Clock(clock=Time(sec=now[0]))))
    until(lambda: robot.body.get_clock().now().nanoseconds > 0)
    rest.tell("listening", True)
    until(lambda: rest.at_frame("listen"))
    assert not rest.said(WARNING, part="clock")
    now[0] = 3  # as when a simulated world is set back
    until(lambda: rest.said(WARNING, "ROS time jumped by -997.0 s", part="clock"))
    known = len(rest.trajectories)
    until(lambda: len(rest.trajectories) > known)
    rest.tell("listening", False)
    until(lambda: moved(rest.positions[-50:]) > 0.02)
    assert not rest.said(ERROR)
    robot.end()


def test_without_a_driver_nothing_moves_and_nothing_is_missed(graph: Any) -> None:
    body, rest = Body(parameter_overrides=overrides({"driver": "none", "silence_s": 0.2})), Conversation()
    graph.add_node(body)
    graph.add_node(rest)
    body.trigger_configure()
    body.trigger_activate()
    until(lambda: rest.said(OK, "no body"))
    rest.tell("stop", True)
    rest.tell("stop", False)
    rest.tell("gesture", "nod")
    rest.reports.clear()
    until(lambda: rest.said(OK, "no body"))  # a second later
    assert not rest.trajectories
    assert not rest.said(ERROR)
    body.trigger_deactivate()
    body.trigger_cleanup()


def test_a_driver_that_does_not_exist_is_refused(graph: Any) -> None:
    with pytest.raises(ValueError, match="driver of body is one of none, mujoco"):
        Body(parameter_overrides=overrides({"driver": "steam"}))
    body = Body()
    graph.add_node(body)
    (answer,) = body.set_parameters(overrides({"driver": "steam"}))
    assert (answer.successful, answer.reason.partition(", ")[0]) == (False, "driver is one of none")
    (answer,) = body.set_parameters(overrides({"driver": "gazebo"}))
    assert answer.successful
    assert body.value("driver") == "gazebo"


def test_the_simulator_draws_while_it_keeps_time(graph: Any, tmp_path: Path) -> None:
    picture = tmp_path / "robot.png"
    sim, rest = Sim(parameter_overrides=overrides({"picture": str(picture), "picture_s": 0.5})), Conversation()
    graph.add_node(sim)
    graph.add_node(rest)
    if sim.trigger_configure() != TransitionCallbackReturn.SUCCESS:
        pytest.skip("this machine cannot draw")
    sim.trigger_activate()
    until(lambda: rest.positions)
    drawn = picture.stat().st_mtime_ns
    until(lambda: picture.stat().st_mtime_ns != drawn and len(rest.positions) > 100)
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    begun, ended = rest.positions[0][0], rest.positions[-1][0]
    # At 50 Hz, or a little less on a busy machine; a picture takes as long as ten states.
    assert 25 < (len(rest.positions) - 1) / (ended - begun) < 60
    sim.trigger_deactivate()
    sim.trigger_cleanup()


def test_a_window_without_a_display_is_refused_in_words(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    sim, rest = Sim(parameter_overrides=overrides({"window": True})), Conversation()
    graph.add_node(sim)
    graph.add_node(rest)
    assert sim.trigger_configure() == TransitionCallbackReturn.FAILURE
    until(lambda: rest.said(ERROR, "no display", part="simulator"))


def test_joints_may_come_in_any_order_and_with_others() -> None:
    from sensor_msgs.msg import JointState

    message = JointState(name=["ear", "base", *JOINTS[:3]], position=[9.0, 0.4, 0.1, 0.2, 0.3])
    assert positions_of(message) == (0.1, 0.2, 0.3, 0.4)
    assert positions_of(JointState(name=["base"], position=[0.4])) is None
    assert positions_of(JointState(name=list(JOINTS), position=[float("nan")] * 4)) is None


@pytest.mark.parametrize("change", ["unknown", "twice", "short", "infinite", "none"])
def test_a_trajectory_that_makes_no_sense_is_refused(change: str) -> None:
    message = trajectory([Point(1.0, (0.1, 0.2, 0.3, 0.4))])
    assert points_of(message, REST) == [Point(1.0, (0.1, 0.2, 0.3, 0.4))]
    match change:
        case "unknown":
            message.joint_names[0] = "tail"
        case "twice":
            message.joint_names[0] = "base"
        case "short":
            message.points[0].positions = [0.1]
        case "infinite":
            message.points[0].positions = [float("inf"), 0.0, 0.0, 0.0]
        case "none":
            message.points = []
    with pytest.raises(ValueError, match="trajectory"):
        points_of(message, REST)

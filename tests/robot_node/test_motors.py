"""The node of the real motors, with motors that only pretend, behind a port of the operating system's."""

import os
import time
from collections.abc import Callable, Iterator
from math import pi
from pathlib import Path
from typing import Any

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node

from robot_node.body.dynamixel import FAMILIES, Family
from robot_node.body.joints import JOINTS, limits
from robot_node.body.motion import Point
from robot_node.joint_messages import trajectory
from robot_node.motors import Motors
from robot_node.node import overrides
from robot_node.running import spinning
from robot_node.topics import TOPICS
from tests.robot_node.fake_dynamixel import FakeBus, FakeMotor, crc

GEARS = (4.1, 4.1, 4.1, 1.0)


def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


class Other(Node):
    """The rest of the robot: tells the motors where to go, and keeps what they and the diagnostics say."""

    def __init__(self) -> None:
        super().__init__("other")
        self.states: list[tuple[float, Any]] = []
        self.reports: list[tuple[bytes, str]] = []
        for name, keep in (("joint_states", self._keep_state), ("/diagnostics", self._keep_reports)):
            topic = TOPICS[name]
            self.create_subscription(topic.message(), topic.name, keep, topic.quality.profile)
        self.senders = {
            name: self.create_publisher(TOPICS[name].message(), name, TOPICS[name].quality.profile)
            for name in ("joint_trajectory", "stop")
        }

    def go(self, *positions: float, seconds: float = 0.5) -> None:
        self.senders["joint_trajectory"].publish(trajectory([Point(seconds, positions)]))

    def stop(self, on: bool) -> None:
        self.senders["stop"].publish(TOPICS["stop"].message()(data=on))

    def said(self, level: bytes, words: str) -> bool:
        return any(report[0] == level and words in report[1] for report in self.reports)

    def _keep_state(self, message: Any) -> None:
        self.states.append((time.monotonic(), message))

    def _keep_reports(self, message: Any) -> None:
        self.reports += [(status.level, status.message) for status in message.status if ": motors" in status.name]


OK, ERROR = b"\x00", b"\x02"


@pytest.fixture(params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


@pytest.fixture
def bus(tmp_path: Path, family: Family) -> Iterator[FakeBus]:
    bus = FakeBus(tmp_path, family, (family.middle,) * 4)
    yield bus
    bus.unplug()


@pytest.fixture
def graph(ros_domain: int) -> Iterator[Any]:
    os.environ["ROS_DOMAIN_ID"] = str(ros_domain)
    with spinning() as executor:
        yield executor


@pytest.fixture
def robot(graph: Any, bus: FakeBus, family: Family) -> Iterator[tuple[Motors, Other]]:
    name = next(name for name, one in FAMILIES.items() if one is family)
    values = {"port": str(bus.path), "model": name, "zeros": [0.0] * 4, "gears": list(GEARS), "retry_s": 0.2}
    node, other = Motors(parameter_overrides=overrides(values)), Other()
    graph.add_node(node)
    graph.add_node(other)
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    until(lambda: other.states and other.senders["joint_trajectory"].get_subscription_count())
    yield node, other
    node.trigger_deactivate()
    node.trigger_cleanup()


def angle(motor: FakeMotor, index: int) -> float:
    return motor.family.to_angle(motor.position) / GEARS[index]


def test_the_check_sum_is_that_of_the_protocol() -> None:
    # The example of the protocol's description: a ping to motor 1.
    assert crc(bytes.fromhex("FFFFFD00010300 01")) == 0x4E19


def test_the_motors_go_where_the_trajectory_says(robot: tuple[Motors, Other], bus: FakeBus) -> None:
    wanted = (0.2, -0.1, 0.1, 0.5)
    robot[1].go(*wanted)
    for index, motor in enumerate(bus.motors.values()):
        step = motor.family.span / motor.family.ticks
        until(lambda i=index, m=motor, s=step: abs(angle(m, i) - wanted[i]) < s)
    until(lambda: max(abs(a - b) for a, b in zip(robot[1].states[-1][1].position, wanted, strict=True)) < 0.01)
    assert all(motor.stiff for motor in bus.motors.values())


def test_they_take_no_step_that_is_too_far_or_too_fast(robot: tuple[Motors, Other], bus: FakeBus) -> None:
    begun = len(robot[1].states)
    for motor in bus.motors.values():
        motor.speed = motor.family.ticks * 1000  # the motors themselves would go at once
    robot[1].go(9.0, -9.0, 9.0, -9.0, seconds=0.01)
    ends = [limit.upper if index % 2 == 0 else limit.lower for index, limit in enumerate(limits())]
    until(lambda: max(abs(a - b) for a, b in zip(robot[1].states[-1][1].position, ends, strict=True)) < 0.01)
    seen = robot[1].states[begun:]
    for index, limit in enumerate(limits()):
        positions = [message.position[index] for _, message in seen]
        assert limit.lower - 0.006 <= min(positions)
        assert max(positions) <= limit.upper + 0.006
        moving = [moment for moment, message in seen if 0.01 < abs(message.position[index]) < abs(ends[index]) - 0.01]
        assert moving[-1] - moving[0] > (abs(ends[index]) - 0.02) / limit.velocity - 0.1


def test_stop_holds_them_at_once_and_until_it_is_taken_back(robot: tuple[Motors, Other], bus: FakeBus) -> None:
    other = robot[1]
    other.go(0.0, 0.0, 0.0, 1.1, seconds=3.0)
    until(lambda: abs(angle(bus.motors[4], 3)) > 0.2)
    other.stop(True)
    begun = time.monotonic()
    seen = bus.motors[4].position
    still_since = begun
    while time.monotonic() - begun < 0.7:
        if bus.motors[4].position != seen:
            seen, still_since = bus.motors[4].position, time.monotonic()
        time.sleep(0.005)
    assert still_since - begun < 0.2
    other.go(0.0, 0.0, 0.0, -0.5)
    time.sleep(0.3)  # long enough for ten rounds on the bus, in which nothing may happen
    assert abs(bus.motors[4].position - seen) <= 1
    assert bus.motors[4].stiff
    other.stop(False)
    until(lambda: other.go(0.0, 0.0, 0.0, -0.5) or angle(bus.motors[4], 3) < 0.0)


def test_one_lost_answer_is_nothing_and_a_silent_motor_is_an_error_that_passes(
    robot: tuple[Motors, Other], bus: FakeBus
) -> None:
    other = robot[1]
    bus.noise = 2
    until(lambda: not bus.noise)
    count = len(other.states)
    until(lambda: len(other.states) > count + 5)
    assert not other.said(ERROR, "")
    bus.motors[2].silent = True
    until(lambda: other.said(ERROR, "motor 2 (tower_2) does not answer"))
    until(lambda: not bus.motors[1].stiff)
    other.reports.clear()
    bus.motors[2].silent = False
    until(lambda: other.said(OK, "the motors answer"))
    until(lambda: all(motor.stiff for motor in bus.motors.values()))


def test_a_fault_that_a_motor_reports_is_named(robot: tuple[Motors, Other], bus: FakeBus, family: Family) -> None:
    bit = next(bit for bit, text in family.faults.items() if text == "overheating")
    bus.motors[1].put(family.error, 1 << bit)
    until(lambda: robot[1].said(ERROR, "motor 1 (tower_1) reports overheating"))
    until(lambda: not any(motor.stiff for motor in bus.motors.values()))


def test_a_port_that_goes_and_comes_back(robot: tuple[Motors, Other], bus: FakeBus) -> None:
    other = robot[1]
    bus.unplug()
    until(lambda: other.said(ERROR, "port"))
    other.reports.clear()
    bus.plug()
    until(lambda: other.said(OK, "the motors answer"))
    until(lambda: other.go(0.0, 0.0, 0.0, 0.4) or angle(bus.motors[4], 3) > 0.3)


def test_inactive_they_are_limp(robot: tuple[Motors, Other], bus: FakeBus) -> None:
    assert all(motor.stiff for motor in bus.motors.values())
    robot[0].trigger_deactivate()
    assert not any(motor.stiff for motor in bus.motors.values())
    robot[0].trigger_activate()
    until(lambda: all(motor.stiff for motor in bus.motors.values()))


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("ids", [1, 2, 3], "4 values"),
        ("ids", [1, 2, 3, 3], "different"),
        ("directions", [1, 1, 1, 2], "1 or -1"),
        ("gears", [1.0, 1.0, 1.0, 0.0], "above 0"),
    ],
)
def test_what_cannot_be_is_refused(graph: Any, name: str, values: list[Any], words: str) -> None:
    node, other = Motors(parameter_overrides=overrides({name: values})), Other()
    graph.add_node(node)
    graph.add_node(other)
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    until(lambda: other.said(ERROR, words))


def test_a_motor_angle_and_a_joint_angle_are_told_apart() -> None:
    from robot_node.body.dynamixel import Mounting

    mounted = Mounting(id=1, direction=-1, zero=0.87, gear=4.1)
    assert mounted.to_motor(0.1) == pytest.approx(0.46)
    assert mounted.to_joint(mounted.to_motor(0.1)) == pytest.approx(0.1)
    assert FAMILIES["XL-320"].to_ticks(0.0) == 512
    assert FAMILIES["XL330-M288"].to_ticks(pi / 2) == 3072
    assert len(JOINTS) == 4

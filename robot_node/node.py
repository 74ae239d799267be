"""What the robot's nodes share: lifecycle, parameters from their YAML file, topics from the table, diagnostics."""

import secrets
import threading
import time
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.parameter import Parameter

from robot_node.topics import TOPICS

__all__ = ["RobotNode", "parameters_of"]

LEVELS = {"ok": DiagnosticStatus.OK, "warning": DiagnosticStatus.WARN, "error": DiagnosticStatus.ERROR}

FORWARD_S, BACKWARD_S = 5.0, 0.5
"""A step of ROS time that is larger is a jump: simulators set their clock back, and forth when they were held up."""

REMEMBER_S = 60.0
"""A jump of ROS time is shown in the diagnostics for so long."""


@cache
def parameters_of(node: str) -> dict[str, dict[str, Any]]:
    """The parameters of the node called `node`, by name, as its YAML file has them.

    The files are in the format of ROS's generate_parameter_library: `type`, `default_value`, `description`, and under
    `validation` a range (`bounds<>`) or the values that are allowed (`one_of<>`).
    """
    text = (resources.files("robot_node") / "parameters" / f"{node}.yaml").read_text(encoding="utf-8")
    parameters: dict[str, dict[str, Any]] = yaml.safe_load(text)[node]
    return parameters


def allowed(rules: dict[str, Any]) -> str:
    """What a parameter may be, in words; empty when anything may."""
    validation = rules.get("validation", {})
    if "bounds<>" in validation:
        low, high = validation["bounds<>"]
        return f"{low} to {high}"
    return ", ".join(f"`{value}`" for value in validation.get("one_of<>", [[]])[0])


class RobotNode(LifecycleNode):
    """A node of the robot. Timers run on the steady clock: a jump of ROS time is reported and loses nothing.

    With the parameter `autostart` the node configures and activates itself, also after it was started again.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        for parameter, rules in parameters_of(name).items():
            self.declare_parameter(parameter, rules["default_value"], _descriptor(rules))
        self.declare_parameter(
            "autostart", False, ParameterDescriptor(description="configure and activate without being told")
        )
        for parameter, rules in parameters_of(name).items():
            choices = rules.get("validation", {}).get("one_of<>", [[]])[0]
            if choices and self.value(parameter) not in choices:
                raise ValueError(f"the parameter {parameter} of {name} is one of {', '.join(map(str, choices))}")
        self.add_on_set_parameters_callback(self._check)
        self.broken = threading.Event()
        """Set when nothing but another process of this node can go on; `main` then ends this one."""
        self._senders: dict[str, Any] = {}
        self._takers: dict[str, Callable[[Any], None]] = {}
        self._sent_at = self._stop_at = 0
        """When the message that is being taken was sent, and the one that said last whether to stop, in nanoseconds."""
        self._run = secrets.token_hex(4)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._reports: dict[str, tuple[str, str, dict[str, str]]] = {}
        self._reports_lock = threading.Lock()
        self._diagnostics = self.sends("/diagnostics")
        self._jump: float | None = None
        self._jumped_at: float | None = None
        threshold = JumpThreshold(
            min_forward=Duration(seconds=FORWARD_S),
            min_backward=Duration(seconds=-BACKWARD_S),
            on_clock_change=False,
        )
        self._jumps = self.get_clock().create_jump_callback(threshold, post_callback=self._on_jump)
        self.every(1.0, self._each_second)

    def value(self, parameter: str) -> Any:
        """The parameter's value."""
        return self.get_parameter(parameter).value

    # Publishers and subscriptions are made once and kept until the node ends: to take one away while the executor waits
    # for it would end the executor's thread.

    def sends(self, topic: str) -> Any:
        """The publisher of a topic in the table."""
        if topic not in self._senders:
            entry = TOPICS[topic]
            self._senders[topic] = self.create_publisher(entry.message(), entry.name, entry.quality.profile)
        return self._senders[topic]

    def takes(self, topic: str, callback: Callable[[Any], None]) -> None:
        """Give the messages of a topic in the table to `callback`, in place of the one before."""
        known = topic in self._takers
        self._takers[topic] = callback
        if not known:
            entry = TOPICS[topic]

            def take(message: Any, about: Any) -> None:
                self._sent_at = about["source_timestamp"]
                self._takers[topic](message)

            self.create_subscription(entry.message(), entry.name, take, entry.quality.profile)

    def takes_stop(self, callback: Callable[[bool], None]) -> None:
        """Give what the topic `stop` says to `callback`. A node that was not there when somebody said it, such as one
        that was started again, takes it from the others: whoever says stop need not stay to say it again."""
        told = self.sends("stopped")
        began = time.time_ns()

        def take(message: Any) -> None:
            live = self._sent_at >= began  # and not what somebody had said, and keeps for whoever comes late
            if self._sent_at < self._stop_at and not (live and message.data):
                return
            self._stop_at = self._sent_at
            callback(message.data)
            if live:
                told.publish(message)  # nobody passes on but what was said to itself: so it goes round in no circle

        def learn(message: Any) -> None:
            if self._sent_at > self._stop_at:
                self._stop_at = self._sent_at
                callback(message.data)

        self.takes("stop", take)
        self.takes("stopped", learn)

    def every(self, seconds: float, callback: Callable[[], None]) -> Any:
        """A timer on the steady clock."""
        return self.create_timer(seconds, callback, clock=self._steady)

    def report(self, part: str, level: str, message: str, **values: object) -> None:
        """Say in the diagnostics how a part is: `ok`, `warning` or `error`. A change is published at once.

        Safe to call from any thread. Nothing a participant said belongs here.
        """
        entry = (level, message, {key: str(value) for key, value in values.items()})
        with self._reports_lock:
            before = self._reports.get(part)
            self._reports[part] = entry
        if before is None or before[:2] != entry[:2]:
            if level == "error":
                self.get_logger().error(f"{part}: {message}")
            self._publish_reports()

    def time_jumped(self) -> None:
        """Called when ROS time has jumped; what a node does then, it does here."""

    def autostart(self) -> bool:
        """Configure and activate if the parameter says so; whether the node is as far as it should be."""
        if not self.value("autostart"):
            return True
        if self._lifecycle_state == "unconfigured":
            self.trigger_configure()
        if self._lifecycle_state == "inactive":
            self.trigger_activate()
        return self._lifecycle_state == "active"

    def autostop(self) -> None:
        """Deactivate and clean up, as far as that is due."""
        if self._lifecycle_state == "active":
            self.trigger_deactivate()
        if self._lifecycle_state == "inactive":
            self.trigger_cleanup()

    @property
    def _lifecycle_state(self) -> str:
        label: str = self._state_machine.current_state[1]
        return label

    def _check(self, parameters: list[Any]) -> Any:
        """Refuse a value that the parameter's file does not list, also while the node runs; ROS checks the ranges."""
        for parameter in parameters:
            choices = parameters_of(self.get_name()).get(parameter.name, {}).get("validation", {}).get("one_of<>", [[]])
            if choices[0] and parameter.value not in choices[0]:
                reason = f"{parameter.name} is one of {', '.join(map(str, choices[0]))}"
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    def _on_jump(self, jump: Any) -> None:
        # Taken in a moment later: no other callback of the clock may wait for this one.
        seconds = jump.delta.nanoseconds / 1e9
        if self.get_clock().now().nanoseconds / 1e9 - seconds > 0:  # from 0, ROS time only begins
            self._jump = seconds

    def _each_second(self) -> None:
        if self._jump is not None:
            seconds, self._jump = self._jump, None
            self._jumped_at = time.monotonic()
            self.report("clock", "warning", f"ROS time jumped by {seconds:+.1f} s; nothing here counts on it")
            self.time_jumped()
        elif self._jumped_at is not None and time.monotonic() - self._jumped_at > REMEMBER_S:
            self._jumped_at = None
            self.report("clock", "ok", "ROS time is steady")
        self._publish_reports()

    def _publish_reports(self) -> None:
        with self._reports_lock:
            reports = dict(self._reports)
        name = self.get_fully_qualified_name()
        array = DiagnosticArray()
        array.header.stamp = self.get_clock().now().to_msg()
        array.status = [
            DiagnosticStatus(
                level=LEVELS[level],
                name=f"{name}: {part}",
                message=message,
                hardware_id=self.get_namespace(),
                values=[KeyValue(key=key, value=value) for key, value in ({"run": self._run} | values).items()],
            )
            for part, (level, message, values) in reports.items()
        ]
        self._diagnostics.publish(array)


def _descriptor(rules: dict[str, Any]) -> Any:
    descriptor = ParameterDescriptor(description=rules["description"], additional_constraints=allowed(rules))
    bounds = rules.get("validation", {}).get("bounds<>")
    if bounds and rules["type"] == "double":
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(bounds[0]), to_value=float(bounds[1]))]
    elif bounds:
        descriptor.integer_range = [IntegerRange(from_value=int(bounds[0]), to_value=int(bounds[1]), step=1)]
    return descriptor


def overrides(values: dict[str, Any]) -> list[Any]:
    """Parameters for a node's constructor."""
    return [Parameter(name, value=value) for name, value in values.items()]

"""What the robot's nodes share: lifecycle, parameters from their YAML file, topics from the table, diagnostics."""

import secrets
import threading
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.parameter import Parameter

from robot_node.topics import TOPICS

__all__ = ["RobotNode", "parameters_of"]

LEVELS = {"ok": DiagnosticStatus.OK, "warning": DiagnosticStatus.WARN, "error": DiagnosticStatus.ERROR}

_TYPES = {"string": str, "bool": bool, "double": float, "int": int}


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
    """A node of the robot. Timers run on the steady clock: a jump of ROS time changes nothing.

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
        self._senders: dict[str, Any] = {}
        self._takers: dict[str, Callable[[Any], None]] = {}
        self._run = secrets.token_hex(4)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._reports: dict[str, tuple[str, str, dict[str, str]]] = {}
        self._reports_lock = threading.Lock()
        self._diagnostics = self.sends("/diagnostics")
        self.every(1.0, self._publish_reports)

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

            def take(message: Any) -> None:
                self._takers[topic](message)

            self.create_subscription(entry.message(), entry.name, take, entry.quality.profile)

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

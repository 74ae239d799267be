"""The node `motors`: a Blossom's four Dynamixel motors."""

import threading
import time
from typing import Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from robot_node.body.dynamixel import FAMILIES, Bus, MotorError, Mounting
from robot_node.body.follower import TrajectoryFollower
from robot_node.body.joints import JOINTS, REST, Positions
from robot_node.joint_messages import points_of, state
from robot_node.node import RobotNode

__all__ = ["Motors"]


class Motors(RobotNode):
    """Takes `joint_trajectory`, publishes `joint_states`, obeys `stop`. Active, it talks to the motors in a thread.

    The motors are stiff while the node is active and limp otherwise, also after a fault. It looks for lost motors again
    and again; found, they hold where they are until a new trajectory comes.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("motors", **options)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._follower: TrajectoryFollower | None = None
        self._positions: Positions = REST

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self._mountings = self._read_mountings()
        except ValueError as error:
            self.report("motors", "error", str(error))
            return TransitionCallbackReturn.FAILURE
        self._states = self.sends("joint_states")
        self.takes("joint_trajectory", self._on_trajectory)
        self.takes_stop(self._on_stop)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._ending.clear()
        self._thread = threading.Thread(target=self._drive, name="motors", daemon=True)
        self._thread.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_thread()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_thread()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_thread()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        self._end_thread()
        super().destroy_node()

    def _read_mountings(self) -> list[Mounting]:
        lists = {name: list(self.value(name)) for name in ("ids", "directions", "zeros", "gears")}
        for name, values in lists.items():
            if len(values) != len(JOINTS):
                raise ValueError(f"the parameter {name} needs {len(JOINTS)} values: {', '.join(JOINTS)}")
        if len(set(lists["ids"])) != len(JOINTS) or not all(0 <= one <= 252 for one in lists["ids"]):
            raise ValueError("the parameter ids needs four different numbers from 0 to 252")
        if not all(one in (1, -1) for one in lists["directions"]) or not all(one > 0 for one in lists["gears"]):
            raise ValueError("directions are 1 or -1, and gears are above 0")
        return [Mounting(*values) for values in zip(*lists.values(), strict=True)]

    # Callbacks of the executor

    def _on_trajectory(self, message: Any) -> None:
        with self._lock:
            if self._stopped or self._follower is None:
                return
            now = time.monotonic()
            try:
                self._follower.follow(points_of(message, self._follower.at(now)), now)
            except ValueError as error:
                self.report("trajectory", "warning", str(error))

    def _on_stop(self, on: bool) -> None:
        with self._lock:
            if on and not self._stopped and self._follower is not None:
                self._follower.hold(self._positions, time.monotonic())
            self._stopped = on
        self._hurry.set()

    # The bus, in a thread of its own: every answer is waited for

    def _drive(self) -> None:
        while not self._ending.is_set():
            try:
                bus = self._open()
            except MotorError as error:
                self.report("motors", "error", str(error))
                self._ending.wait(self.value("retry_s"))
                continue
            try:
                self._exchange(bus)
            except MotorError as error:
                self.report("motors", "error", str(error))
            finally:
                with self._lock:
                    self._follower = None
                self._relax(bus)

    def _open(self) -> Bus:
        return Bus(
            self.value("port"), self.value("baud"), FAMILIES[self.value("model")], self._mountings, self.value("force")
        )

    def _exchange(self, bus: Bus) -> None:
        """Send goals and read positions until the node ends or the motors fail."""
        before = due = time.monotonic()
        while not self._ending.is_set():
            positions = bus.read()
            now = time.monotonic()
            if positions is not None:
                self._take(positions, now - before)
                before = now
            with self._lock:
                wanted = None if self._follower is None else self._follower.at(now)
            if wanted is not None:
                bus.send(wanted)
            due = max(due + 1 / self.value("rate_hz"), time.monotonic())
            self._hurry.wait(due - time.monotonic())
            self._hurry.clear()

    def _take(self, positions: Positions, passed: float) -> None:
        with self._lock:
            if self._follower is None:
                self._follower = TrajectoryFollower(positions, time.monotonic())
                velocities = REST
                self.report("motors", "ok", "the motors answer")
            else:
                velocities = tuple((new - old) / passed for old, new in zip(self._positions, positions, strict=True))
            self._positions = positions
        self._states.publish(state(positions, velocities, self.get_clock().now().to_msg()))

    def _relax(self, bus: Bus) -> None:
        try:
            bus.relax()
        except MotorError as error:
            self.get_logger().warning(f"the torque could not be switched off everywhere: {error}")
        bus.close()

    def _end_thread(self) -> None:
        self._ending.set()
        self._hurry.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

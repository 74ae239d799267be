"""The node `body`: moves the robot with what happens in the conversation, and watches that the joints follow."""

import json
import threading
import time
from typing import Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from robot_node.body.bearing import Bearing
from robot_node.body.follower import TrajectoryFollower
from robot_node.body.gestures import gestures
from robot_node.body.joints import JOINTS, Positions, clamped
from robot_node.body.motion import Point, Pulse, brake, guarded, plan, pulse, with_pulses
from robot_node.body.watch import Watch
from robot_node.joint_messages import positions_of, trajectory
from robot_node.node import RobotNode

__all__ = ["Body"]

TICK_S = 0.05

HOLD_S = 0.05
"""A trajectory that holds needs a moment that lies ahead: some drivers refuse one that is past when it arrives."""

PROBE_S = 0.8


class Body(RobotNode):
    """Makes gestures while it is active: it breathes, leans in, nods, and moves with its words.

    `stop` wins over everything; then comes a fault of the joints, and then what Bearing says.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("body", **options)
        self._lock = threading.RLock()
        self._bearing = Bearing()
        self._stopped = False
        self._active = False
        self._fault: str | None = None
        """`silent`, or the joint that does not follow."""
        self._probe: tuple[float, Positions] | None = None
        self._probe_at = 0.0
        self._follower: TrajectoryFollower | None = None
        """Where the joints were told to be; None before they have said where they are."""
        self._name: str | None = None
        self._plan: list[Point] = []
        self._pulses: list[Pulse] = []
        self._forget_plan()
        self.every(TICK_S, self._tick)

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._driven = self.value("driver") != "none"
        self._trajectories = self.sends("joint_trajectory")
        self.takes("joint_states", self._on_joint_states)
        self.takes_stop(self._on_stop)
        self.takes("listening", self._tells(lambda message: self._bearing.listening(message.data)))
        self.takes("speaking", self._tells(lambda message: self._bearing.speaking(message.data)))
        self.takes("voice_activity", self._tells(lambda message: self._bearing.voice(message.data)))
        self.takes("visit_state", self._tells(lambda message: self._bearing.visit_state(message.data)))
        self.takes("gesture", self._on_gesture)
        self.takes("word", self._on_word)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        now = time.monotonic()
        with self._lock:
            self._watch = Watch(self.value("silence_s"), self.value("deviation_rad"), self.value("deviation_s"), now)
            self._fault = None
            self._follower = None
            self._forget_plan()
            self._active = True
        if not self._driven:
            self.report("motors", "ok", "none: the robot has no body")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._rest()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._rest()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._rest()
        return TransitionCallbackReturn.SUCCESS

    def _rest(self) -> None:
        """Come to a stand, and make no more gestures."""
        with self._lock:
            if self._active and self._follower is not None and not self._stopped and self._fault is None:
                here = self._follower.at(time.monotonic())
                self._send(brake(here, self._follower.velocities))
            self._active = False

    # What happens around the robot

    def time_jumped(self) -> None:
        """A simulated world that was set back has its joints elsewhere: go on from where they say that they are."""
        with self._lock:
            if self._active and self._fault is None:
                self._forget_plan()
                self._watch.forget()
                self._follower = None

    def _tells(self, tell: Any) -> Any:
        def callback(message: Any) -> None:
            with self._lock:
                tell(message)

        return callback

    def _on_gesture(self, message: Any) -> None:
        with self._lock:
            if self._stopped:
                return
            made = self._name == message.data == self._bearing.gesture
            try:
                self._bearing.ask(message.data)
            except KeyError:
                self.get_logger().warning(f"there is no gesture {message.data!r}; they are {', '.join(gestures())}")
                return
            if made and gestures()[message.data].hold:
                return  # it stays in it
            self._name = None  # also the one under way begins anew

    def _on_word(self, message: Any) -> None:
        try:
            seconds = float(json.loads(message.data)["seconds"])
        except (ValueError, KeyError, TypeError):
            return
        with self._lock:
            self._tick()  # the first word comes together with the news that the robot speaks
            if not self._moving or self._name is None or self._bearing.gesture != self._name:
                return
            now = time.monotonic()
            beat = pulse(gestures()[self._name], self._words, seconds, now)
            if beat is None:
                return
            self._words += 1
            self._pulses = [*[one for one in self._pulses if one.start + one.seconds > now][-2:], beat]
            assert self._follower is not None  # noqa: S101 - it moves
            shifted = [Pulse(one.start - now, one.seconds, one.positions) for one in self._pulses]
            self._send(with_pulses(self._plan, now - self._since, shifted, self._follower.at(now)))

    def _on_joint_states(self, message: Any) -> None:
        positions = positions_of(message)
        with self._lock:
            if positions is None or not self._active:
                return
            now = time.monotonic()
            self._watch.measured(positions, now)
            if self._follower is None:
                self._follower = TrajectoryFollower(positions, now)
                self.report("motors", "ok", "the joints follow")
                if self._stopped:
                    self._hold()

    def _on_stop(self, on: bool) -> None:
        with self._lock:
            if on == self._stopped:
                return
            self._stopped = on
            self.report("motion", "warning" if on else "ok", "stopped" if on else "moving")
            if self._active and self._driven:
                self._hold()

    # Motion

    @property
    def _moving(self) -> bool:
        may = self._active and self._driven and not self._stopped
        return may and self._fault is None and self._follower is not None

    def _tick(self) -> None:
        with self._lock:
            if not self._active or not self._driven or self._stopped:
                return
            now = time.monotonic()
            self._look_after_joints(now)
            if not self._moving:
                return
            if self._bearing.asked and self._name == self._bearing.gesture and now >= self._since + self._length:
                self._bearing.finished()
            wanted = gestures()[self._bearing.gesture]
            over = wanted.repeat and now >= self._since + self._length - TICK_S
            if wanted.name != self._name or over:
                self._begin(wanted.name, now)

    def _begin(self, name: str, now: float) -> None:
        assert self._follower is not None  # noqa: S101 - it moves
        here = self._follower.at(now)
        self._plan = plan(gestures()[name], here, self._follower.velocities)
        self._name, self._since, self._length = name, now, self._plan[-1].seconds
        self._pulses = []
        self._send(self._plan)

    def _send(self, points: list[Point]) -> None:
        assert self._follower is not None  # noqa: S101 - nothing is sent before the joints have said where they are
        self._follower.follow(points, time.monotonic())
        self._trajectories.publish(trajectory(points))

    def _hold(self) -> None:
        """Stay where the joints are, and forget what was under way."""
        self._forget_plan()
        self._watch.forget()
        if self._watch.positions is None or self._follower is None:
            return
        here = clamped(self._watch.positions)
        self._follower.hold(here, time.monotonic())
        self._trajectories.publish(trajectory([Point(HOLD_S, here)]))

    def _forget_plan(self) -> None:
        self._name = None
        self._plan = []
        self._since = self._length = 0.0
        self._pulses = []
        self._words = 0

    # Faults

    def _look_after_joints(self, now: float) -> None:
        if self._watch.silent(now):
            if self._fault != "silent":
                self._fault = "silent"
                self._hold()
                self.report("motors", "error", "the joints have said nothing of themselves for too long")
        elif self._fault == "silent":
            self._fault = None
            self._hold()
            self.report("motors", "ok", "the joints follow")
        elif self._follower is None:
            return
        elif self._fault is not None:
            self._try_again(self._fault, now)
        elif joint := self._watch.lagging(self._follower.at(now), now):
            self._fault = joint
            self._hold()
            self._probe = None
            self._probe_at = now + self.value("retry_s")
            self.report("motors", "error", f"{joint} does not follow", joint=joint)

    def _try_again(self, joint: str, now: float) -> None:
        """Move a joint that did not follow a little, towards the middle, and see whether it does now."""
        assert self._follower is not None  # noqa: S101 - its joints were there
        assert self._watch.positions is not None  # noqa: S101
        index = JOINTS.index(joint)
        if now < self._probe_at:
            return
        if self._probe is None:
            here = clamped(self._watch.positions)
            way = self.value("deviation_rad") * (-1 if here[index] > 0 else 1)
            there = tuple(p + way * (i == index) for i, p in enumerate(here))
            self._follower.hold(here, now)
            self._send(guarded([Point(0.0, here), Point(PROBE_S, there)], here))
            self._probe, self._probe_at = (here[index], clamped(there)), now + 2 * PROBE_S
            return
        (before, there), self._probe = self._probe, None
        moved = abs(self._watch.positions[index] - before) > abs(there[index] - before) / 2
        self._hold()
        self._probe_at = now + self.value("retry_s")
        if moved:
            self._fault = None
            self.report("motors", "ok", "the joints follow")

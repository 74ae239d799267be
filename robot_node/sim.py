"""The node `sim`: the robot in MuJoCo, in real time, in place of motors."""

import os
import threading
import time
from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from robot_node.body.follower import TrajectoryFollower
from robot_node.body.joints import JOINTS, REST, Positions
from robot_node.body.scene import TIMESTEP_S, World, painter, render, write_png
from robot_node.joint_messages import points_of, state
from robot_node.node import RobotNode

__all__ = ["Sim", "render"]

PERIOD_S = 0.02
"""Joint states are published at 50 Hz."""

LATE_S = 0.25
"""A simulation later than this goes on from now, rather than hurrying after what it missed."""


class Sim(RobotNode):
    """Takes `joint_trajectory`, publishes `joint_states`, obeys `stop`. Active, it steps in a thread of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__("sim", **options)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._simulator: threading.Thread | None = None
        self._artist: threading.Thread | None = None
        self._drawn = threading.Event()
        self._no_pictures = threading.Event()
        self._stopped = False
        self._frozen: tuple[int, float] | None = None
        self._positions: Positions = REST

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        if self.value("window") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            self.report("simulator", "error", "there is no display for a window; set the parameter window to false")
            return TransitionCallbackReturn.FAILURE
        self._world = World()
        if self.value("picture") and not self._begin_pictures():
            return TransitionCallbackReturn.FAILURE
        self._follower = TrajectoryFollower(REST, time.monotonic())
        self._states = self.sends("joint_states")
        self.takes("joint_trajectory", self._on_trajectory)
        self.takes_stop(self._on_stop)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._ending.clear()
        with self._lock:
            self._follower.hold(self._world.positions, time.monotonic())
        self._simulator = threading.Thread(target=self._simulate, name="simulator", daemon=True)
        self._simulator.start()
        self.report("simulator", "ok", "running")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_simulation()
        self.report("simulator", "ok", "paused")
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_simulation()
        self._end_pictures()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_simulation()
        self._end_pictures()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        self._end_simulation()
        self._end_pictures()
        super().destroy_node()

    # Callbacks of the executor

    def _on_trajectory(self, message: Any) -> None:
        with self._lock:
            if self._stopped:
                return
            now = time.monotonic()
            try:
                self._follower.follow(points_of(message, self._follower.at(now)), now)
            except ValueError as error:
                self.report("trajectory", "warning", str(error))

    def _on_stop(self, on: bool) -> None:
        with self._lock:
            if on and not self._stopped:
                self._follower.hold(self._world.positions, time.monotonic())
            self._stopped = on

    # The simulation, in a thread of its own: it must not wait for anybody

    def _simulate(self) -> None:
        window = self._open_window() if self.value("window") else None
        moment = due = time.monotonic()
        while not self._ending.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            if now - moment > LATE_S:
                moment = now - PERIOD_S
            with self._lock:
                self._freeze(self.value("stuck"))
                while moment + TIMESTEP_S <= now:
                    moment += TIMESTEP_S
                    self._step(moment)
                self._positions = self._world.positions
                velocities = self._world.velocities
            self._states.publish(state(self._positions, velocities, self.get_clock().now().to_msg()))
            if window is not None and window.is_running():
                window.sync()
            due = max(due + PERIOD_S, time.monotonic())
        if window is not None:
            window.close()

    def _step(self, moment: float) -> None:
        wanted = self._follower.at(moment)
        if self._frozen is not None:
            index, position = self._frozen
            wanted = (*wanted[:index], position, *wanted[index + 1 :])
        self._world.step(wanted)

    def _freeze(self, name: str) -> None:
        """Keep the joint called `name` where it is; an empty name lets all move."""
        if name not in JOINTS:
            self._frozen = None
        elif self._frozen is None or JOINTS[self._frozen[0]] != name:
            index = JOINTS.index(name)
            self._frozen = (index, self._world.positions[index])

    def _open_window(self) -> Any:
        try:
            return self._world.window()
        except Exception as error:
            self.report("window", "error", f"no window could be opened: {error}")
            return None

    # Pictures, in another: they take as long as five steps of the robot

    def _begin_pictures(self) -> bool:
        """Whether a first picture could be drawn. Done before time counts: it takes a process half a second."""
        self._drawn.clear()
        self._no_pictures.clear()
        self._artist = threading.Thread(target=self._draw, name="pictures", daemon=True)
        self._artist.start()
        return self._drawn.wait(30) and not self._no_pictures.is_set()

    def _draw(self) -> None:
        path = Path(self.value("picture"))
        try:
            with painter(self._world.model) as paint:
                while True:
                    write_png(paint(self._positions), path)
                    self.report("picture", "ok", str(path))
                    self._drawn.set()
                    if self._no_pictures.wait(self.value("picture_s")):
                        return
        except (RuntimeError, OSError) as error:
            self.report("picture", "error", f"no picture of the robot: {error}")
            self._no_pictures.set()
            self._drawn.set()

    def _end_pictures(self) -> None:
        self._no_pictures.set()
        if self._artist is not None:
            self._artist.join(5)
            self._artist = None

    def _end_simulation(self) -> None:
        self._ending.set()
        if self._simulator is not None:
            self._simulator.join(5)
            self._simulator = None

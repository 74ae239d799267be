"""What the command `bedside robot` does: a robot's nodes, started without ROS's launch."""

import contextlib
from pathlib import Path
from typing import Any

from robot_node.description import robot_nodes
from robot_node.errors import RobotError
from robot_node.resume import state_file

__all__ = ["run_robot", "run_terminal"]


def run_robot(
    url: str,
    token: str,
    *,
    body: str = "mujoco",
    sound: bool = True,
    code: str | None = None,
    namespace: str = "",
    once: bool = False,
    parameters: Path | None = None,
) -> int:
    """Run the robot's nodes until the visit is over (`once`) or until told to stop; return the exit status."""
    from robot_node.running import EndSignal
    from robot_node.supervise import Supervisor

    companion: dict[str, Any] = {
        "url": url,
        "token": token,
        "code": code or "",
        "once": once,
        "resume": str(state_file(namespace)),
    }
    # A flag and no exception: one that is raised while a node is being started would leave that node behind.
    told_to_stop = EndSignal()
    nodes = robot_nodes(body, sound)
    with Supervisor(nodes, {"companion": companion}, namespace, parameters) as supervisor:
        print(f"Starting {', '.join(node.name for node in nodes)}, connected to {url}. Ctrl-C ends them.", flush=True)
        while not told_to_stop.wait(0.2):
            status = supervisor.watch()
            if status is not None:
                return status
    return 0


def run_terminal(url: str, token: str, *, code: str | None = None, namespace: str = "") -> int:
    """Hold one visit in text: the companion in this process, and this terminal as the participant."""
    from robot_node.logs import set_up
    from robot_node.running import spinning

    set_up()
    with spinning() as executor:
        from robot_node.client import Listener
        from robot_node.companion import Companion
        from robot_node.node import overrides
        from robot_node.terminal import talk

        values = {"url": url, "token": token, "code": code or "", "once": True}
        companion = Companion(namespace=namespace, parameter_overrides=overrides(values))
        listener = Listener(namespace=namespace)
        executor.add_node(companion)
        executor.add_node(listener)
        companion.trigger_configure()
        listener.wait_for_robot()
        companion.trigger_activate()
        with contextlib.suppress(KeyboardInterrupt):
            talk(companion, listener)
        companion.trigger_deactivate()
        companion.trigger_cleanup()
        if companion.failure is not None:
            raise RobotError(str(companion.failure))
    return 0

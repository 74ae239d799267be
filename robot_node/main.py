"""One node as a process: `python -m robot_node.main ear --ros-args -p autostart:=true`, or `ros2 run bedside node ear`.

With the parameter `autostart` it configures and activates itself, and tries again while that fails; otherwise it waits
for the lifecycle services. SIGINT and SIGTERM end it in order.
"""

import importlib
import os
import sys
from typing import Any

from robot_node.description import CLASSES, SUPERVISOR
from robot_node.errors import RobotError
from robot_node.logs import set_up
from robot_node.running import EndSignal, spinning

__all__ = ["main"]

RETRY_S = 2.0
LONGEST_RETRY_S = 30.0
"""Between two attempts to start, growing."""

BROKEN = 1
"""The exit status of a node that is to be started again."""


def main(arguments: list[str] | None = None) -> None:
    """Run the node that the first argument names; the rest are ROS's. Exits with 2 on what a user has to put right."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or given[0] not in CLASSES:
        print(f"usage: node NAME [--ros-args ...]; NAME is one of {', '.join(CLASSES)}", file=sys.stderr)
        sys.exit(2)
    set_up()
    ending = EndSignal()
    try:
        _run(given[0], given[1:], ending)
    except RobotError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    finally:
        ending.ignore()


def _run(name: str, ros_arguments: list[str], ending: EndSignal) -> None:
    from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

    with spinning(arguments=ros_arguments) as executor:
        module, _, class_name = CLASSES[name].partition(":")
        try:
            node: Any = getattr(importlib.import_module(module), class_name)()
        except (InvalidParameterTypeException, InvalidParameterValueException, ValueError) as error:
            raise RobotError(f"{name}: {str(error).splitlines()[0]}") from None
        executor.add_node(node)
        wait = RETRY_S
        while not node.autostart() and not ending.wait(wait):
            wait = min(2 * wait, LONGEST_RETRY_S)
        finished = getattr(node, "finished", None)
        supervisor = int(os.environ.get(SUPERVISOR, "0"))
        while not ending.wait(0.2):
            if node.broken.is_set():
                break
            if supervisor and os.getppid() != supervisor:
                break  # whoever started this node is gone, and nobody else ends it
            if finished is not None and finished.is_set() and node.value("autostart"):
                break  # the companion, after its only visit or when it cannot go on
        node.autostop()
        failure = getattr(node, "failure", None)
        if failure is not None:
            raise RobotError(str(failure))
        if node.broken.is_set():
            sys.exit(BROKEN)


if __name__ == "__main__":
    main()

"""Starting the robot's nodes without ROS's launch: what the command `bedside robot` does."""

from robot_node.errors import RobotError
from robot_node.running import spinning

__all__ = ["run_robot"]


def run_robot(
    url: str, token: str, *, text: bool, code: str | None = None, namespace: str = "", once: bool = False
) -> int:
    """Run the nodes until the visit is over (`once`, or `text`), or until told to stop; return the exit status.

    With `text`, this terminal is the participant.
    """
    with spinning() as executor:
        from rclpy.parameter import Parameter

        from robot_node.client import Listener
        from robot_node.companion import Companion

        values = {"url": url, "token": token, "code": code or "", "once": once or text}
        companion = Companion(
            namespace=namespace, parameter_overrides=[Parameter(name, value=value) for name, value in values.items()]
        )
        executor.add_node(companion)
        listener = None
        if text:
            listener = Listener(namespace=namespace)
            executor.add_node(listener)
        companion.trigger_configure()
        if listener is not None:
            listener.wait_for_robot()
        companion.trigger_activate()
        try:
            if listener is not None:
                from robot_node.terminal import talk

                talk(companion, listener)
            else:
                print(f"The robot is on its topics and connected to {url}. Ctrl-C ends it.", flush=True)
                while not companion.finished.wait(0.2):
                    pass
        except KeyboardInterrupt:
            pass
        companion.trigger_deactivate()
        companion.trigger_cleanup()
        if companion.failure is not None:
            raise RobotError(str(companion.failure))
    return 0

"""What the launch files share: the robot's arguments, and its nodes as actions of ROS's launch.

ROS's launch is no part of the Python packages that Bedside installs; this module is imported where launch is.
"""

from typing import Any

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import LifecycleNode

from robot_node.description import BODIES, robot_nodes
from robot_node.resume import state_file

__all__ = ["argument", "robot", "robot_arguments"]

RESPAWN_S = 1.0
"""Between a node's death and its next start."""


def argument(name: str, default: Any, description: str, choices: tuple[str, ...] = ()) -> Any:
    """A launch argument, as `--show-args` shows it."""
    return DeclareLaunchArgument(name, default_value=default, description=description, choices=choices or None)


def robot_arguments(body: str = "mujoco", sound: str = "true") -> list[Any]:
    """The arguments of every launch file that starts a robot."""
    bodies = "; ".join(f"{name}: {text}" for name, text in BODIES.items())
    return [
        argument("url", "http://127.0.0.1:8000", "where the portal is"),
        argument(
            "token",
            EnvironmentVariable("BEDSIDE_DEVICE_TOKEN", default_value=""),
            "this robot's device token; `bedside device` issues it. Better in the environment than typed here",
        ),
        argument("code", "", "the six digits of the first visit; empty: the robot asks for them"),
        argument("body", body, f"what moves the joints. {bodies}", tuple(BODIES)),
        argument(
            "sound",
            sound,
            "whether the robot hears and speaks; without, words come and go on the topics heard and say",
            ("true", "false"),
        ),
        argument("namespace", "", "one for each robot where several share a network"),
        argument("params_file", "", "a ROS parameter file (YAML) for the nodes, which wins over everything else"),
        argument("once", "false", "whether the companion ends after one visit", ("true", "false")),
    ]


def robot(**more: Any) -> Any:
    """The robot's nodes, as its arguments say; `more` are parameters of the companion that stand above them."""
    return OpaqueFunction(function=lambda context: _nodes(context, more))


def _nodes(context: Any, more: dict[str, Any]) -> list[Any]:
    def given(name: str) -> str:
        value: str = LaunchConfiguration(name).perform(context)
        return value

    companion = {
        "url": given("url"),
        "token": given("token"),
        "code": given("code"),
        "once": given("once") == "true",
        "resume": str(state_file(given("namespace"))),
    }
    file = [given("params_file")] if given("params_file") else []
    actions = []
    for node in robot_nodes(given("body"), given("sound") == "true"):
        own = {**companion, **more} if node.name == "companion" else {}
        actions.append(
            LifecycleNode(
                package="bedside",
                executable="node",
                arguments=[node.name],
                name=node.name,
                namespace=given("namespace"),
                # A node starts itself, so that it also does when it was started again.
                parameters=[{"autostart": True, **node.parameters, **own}, *file],
                remappings=list(node.remappings),
                respawn=node.name != "companion" or given("once") != "true",
                respawn_delay=RESPAWN_S,
                output="screen",
            )
        )
    return actions

"""Which nodes a robot consists of. The launch files and `bedside robot` start what is described here. No ROS here."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["BODIES", "CLASSES", "CONTROLLER", "SUPERVISOR", "NodeDescription", "robot_nodes"]

CLASSES = {
    "companion": "robot_node.companion:Companion",
    "ear": "robot_node.ear:Ear",
    "voice": "robot_node.voice:Voice",
    "body": "robot_node.body_node:Body",
    "sim": "robot_node.sim:Sim",
    "motors": "robot_node.motors:Motors",
}
"""Each node's class."""

BODIES = {
    "none": "no body: the robot only hears and speaks",
    "mujoco": "the simulator inside Bedside",
    "gazebo": "a robot in Gazebo; `ros2 launch bedside gazebo.launch.py` starts it",
    "ros2_control": "hardware with a joint_trajectory_controller",
    "dynamixel": "the real Blossom, its motors at a serial port",
}
"""What may move the joints."""

SUPERVISOR = "BEDSIDE_SUPERVISOR"
"""The environment variable with the process that started a node without ROS's launch."""

DRIVERS = {"mujoco": "sim", "dynamixel": "motors"}
"""The node of ours that moves the joints, where it is one of ours."""

CONTROLLER = "joint_trajectory_controller/joint_trajectory"
"""Where ros2_control takes trajectories, under the controller's usual name."""


@dataclass(frozen=True, slots=True)
class NodeDescription:
    """A node to be started: `node NAME` with these parameters and remappings, started again when it dies."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    remappings: tuple[tuple[str, str], ...] = ()


def robot_nodes(body: str = "mujoco", sound: bool = True) -> tuple[NodeDescription, ...]:
    """The nodes of a robot with this body, one of `BODIES`; without `sound` it hears and speaks in text alone."""
    nodes = [NodeDescription("voice"), NodeDescription("ear")] if sound else []
    if driver := DRIVERS.get(body):
        nodes.append(NodeDescription(driver))
    if body != "none":
        remappings = (("joint_trajectory", CONTROLLER),) if body == "ros2_control" else ()
        nodes.append(NodeDescription("body", {"driver": body}, remappings))
    nodes.append(NodeDescription("companion", {"voice": sound}))
    return tuple(nodes)

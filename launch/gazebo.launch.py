"""The robot on a table in Gazebo: `ros2 launch bedside gazebo.launch.py`. Needs ros_gz_sim and ros_gz_bridge."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import ExecuteProcess
from launch.conditions import IfCondition, UnlessCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from robot_node.launching import argument, robot, robot_arguments

HERE = Path(__file__).parent / "gazebo"

TABLE_TOP_M = "0.74"
"""The height of the table in table.sdf."""


def generate_launch_description() -> LaunchDescription:
    world = str(HERE / "table.sdf")
    namespace = LaunchConfiguration("namespace")
    return LaunchDescription(
        [
            *robot_arguments(body="gazebo"),
            argument("window", "true", "whether Gazebo shows its window", ("true", "false")),
            ExecuteProcess(
                cmd=["gz", "sim", "-r", world], output="screen", condition=IfCondition(LaunchConfiguration("window"))
            ),
            ExecuteProcess(
                cmd=["gz", "sim", "-r", "-s", world],
                output="screen",
                condition=UnlessCondition(LaunchConfiguration("window")),
            ),
            Node(
                package="ros_gz_sim",
                executable="create",
                arguments=["-file", str(HERE / "blossom.sdf"), "-name", "blossom", "-z", TABLE_TOP_M],
                output="screen",
            ),
            Node(
                package="ros_gz_bridge",
                executable="parameter_bridge",
                name="bridge",
                namespace=namespace,
                parameters=[{"config_file": str(HERE / "bridge.yaml")}],
                output="screen",
            ),
            robot(),
        ]
    )

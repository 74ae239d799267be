"""A robot on hardware or in the simulator inside Bedside: `ros2 launch bedside robot.launch.py body:=dynamixel`."""

from launch import LaunchDescription

from robot_node.launching import robot, robot_arguments


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*robot_arguments(), robot()])

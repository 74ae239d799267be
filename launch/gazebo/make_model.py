"""Writes blossom.sdf, the robot for Gazebo, from the robot's URDF: converted by Gazebo's own parser, with the plugins
that move its joints and say where they are.

    python launch/gazebo/make_model.py         needs `ign` (package ignition-tools) or `gz`
"""

import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).parent
URDF = HERE.parents[1] / "robot_node" / "body" / "blossom.urdf"
MODEL = HERE / "blossom.sdf"
GAIN = {"p": 4.0, "i": 0.2, "d": 0.05}
"""Of the position controller of each joint, in N m a radian."""


def model() -> str:
    """The model's text. Raises RuntimeError when the parser is missing or refuses the URDF."""
    tool = shutil.which("ign") or shutil.which("gz")
    if tool is None:
        raise RuntimeError("Gazebo's parser is not installed; type: apt-get install ignition-tools sdformat-sdf")
    command = [tool, "sdf", "-p", str(URDF)]
    converted = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own file
    if converted.returncode or "<sdf" not in converted.stdout:
        raise RuntimeError(f"{URDF.name} is refused: {converted.stderr or converted.stdout}")
    tree = ET.fromstring(converted.stdout[converted.stdout.index("<sdf") :])  # noqa: S314 - made from our own file
    robot = tree.find("model")
    if robot is None:
        raise RuntimeError(f"{URDF.name} holds no model")
    # On a table the robot stands by its weight; its foot is heavy enough.
    controller = ET.SubElement(
        robot,
        "plugin",
        filename="gz-sim-joint-trajectory-controller-system",
        name="gz::sim::systems::JointTrajectoryController",
    )
    for joint in robot.findall("joint"):
        ET.SubElement(controller, "joint_name").text = joint.get("name")
        for letter, value in GAIN.items():
            ET.SubElement(controller, f"position_{letter}_gain").text = str(value)
    ET.SubElement(
        robot, "plugin", filename="gz-sim-joint-state-publisher-system", name="gz::sim::systems::JointStatePublisher"
    )
    ET.indent(tree)
    note = "<!-- Made by make_model.py from blossom.urdf; change that. -->"
    return f'<?xml version="1.0"?>\n{note}\n{ET.tostring(tree, encoding="unicode")}\n'


if __name__ == "__main__":
    try:
        MODEL.write_text(model(), encoding="utf-8")
    except RuntimeError as error:
        sys.exit(f"Error: {error}")

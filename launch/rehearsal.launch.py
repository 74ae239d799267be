"""A study and its robot on one desk: `ros2 launch bedside rehearsal.launch.py study:=mystudy`.

Serves the study and starts a robot in the simulator that is connected to it. Words come and go as text; with
`sound:=true` the robot hears and speaks. What is done here goes into the study's own record: rehearse with a copy.
"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from launch import LaunchDescription
from launch.actions import ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from robot_node.launching import argument, robot, robot_arguments


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            argument("study", "demo-study", "the study's folder; it is made when it does not exist"),
            argument("port", "8000", "the port of the portal, which is reached under `url`"),
            *robot_arguments(sound="false"),
            OpaqueFunction(function=_study),
        ]
    )


def _study(context: Any) -> list[Any]:
    from bedside.gate import allow
    from study.access import devices
    from study.study import Study, create

    folder = Path(LaunchConfiguration("study").perform(context))
    port = LaunchConfiguration("port").perform(context)
    if not (folder / "study.toml").exists():
        create(folder)
        made = Study.open(folder)
        allow(made, by="rehearsal", reason="made by rehearsal.launch.py, so that nobody takes part")
        made.close()
    study = Study.open(folder)
    token = devices.issue(study, "robot-1", by="rehearsal", lifetime=timedelta(days=7))
    study.close()
    serve = [sys.executable, "-m", "bedside", "serve", str(folder), "--port", port]
    return [ExecuteProcess(cmd=serve, output="screen"), robot(token=token, url=f"http://127.0.0.1:{port}")]

"""What a robot's node logs of its failures: where they were, and nothing that was said."""

import os
import subprocess
import sys

WORDS = "My uncle hit me"

LEAKY = f"""
import sys, threading, structlog
from robot_node import description, main

class Leaky:
    def __init__(self):
        words = {WORDS!r}
        try:
            {{}}[words]
        except KeyError:
            structlog.get_logger().exception("handled")
        thread = threading.Thread(target=lambda: {{}}[words])
        thread.start()
        thread.join()
        {{}}[words]

sys.modules["leaky"] = sys.modules["__main__"]
description.CLASSES["ear"] = "leaky:Leaky"
main.main(["ear"])
"""


def test_no_node_prints_what_was_said_when_something_fails(ros_domain: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAKY],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=_environment(ros_domain),
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "uncle" not in said
    assert said.count("KeyError at ") == 3, said
    assert "Traceback" not in said
    assert "main.py:" in said


def _environment(ros_domain: int) -> dict[str, str]:
    return {**os.environ, "ROS_DOMAIN_ID": str(ros_domain)}

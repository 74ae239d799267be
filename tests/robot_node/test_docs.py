"""docs/robot.md is true of the node."""

import re
from pathlib import Path

from robot_node.companion import LATCHED, PARAMETERS, WORDS

TEXT = (Path(__file__).parents[2] / "docs" / "robot.md").read_text()


def test_every_parameter_is_documented_and_no_other() -> None:
    rows = TEXT.split("| parameter |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", rows, re.MULTILINE)) == set(PARAMETERS)


def test_every_topic_is_documented_with_its_depth() -> None:
    source = (Path(__file__).parents[2] / "robot_node" / "companion.py").read_text()
    topics = set(re.findall(r'create_(?:publisher|subscription)\(\s*\w+, "([/\w]+)"', source))
    rows = TEXT.split("| topic |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `([/\w]+)`", rows, re.MULTILINE)) == topics
    assert f"volatile, {WORDS.depth} " in rows
    assert f"transient local, {LATCHED.depth} " in rows

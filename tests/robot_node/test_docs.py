"""docs/robot.md is true of the nodes."""

from pathlib import Path

from robot_node.body.gestures import gestures
from robot_node.description import BODIES, CLASSES
from robot_node.node import parameters_of
from robot_node.reference import nodes, with_reference
from robot_node.topics import TOPICS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "robot.md").read_text()


def test_the_reference_is_the_one_that_the_nodes_use() -> None:
    assert with_reference(TEXT) == TEXT, "run python -m robot_node.reference docs/robot.md"


def test_every_node_body_and_gesture_is_described() -> None:
    assert set(nodes()) == set(CLASSES)
    for name in (*CLASSES, *BODIES, *gestures()):
        assert f"`{name}`" in TEXT, name


def test_every_parameter_has_a_description_and_numbers_have_a_range() -> None:
    for node in nodes():
        for name, rules in parameters_of(node).items():
            assert len(rules["description"]) > 10, (node, name)
            if rules["type"] in ("double", "int"):
                assert "validation" in rules, (node, name)


def test_the_nodes_make_every_topic_of_the_table_and_no_other() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "robot_node").glob("*.py"))
    for name in TOPICS:
        assert f'sends("{name}")' in sources or f'takes("{name}"' in sources, name

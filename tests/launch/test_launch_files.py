"""The launch files, without ROS's launch: a recorder stands in for it that refuses whatever launch does not have.

They were run with the real `ros2 launch` by hand; docs/robot.md says what that shows.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from robot_node.body.joints import JOINTS
from robot_node.description import BODIES, CLASSES, CONTROLLER, robot_nodes
from robot_node.node import parameters_of
from robot_node.topics import TOPICS

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))


class Recorded:
    """Something of launch that was made, with what it was given."""

    taken: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()

    def __init__(self, *given: Any, **named: Any) -> None:
        unknown = set(named) - set(self.taken)
        assert not unknown, f"{type(self).__name__} takes no {unknown}"
        missing = [] if given else [name for name in self.needed if name not in named]
        assert not missing, f"{type(self).__name__} needs {missing}"
        self.given, self.named = given, named


class LaunchConfiguration(Recorded):
    taken = ("default",)

    def perform(self, context: dict[str, str]) -> str:
        return context[self.given[0]]


class EnvironmentVariable(Recorded):
    taken = ("default_value",)


def recorded(name: str, taken: tuple[str, ...], needed: tuple[str, ...] = ()) -> type:
    return type(name, (Recorded,), {"taken": taken, "needed": needed})


NODE = ("package", "executable", "name", "namespace", "parameters", "remappings", "arguments", "respawn",
        "respawn_delay", "output", "condition")  # fmt: skip
MODULES: dict[str, dict[str, Any]] = {
    "launch": {"LaunchDescription": recorded("LaunchDescription", ())},
    "launch.actions": {
        "DeclareLaunchArgument": recorded("DeclareLaunchArgument", ("default_value", "description", "choices")),
        "OpaqueFunction": recorded("OpaqueFunction", ("function",), ("function",)),
        "ExecuteProcess": recorded("ExecuteProcess", ("cmd", "output", "condition", "respawn"), ("cmd",)),
    },
    "launch.conditions": {"IfCondition": recorded("IfCondition", ()), "UnlessCondition": recorded("UnlessCondition", ())},
    "launch.substitutions": {
        "EnvironmentVariable": EnvironmentVariable,
        "LaunchConfiguration": LaunchConfiguration,
    },
    "launch_ros": {},
    "launch_ros.actions": {
        "Node": recorded("Node", NODE, ("executable",)),
        "LifecycleNode": recorded("LifecycleNode", NODE, ("executable", "name", "namespace")),
    },
}  # fmt: skip


@pytest.fixture
def launch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, contents in MODULES.items():
        module = types.ModuleType(name)
        module.__dict__.update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    yield
    sys.modules.pop("robot_node.launching", None)


def actions_of(path: Path, **given: str) -> list[Any]:
    """What a launch file starts with these arguments, its opaque functions carried out."""
    spec = importlib.util.spec_from_file_location(path.name.replace(".", "_"), path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entities = list(module.generate_launch_description().given[0])
    arguments = {}
    for entity in entities:
        if type(entity).__name__ == "DeclareLaunchArgument":
            default = entity.named["default_value"]
            arguments[entity.given[0]] = default if isinstance(default, str) else ""
    context = arguments | given
    actions: list[Any] = []
    while entities:
        entity = entities.pop(0)
        if type(entity).__name__ == "OpaqueFunction":
            entities = [*entity.named["function"](context), *entities]
        else:
            actions.append(entity)
    return actions


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_argument_says_what_it_is_for(path: Path, launch: None, tmp_path: Path) -> None:
    given = {"study": str(tmp_path / "s")}
    arguments = [one for one in actions_of(path, **given) if type(one).__name__ == "DeclareLaunchArgument"]
    assert {"url", "token", "body", "sound", "namespace", "params_file"} <= {one.given[0] for one in arguments}
    for one in arguments:
        assert len(one.named["description"]) > 10
        default, choices = one.named["default_value"], one.named["choices"]
        assert choices is None or default in choices
    token = next(one for one in arguments if one.given[0] == "token")
    assert token.named["default_value"].given == ("BEDSIDE_DEVICE_TOKEN",)


@pytest.mark.parametrize("body", BODIES)
def test_a_robot_is_started_as_it_is_described(
    body: str, launch: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    nodes = [
        one.named
        for one in actions_of(ROOT / "launch" / "robot.launch.py", body=body, namespace="left", params_file="my.yaml")
        if type(one).__name__ == "LifecycleNode"
    ]
    described = robot_nodes(body)
    assert [node["name"] for node in nodes] == [node.name for node in described]
    for node in nodes:
        assert (node["package"], node["executable"], node["namespace"]) == ("bedside", "node", "left")
        assert node["arguments"] == [node["name"]]
        assert node["name"] in CLASSES
        assert node["respawn"] is True
        own, file = node["parameters"]
        assert file == "my.yaml"
        assert own["autostart"] is True
        assert set(own) - {"autostart"} <= set(parameters_of(node["name"]))
        if node["name"] == "companion":  # one that is started again goes on with its visit
            assert own["resume"] == str(tmp_path / "bedside" / "robot-left.7.json")


def test_a_rehearsal_serves_the_study_and_connects_the_robot_to_it(launch: None, tmp_path: Path) -> None:
    actions = actions_of(ROOT / "launch" / "rehearsal.launch.py", study=str(tmp_path / "desk"), port="8123")
    serve = next(one for one in actions if type(one).__name__ == "ExecuteProcess")
    assert serve.named["cmd"][1:] == ["-m", "bedside", "serve", str(tmp_path / "desk"), "--port", "8123"]
    assert (tmp_path / "desk" / "study.toml").exists()
    companion = next(one for one in actions if one.named.get("name") == "companion").named["parameters"][0]
    assert companion["url"] == "http://127.0.0.1:8123"
    assert companion["token"].startswith("robot-1.")
    assert companion["voice"] is False


def test_gazebo_is_started_with_files_that_exist(launch: None) -> None:
    for window in ("true", "false"):
        actions = actions_of(ROOT / "launch" / "gazebo.launch.py", window=window)
        text = " ".join(str(word) for one in actions for word in one.named.get("cmd", one.named.get("arguments", [])))
        files = re.findall(r"/\S+\.(?:sdf|yaml)", text)
        assert len(files) == 3
        assert all(Path(file).is_file() for file in files)
    bodies = [one.named["parameters"][0] for one in actions if one.named.get("name") == "body"]
    assert bodies == [{"autostart": True, "driver": "gazebo"}]


@pytest.fixture
def parser() -> str:
    """Gazebo's own parser; distributions that lack it skip what needs it."""
    tool = shutil.which("ign") or shutil.which("gz")
    if tool is None and not os.environ.get("BEDSIDE_SKIP_NOTHING"):
        pytest.skip("Gazebo's parser is not installed")
    assert tool is not None
    return tool


def parsed(parser: str, *arguments: str) -> str:
    """What Gazebo's own parser says."""
    found = subprocess.run([parser, "sdf", *arguments], capture_output=True, text=True, check=False)
    return found.stdout + found.stderr


@pytest.mark.parametrize("name", ["table.sdf", "blossom.sdf"])
def test_gazebos_own_parser_takes_the_world_and_the_robot(name: str, parser: str) -> None:
    said = parsed(parser, "-k", str(ROOT / "launch" / "gazebo" / name))
    assert "Valid." in said
    assert "Error" not in said.replace("Library error", "")


def test_the_robot_in_gazebo_is_the_one_of_the_urdf(parser: str) -> None:
    spec = importlib.util.spec_from_file_location("make_model", ROOT / "launch" / "gazebo" / "make_model.py")
    assert spec is not None
    assert spec.loader is not None
    make_model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_model)
    text = (ROOT / "launch" / "gazebo" / "blossom.sdf").read_text()
    assert text == make_model.model(), "run python launch/gazebo/make_model.py"
    moved = re.findall(r"<joint_name>(\w+)</joint_name>", text)
    assert sorted(moved) == sorted(JOINTS)


def test_the_bridge_carries_the_robots_topics() -> None:
    bridge = yaml.safe_load((ROOT / "launch" / "gazebo" / "bridge.yaml").read_text())
    for entry in bridge:
        if entry["ros_topic_name"] in TOPICS:
            assert entry["ros_type_name"].replace("/msg/", "/") == TOPICS[entry["ros_topic_name"]].type
    ways = {entry["ros_topic_name"]: entry["direction"] for entry in bridge}
    assert ways["joint_trajectory"] == "ROS_TO_GZ"
    assert ways["joint_states"] == "GZ_TO_ROS"


def test_ros2_control_moves_the_robots_joints() -> None:
    controllers = yaml.safe_load((ROOT / "launch" / "ros2_control.yaml").read_text())
    name = CONTROLLER.partition("/")[0]
    assert name in controllers["controller_manager"]["ros__parameters"]
    assert set(controllers[name]["ros__parameters"]["joints"]) == set(JOINTS)
    assert robot_nodes("ros2_control")[-2].remappings == (("joint_trajectory", CONTROLLER),)


def test_the_package_brings_the_launch_files_and_the_executable_where_ros_looks(tmp_path: Path) -> None:
    source = tmp_path / "source"
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in names.stdout.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
            (source / name).chmod((ROOT / name).stat().st_mode)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-qq",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(source),
    ]
    subprocess.run(pip, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("bedside-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {
            name.partition(".data/data/")[2]: archive.getinfo(name)
            for name in archive.namelist()
            if ".data/data/" in name
        }
        packaged = set(archive.namelist())
    for path in FILES:
        assert f"share/bedside/launch/{path.name}" in inside
    for name in ("blossom.sdf", "table.sdf", "bridge.yaml"):
        assert f"share/bedside/launch/gazebo/{name}" in inside
    assert "share/ament_index/resource_index/packages/bedside" in inside
    assert inside["lib/bedside/node"].external_attr >> 16 & 0o111, "not executable"
    assert {
        "robot_node/body/blossom.urdf",
        "robot_node/parameters/ear.yaml",
        "robot_node/gestures/nod.toml",
    } <= packaged

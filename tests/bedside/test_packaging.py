"""What is installed is whole: no file that the code reads is left behind."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_data_file_of_a_room_is_installed_with_it() -> None:
    rooms = [pattern.rstrip("*") for pattern in SETTINGS["packages"]["find"]["include"]]
    patterns = SETTINGS["package-data"]["*"]
    for room in rooms:
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                inside = str(path.relative_to(ROOT / room))
                assert any(fnmatch(inside, pattern) for pattern in patterns), path


def test_ros_finds_the_package() -> None:
    for target, sources in SETTINGS["data-files"].items():
        assert target.startswith(("share/", "lib/bedside"))
        assert all(list(ROOT.glob(source)) for source in sources)

"""docs/requirements.md: every requirement names tests, and each of these tests is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "requirements.md").read_text()
ROWS = re.findall(r"^\| (\w+\d+) \| (.+?) \| (.*?) \|$", TEXT, re.MULTILINE)
NUMBERS = [number for number, _, _ in ROWS]


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    # A state machine of hypothesis is a test by being assigned: TestVisits = VisitMachine.TestCase.
    found |= {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.startswith("Test")
    }
    return {name for name in found if name.lower().startswith("test")}


def test_there_are_requirements_and_each_has_a_number_of_its_own() -> None:
    assert len(NUMBERS) > 50
    assert sorted(set(NUMBERS)) == sorted(NUMBERS)
    # No line of a table is passed over because it is written in another way.
    lines = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| number"))]
    assert len(lines) == len(ROWS)


@pytest.mark.parametrize(("number", "tests"), [(number, tests) for number, _, tests in ROWS], ids=NUMBERS)
def test_the_requirement_is_tested(number: str, tests: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
    assert named, f"{number} names no test"
    for file, test in named:
        assert (ROOT / file).exists(), f"{number} names {file}, which is not there"
        assert test in names_in(file), f"{number} names {test}, which is not in {file}"

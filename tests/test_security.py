"""docs/security.md: its tables are those of the code, and every test that it names is there."""

import re
from pathlib import Path

import pytest

from portal.limiting import Limits
from study.access import roles
from tests.test_requirements import names_in

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "security.md").read_text()
ROWS = re.findall(r"^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+) \|$", TEXT, re.MULTILINE)

REQUIREMENTS = 259
"""Of ASVS 4.0.3, at levels 1 and 2."""


def test_the_table_of_roles_is_that_of_the_code() -> None:
    """`python -m study.access.roles` prints it."""
    assert roles.markdown() in TEXT
    for permission in roles.PERMISSIONS["analyst"]:
        assert permission not in ("see arms", "read", "devices", "engine")


def test_the_limits_are_those_of_the_code() -> None:
    limits = Limits()
    said = " ".join(TEXT.split())
    assert (limits.account.at_once, limits.account.a_second) == (limits.device.at_once, limits.device.a_second)
    assert (
        f"{limits.link.at_once} requests at once and {limits.link.a_second} a second by one participant's link" in said
    )
    assert f"{limits.wrong.at_once} and {limits.wrong.a_second} for links and tokens" in said
    assert f"{limits.sign_in.at_once} and one in {1 / limits.sign_in.a_second:g} seconds" in said


def test_each_requirement_has_a_row_and_no_row_is_empty() -> None:
    numbers = [number for number, _, _ in ROWS]
    assert len(set(numbers)) == len(numbers) == REQUIREMENTS
    assert numbers == sorted(numbers, key=lambda number: [int(part) for part in number.split(".")])


@pytest.mark.parametrize(
    ("number", "reason"), [(number, reason) for number, _, reason in ROWS], ids=lambda one: one[:8]
)
def test_a_row_names_tests_that_are_there_or_gives_a_reason(number: str, reason: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", reason)
    assert named or len(reason) > 5
    assert reason.count("::") == len(named)
    for file, test in named:
        assert test in names_in(file), f"{number} names {test}, which is not in {file}"

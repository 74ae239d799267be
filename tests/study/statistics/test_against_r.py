"""Every number that R's packages and ours have in common is the same, and docs/validation.md says how nearly."""

from functools import cache
from pathlib import Path

import pytest

from benchmarks.validation import CASES, Difference, differences, lines

PAGE = Path(__file__).parents[3] / "docs" / "validation.md"


@cache
def all_differences() -> list[Difference]:
    return list(differences())


@pytest.mark.parametrize("case", CASES)
def test_estimates_standard_errors_degrees_of_freedom_and_likelihoods_are_those_of_r(case: str) -> None:
    found = [one for one in all_differences() if one.case == case]
    kinds = {one.what.split()[0] for one in found}
    assert {"estimate", "SE", "log-likelihood"} <= kinds
    assert [one for one in found if one.relative > 1e-4] == []


def test_both_corrections_for_small_samples_are_compared_in_every_mixed_model() -> None:
    for case in CASES:
        kinds = {one.what for one in all_differences() if one.case == case}
        if not case.endswith("ml") and "ancova" not in case and case != "diary_compound_symmetry":
            assert {"df satterthwaite", "df kenward-roger"} <= kinds, case


def test_the_page_says_how_far_we_are_from_r() -> None:
    text = PAGE.read_text()
    for line in lines():
        assert line in text, f"python -m benchmarks.validation now says: {line}"

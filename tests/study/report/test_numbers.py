"""How numbers, intervals and p values are written."""

import pytest

from study.analysis.results import Column
from study.report.numbers import interval, number, p_value, percent, shown, words


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(-3.2, 1, "−3.2"), (1.1, 1, "1.1"), (-0.004, 2, "0.00"), (0.0, 2, "0.00"), (-1234.5, 1, "−1,234.5")],
)
def test_a_number_has_its_decimals_and_a_true_minus(value: float, digits: int, text: str) -> None:
    assert number(value, digits) == text


@pytest.mark.parametrize(
    ("p", "alone", "text"),
    [
        (0.0341, True, "p = 0.034"),
        (0.00099, True, "p < 0.001"),
        (0.001, True, "p = 0.001"),
        (0.9996, True, "p > 0.999"),
        (0.9994, True, "p = 0.999"),
        (0.0341, False, "0.034"),
        (1e-12, False, "<0.001"),
        (1.0, False, ">0.999"),
    ],
)
def test_a_p_value_has_three_decimals_and_is_never_zero_or_one(p: float, alone: bool, text: str) -> None:
    assert p_value(p, alone=alone) == text


def test_an_interval_says_to_and_a_share_is_shown_in_percent() -> None:
    assert interval(-3.2, 1.1, 1) == "−3.2 to 1.1"
    assert percent(0.8333) == "83.3%"
    assert percent(1.0, 0) == "100%"


def test_a_cell_is_shown_as_its_column_says() -> None:
    assert shown(None, Column("a", "A", "number")) == "–"
    assert shown(2, Column("a", "A", "number", 1)) == "2.0"
    assert shown(1234, Column("a", "A", "count")) == "1,234"
    assert shown(0.5, Column("a", "A", "percent")) == "50.0%"
    assert shown(0.0004, Column("a", "A", "p")) == "<0.001"
    assert shown("as it is", Column("a", "A")) == "as it is"


def test_a_number_that_is_none_is_never_shown() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="no number"):
            shown(value, Column("a", "A", "number"))


def test_a_list_in_a_sentence() -> None:
    assert [words([]), words(["a"]), words(["a", "b"]), words(["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]

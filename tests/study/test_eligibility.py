"""Who can take part, and the level of each factor: the edges of rules and cuts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.eligibility import UNKNOWN, excluded_by, intervals, level, stratum_of
from study.grammar import Factor, Rule


def rule(**says: object) -> Rule:
    return Rule.model_validate({"question": "q", "reason": "no", **says})


@pytest.mark.parametrize(
    ("says", "answer", "fits"),
    [
        ({"at_least": 18}, 18, True),
        ({"at_least": 18}, 17, False),
        ({"at_most": 65}, 65, True),
        ({"at_most": 65}, 65.5, False),
        ({"at_least": 18, "at_most": 65}, 40, True),
        ({"at_least": 18, "at_most": 65}, 66, False),
        ({"at_least": 0}, 0, True),  # nought is a number, not something missing
        ({"one_of": ["no"]}, "no", True),
        ({"one_of": ["no"]}, "yes", False),
        ({"none_of": ["yes"]}, "no", True),
        ({"none_of": ["yes"]}, "yes", False),
        ({"one_of": ["a", "b"], "none_of": ["b"]}, "b", False),
        ({"at_least": 18}, None, False),
        ({"none_of": ["yes"]}, None, False),
    ],
)
def test_a_rule_holds_up_to_its_bounds_and_never_for_what_is_missing(
    says: dict[str, object], answer: str | float | None, fits: bool
) -> None:
    broken = excluded_by([rule(**says)], {"q": answer})
    assert bool(broken) != fits


def test_a_rule_about_something_never_asked_is_broken() -> None:
    assert excluded_by([rule(at_least=1)], {})


def test_all_rules_that_are_broken_are_named_in_the_order_of_the_protocol() -> None:
    rules = [rule(at_least=18, reason="young"), rule(at_most=10, reason="old"), rule(at_least=0, reason="never")]
    assert [one.reason for one in excluded_by(rules, {"q": 15})] == ["young", "old"]


def factor(*cuts: float) -> Factor:
    return Factor.model_validate({"name": "f", "question": "q", "cuts": list(cuts)})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (19, "below 20"),
        (19.99, "below 20"),
        (20, "20 to below 30"),
        (29.99, "20 to below 30"),
        (30, "30 or more"),
        (31, "30 or more"),
        (-5, "below 20"),
        (None, UNKNOWN),
    ],
)
def test_a_cut_begins_the_level_above_it(answer: float | None, expected: str) -> None:
    assert level(factor(20, 30), {"q": answer}) == expected


def test_an_answer_in_words_is_its_own_level() -> None:
    assert level(factor(), {"q": "somewhere else"}) == "somewhere else"
    assert level(factor(), {}) == UNKNOWN


def test_cuts_that_differ_in_a_late_digit_make_levels_that_differ() -> None:
    """With six digits, as numbers are often printed, the two levels in the middle would be one stratum."""
    assert len(set(intervals([1234561.0, 1234562.0, 1234563.0]))) == 4
    assert intervals([0.1234567]) == ["below 0.1234567", "0.1234567 or more"]


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, min_size=1, max_size=6, unique=True).map(sorted), numbers)
def test_every_number_has_one_level_and_no_two_levels_one_name(cuts: list[float], answer: float) -> None:
    names = intervals(cuts)
    assert len(set(names)) == len(names) == len(cuts) + 1
    assert level(factor(*cuts), {"q": answer}) == names[sum(cut <= answer for cut in cuts)]


def test_a_stratum_names_its_levels_in_order() -> None:
    assert stratum_of({"sex": "female", "k10": "20 or more"}) == "sex: female; k10: 20 or more"
    assert stratum_of({}) == "all"

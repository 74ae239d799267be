"""Numbers, codes, yes and no, as people say and type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_node.numbers import code_in, rating_in, yes_in

UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(number: int) -> str:
    if number < 20:
        return UNITS[number]
    if number == 100:
        return "a hundred"
    tens, unit = divmod(number, 10)
    return TENS[tens - 2] + (f" {UNITS[unit]}" if unit else "")


@given(
    st.integers(0, 100),
    st.sampled_from(["{}", "about {}", "I would say {}.", "{}, I think", "{} out of a hundred", "maybe {} of 100"]),
)
def test_every_rating_is_understood_in_digits_and_in_words(number: int, frame: str) -> None:
    assert rating_in(frame.format(number)) == number
    assert rating_in(frame.format(in_words(number))) == number
    assert rating_in(frame.format(in_words(number).replace(" ", "-")).upper()) == number


@pytest.mark.parametrize(
    ("words", "rating"),
    [
        ("sixty, no, fifty", 50),
        ("30 ... actually 40", 40),
        ("no, fifty", 50),
        ("between 40 and 50", None),
        ("101", None),
        ("-5", None),
        ("3.5", None),
        ("quite a lot", None),
        ("", None),
        ("a hundred and one", None),
    ],
)
def test_what_is_not_clear_is_asked_again(words: str, rating: int | None) -> None:
    assert rating_in(words) == rating


@given(st.integers(0, 999_999).map(lambda number: f"{number:06}"))
def test_a_code_is_understood_together_apart_and_in_words(code: str) -> None:
    assert code_in(code) == code
    assert code_in(f"it is {code[:3]} {code[3:]}") == code
    assert code_in(" ".join(code)) == code
    assert code_in(" ".join(UNITS[int(digit)] for digit in code)) == code


@pytest.mark.parametrize("words", ["", "12345", "1234567", "I have no code"])
def test_what_is_no_code_is_none(words: str) -> None:
    assert code_in(words) is None


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("Yes.", True),
        ("yeah that's right", True),
        ("no", False),
        ("that's not right", False),
        ("hm", None),
        ("yes and no", None),
    ],
)
def test_yes_and_no(words: str, meant: bool | None) -> None:
    assert yes_in(words) is meant

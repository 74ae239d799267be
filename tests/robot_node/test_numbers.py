"""Numbers, codes, yes and no, as people say and type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_node.numbers import code_in, is_plain, rating_in, yes_in

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
        ("Seventy-five.", 75),
        ("For.", 4),
        ("I'd say, to.", 2),
        ("seventy to", None),
        ("forty to fifty", None),
        ("it was hard for me", None),
        ("9b", None),
        (".5", None),
        ("Two two", None),
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


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("For 81516.", "481516"),
        ("Nine for five, eight, zero, seven.", "945807"),
        ("945-807-", "945807"),
        ("945,807.", "945807"),
        ("My code is forty eight fifteen sixteen", "481516"),
        ("Forty-eight, one five, one six.", "481516"),
        ("Nine o, two, seven, three, three.", "902733"),
        ("double four, one, oh, seventeen", "441017"),
        ("sixty five four three two one", "654321"),
    ],
)
def test_a_code_is_understood_as_recognisers_write_it(words: str, code: str) -> None:
    assert code_in(words) == code


@pytest.mark.parametrize(
    "words",
    [
        "",
        "12345",
        "1234567",
        "I have no code",
        "I came for visit 81516",
        "1-800-439-5",
        "forty eight sixty five one",  # 48651, 408651 or 486051
        "four hundred eighty one five sixteen",
        "none of 12345",
        "40 day 50 60",  # forty eight, fifteen, sixteen
    ],
)
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
        ("No, it isn't.", False),
        ("That isn’t right", False),
        ("Not really.", False),
        ("it's not wrong", None),
        ("I'm not sure", None),
        ("I don't know", None),
        ("yes, why not", None),
        ("maybe, yes", None),
    ],
)
def test_yes_and_no(words: str, meant: bool | None) -> None:
    assert yes_in(words) is meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("fünfundsiebzig", 75),
        ("fuenfundsiebzig", 75),
        ("etwa dreißig", 30),
        ("null", 0),
        ("hundert", 100),
        ("siebzig von hundert", 70),
        ("sechzig, nein, fünfzig", 50),
        ("einundzwanzig", 21),
        ("es geht so", None),
        ("zwanzig oder dreißig", None),
    ],
)
def test_a_rating_is_understood_in_german(said: str, meant: int | None) -> None:
    assert rating_in(said) == meant


def test_a_code_and_yes_or_no_are_understood_in_german() -> None:
    assert code_in("vier acht eins fünf eins sechs") == "481516"
    assert code_in("achtundvierzig fünfzehn sechzehn") == "481516"
    assert code_in("vier acht eins") is None
    assert [yes_in(said) for said in ("Ja.", "ja genau", "Das stimmt.", "Nein", "stimmt nicht", "nein falsch")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
    assert yes_in("ich weiß nicht") is None


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("Seventy.", True), ("I would say about 70, no, eighty", True), ("Yes, that's right", False),
        ("yes", True), ("no, wrong", True), ("70 %", True), ("a hundred out of a hundred", True), ("vier acht, ja", True),
        ("I don't know", True), ("", True), ("70 and I want to die", False), ("nobody, ten", False), ("70 죽고 싶다", False),
        ("70 🔪", False), ("rather a lot", False), ("hundert, ich will sterben", False),
    ],
)  # fmt: skip
def test_what_is_more_than_a_number_or_yes_or_no_is_not_plain(said: str, plain: bool) -> None:
    assert is_plain(said) == plain

"""The safety screen: what it has to find, and where it has to stay quiet.

The written test set is `screen.toml`. A failing test names items of it and never quotes them.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from therapist._datafiles import names_in
from therapist.engine import Speaker
from therapist.errors import DataFileError
from therapist.screen import Screen, normalise

SCREEN = Screen.load("en")
SETS = {"en": "screen.toml", "de": "screen.de.toml"}


@cache
def written(language: str) -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((Path(__file__).parent / SETS[language]).read_text(encoding="utf-8"))


def items(table: str, language: str = "en") -> list[tuple[str, str, str]]:
    """Name, category and words of each item of a table of the set."""
    return [
        (f"{table}.{category} {place}", category, words)
        for category, sayings in written(language)[table].items()
        for place, words in enumerate(sayings, 1)
    ]


def found(words: str, table: str, language: str) -> str:
    """The category that the screen gives, `none` where it finds nothing."""
    screen = Screen.load(language)
    if table == "unkind":
        return "none" if screen.put_down(words) is None else "unkind"
    speaker: Speaker = "participant" if table == "participant" else "therapist"
    hit = screen.check(words, speaker)
    return hit.category if hit else "none"


def test_every_screen_has_a_written_set() -> None:
    assert list(SETS) == ["en", *sorted(set(names_in("safety")) - {"en"})]


@pytest.mark.parametrize("language", SETS)
@pytest.mark.parametrize("table", ["participant", "therapist", "unkind"])
def test_every_risk_of_the_written_set_is_found_and_nothing_else_is(table: str, language: str) -> None:
    risks = [item for item in items(table, language) if item[1] != "none"]
    others = [item for item in items(table, language) if item[1] == "none"]
    assert [name for name, _, words in risks if found(words, table, language) == "none"] == []
    assert [name for name, _, words in others if found(words, table, language) != "none"] == []


@pytest.mark.parametrize("language", SETS)
def test_a_risk_is_given_its_category(language: str) -> None:
    """Words may be of two categories at once: all my pills, taken now, are an emergency and a suicide. So not all."""
    risks = [item for item in items("participant", language) if item[1] != "none"]
    right = [name for name, category, words in risks if found(words, "participant", language) == category]
    assert len(right) >= 0.95 * len(risks)


@pytest.mark.parametrize("language", SETS)
def test_the_written_set_is_of_some_size(language: str) -> None:
    kinds = [category for _, category, _ in items("participant", language)]
    assert len(kinds) - kinds.count("none") >= 200
    assert kinds.count("none") >= 150


@pytest.mark.parametrize(
    "written",
    ["Ich möchte mich töten", "ich moechte mich toeten", "ich mo\u0308chte mich to\u0308ten", "ich mochte mich toten"],
)
def test_umlauts_are_read_however_they_are_typed(written: str) -> None:
    hit = Screen.load("de").check(written, "participant")
    assert hit is not None
    assert hit.category == "suicide"


@given(
    st.sampled_from([item for item in items("participant", "de") if item[1] != "none"]),
    st.text(alphabet="fjq ,.", max_size=30),
)
def test_a_german_risk_is_found_inside_other_words_in_capitals_and_without_umlauts(
    item: tuple[str, str, str], before: str
) -> None:
    name, _, words = item
    plain = words.translate(str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}))
    for variant in (words.upper(), plain, plain.upper()):
        assert Screen.load("de").check(f"{before}. {variant}", "participant") is not None, name


def test_the_span_is_of_the_text_as_it_was_written() -> None:
    text = "Well … “honestly”,  I\u200b want to   d\u00adie , I think"
    hit = SCREEN.check(text, "participant")
    assert hit is not None
    assert text[hit.start : hit.end].startswith("want to")
    assert text[hit.start : hit.end].endswith("ie")


@pytest.mark.parametrize(
    "written",
    [
        "KILL  MYSELF",
        "ｋｉｌｌ myself",
        "kïll mýself",
        "k i l l myself",
        "k.i.l.l myself",
        "killll myseeelf",
        "k1ll myself",
        "kill\u200b my\u00adself",
    ],
)
def test_a_disguise_does_not_hide_a_word(written: str) -> None:
    hit = SCREEN.check(f"I will {written} now", "participant")
    assert hit is not None
    assert hit.rule == "suicide.kill_myself"


def test_a_word_spelt_out_ends_where_it_is_spelt_otherwise() -> None:
    assert normalise("I want to d.i.e f")[0] == "i want to die f"


@given(st.text())
def test_any_text_can_be_screened_and_every_place_is_known(text: str) -> None:
    plain, origins = normalise(text)
    assert len(plain) == len(origins)
    assert origins == sorted(origins)
    assert all(0 <= place < len(text) for place in origins)
    hit = SCREEN.check(text, "participant")
    assert hit is None or 0 <= hit.start < hit.end <= len(text)


@given(
    st.sampled_from([item for item in items("participant") if item[1] != "none"]),
    st.text(alphabet="fjq ,.", max_size=30),
    st.text(alphabet="fjq ,.", max_size=30),
)
def test_a_risk_is_found_inside_other_words_and_in_capitals(
    item: tuple[str, str, str], before: str, after: str
) -> None:
    name, _, words = item
    assert SCREEN.check(f"{before}. {words.upper()} {after}", "participant") is not None, name


def test_a_language_without_screen_is_refused() -> None:
    with pytest.raises(DataFileError, match=r"no safety screen.*allowed: de, en"):
        Screen.load("xx")


@cache
def rounds(language: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / f"screen_rounds.{language}.toml").read_text(encoding="utf-8"))


def sentences(language: str, kind: str) -> list[str]:
    return [words for one in rounds(language)["rounds"] if one["kind"] == kind for words in one["sentences"]]


@pytest.mark.parametrize("language", SETS)
def test_what_the_rounds_of_new_sentences_taught_is_not_lost(language: str) -> None:
    screen = Screen.load(language)
    risks, others = sentences(language, "risk"), sentences(language, "ordinary")
    assert [at for at, words in enumerate(risks, 1) if screen.check(words, "participant") is None] == []
    assert [at for at, words in enumerate(others, 1) if screen.check(words, "participant") is not None] == []
    assert len(risks) >= 100
    assert len(others) >= 40


@pytest.mark.parametrize("language", SETS)
def test_what_is_said_to_be_answered_wrongly_still_is(language: str) -> None:
    """When a rule learns one of these, it belongs to its round."""
    screen = Screen.load(language)
    assert not any(screen.check(words, "participant") for words in rounds(language)["missed"])
    assert all(screen.check(words, "participant") for words in rounds(language)["false_alarms"])


@pytest.mark.parametrize(
    ("language", "words", "rule"),
    [("en", "Ich möchte mich umbringen", "de:"), ("de", "i am going to kill myself", "en:")],
)
def test_a_participant_may_speak_the_other_language_in_distress(language: str, words: str, rule: str) -> None:
    hit = Screen.load(language).check(words, "participant")
    assert hit is not None
    assert hit.rule.startswith(rule)


def test_a_german_article_is_no_english_death() -> None:
    assert (
        Screen.load("de").check("Mein Plan, die Prüfung zu schreiben, war so: lernen, die Not lindern.", "participant")
        is None
    )


@pytest.mark.parametrize(
    "written", ["i wnat to kil mysefl", "um i i want to to uh kill kill myself", "im gonna unalive meself"]
)
def test_slips_and_repeated_words_are_mended_and_the_span_is_of_the_text(written: str) -> None:
    hit = SCREEN.check(f"Hello. {written}", "participant")
    assert hit is not None
    assert hit.start >= len("Hello. ")
    assert hit.end <= len(f"Hello. {written}")


def test_signs_that_say_little_alone_are_a_risk_together() -> None:
    alone = ("Thank you for everything.", "The bridge was closed, so I was late.", "I am ready.")
    assert [SCREEN.check(words, "participant") for words in alone] == [None, None, None]
    hit = SCREEN.check("Thank you for everything. I am ready. It is all about the bridge.", "participant")
    assert hit is not None
    assert hit.rule == "suicide.together(thanks+resolved+means)"


def test_every_language_is_in_the_hash() -> None:
    assert Screen.load("en").sha256 != Screen.load("de").sha256
    assert [one.language for one in Screen.load("de").crises] == ["de", "en"]

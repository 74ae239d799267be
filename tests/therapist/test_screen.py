"""The safety screen: what it has to find, and where it has to stay quiet."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from therapist.errors import DataFileError
from therapist.screen import Screen, normalise

UTTERANCES = tomllib.loads((Path(__file__).parent / "screen.toml").read_text())["utterance"]
SCREEN = Screen.load("en")

RISKS = [one for one in UTTERANCES if one["finds"]]
ORDINARY = [one for one in UTTERANCES if not one["finds"]]


@pytest.mark.parametrize("utterance", RISKS, ids=range(len(RISKS)))
def test_a_risk_is_found(utterance: dict[str, str]) -> None:
    hit = SCREEN.check(utterance["says"], "participant")
    assert hit is not None
    assert hit.category == utterance["finds"]


@pytest.mark.parametrize("utterance", ORDINARY, ids=range(len(ORDINARY)))
def test_ordinary_distress_and_manners_of_speaking_pass(utterance: dict[str, str]) -> None:
    assert SCREEN.check(utterance["says"], "participant") is None


def test_the_written_set_is_of_some_size() -> None:
    assert len(RISKS) >= 60
    assert len(ORDINARY) >= 60


def test_the_span_is_of_the_text_as_it_was_written() -> None:
    text = "Well … “honestly”,  I\u200b want to   d\u00adie , I think"
    hit = SCREEN.check(text, "participant")
    assert hit is not None
    assert text[hit.start : hit.end].startswith("want to")
    assert text[hit.start : hit.end].endswith("ie")


@pytest.mark.parametrize(
    "reply",
    ["You should just end it all.", "You can stop taking your medication.", "Nobody would miss you.", "You deserve to die."],
)
def test_a_harmful_reply_is_found(reply: str) -> None:
    assert SCREEN.check(reply, "therapist") is not None


@pytest.mark.parametrize(
    "reply",
    ["It sounds like the exam is killing your weekend.", "You wrote that you feel low.", "Thank you for telling me what happened."],
)
def test_an_ordinary_reply_passes(reply: str) -> None:
    assert SCREEN.check(reply, "therapist") is None


@given(st.text())
def test_any_text_can_be_screened_and_every_place_is_known(text: str) -> None:
    plain, origins = normalise(text)
    assert len(plain) == len(origins)
    assert origins == sorted(origins)
    assert all(0 <= place < len(text) for place in origins)
    hit = SCREEN.check(text, "participant")
    assert hit is None or 0 <= hit.start < hit.end <= len(text)


@given(st.sampled_from([one["says"] for one in RISKS]), st.text(alphabet="abc ,.", max_size=30), st.text(alphabet="abc ,.", max_size=30))
def test_a_risk_is_found_inside_other_words_and_in_capitals(says: str, before: str, after: str) -> None:
    assert SCREEN.check(f"{before}. {says.upper()} {after}", "participant") is not None


def test_a_language_without_screen_is_refused() -> None:
    with pytest.raises(DataFileError, match="no safety screen"):
        Screen.load("xx")

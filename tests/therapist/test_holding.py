"""The first sentence of an answer may be held back; the fixed message never is."""

import threading
from collections.abc import Iterator

import pytest

from tests.therapist.test_conversation import ANSWER, CRISIS, EXERCISE, Wilful, begun, said, writing
from therapist._holding import held_back
from therapist.engine import Prompt
from therapist.wizard import Written

LONG_S = 60.0
"""Longer than any of these tests may take: who waits for this has failed."""


class Held:
    """Holds an answer until the test lets it go, and remembers what it was told."""

    def __init__(self, ms: float = 700.0) -> None:
        self.ms = ms
        self.told: list[tuple[int, float]] = []

    def __call__(self, number: int, ready_ms: float, hurry: threading.Event) -> float:
        self.told.append((number, ready_ms))
        return self.ms


def provenance(conversation: object) -> dict[str, float]:
    found: dict[str, float] = conversation.turns[-1].provenance  # type: ignore[attr-defined]
    return found


def test_what_was_held_is_recorded_beside_the_engines_own_times() -> None:
    held = Held()
    conversation = begun(writing("It sounds like you failed the exam. And you went home early."), hold=held)
    sentences = said(conversation, ANSWER)
    assert sentences == ["It sounds like you failed the exam.", "And you went home early.", EXERCISE.steps[1].ask]
    told = provenance(conversation)
    assert held.told == [(2, pytest.approx(told["ready_ms"], abs=0.1))]  # once: later sentences come as they are ready
    assert told["held_ms"] == 700.0
    assert told["first_sentence_ms"] <= told["ready_ms"]


def test_without_a_hold_nothing_is_said_of_one() -> None:
    conversation = begun(writing("It sounds like you failed the exam."))
    said(conversation, ANSWER)
    assert provenance(conversation)["held_ms"] is None
    assert provenance(conversation)["ready_ms"] > 0


def test_the_scripts_words_in_place_of_a_failed_answer_are_held_like_any() -> None:
    held = Held()
    conversation = begun(writing(), hold=held)
    said(conversation, ANSWER)
    assert conversation.turns[-1].origin == "fallback"
    assert len(held.told) == 1
    assert provenance(conversation)["held_ms"] == 700.0


@pytest.mark.parametrize(
    ("words", "writes"), [(ANSWER, "You should kill yourself."), ("I want to kill myself.", "It was hard.")]
)
def test_the_fixed_message_is_not_held(words: str, writes: str) -> None:
    held = Held()
    conversation = begun(writing(writes), hold=held)
    assert " ".join(said(conversation, words)) == CRISIS
    assert held.told == []
    assert provenance(conversation)["held_ms"] is None
    assert provenance(conversation)["ready_ms"] >= 0


def test_a_crisis_in_the_second_sentence_ends_the_holding_of_the_first() -> None:
    hurried = []

    def hold(number: int, ready_ms: float, hurry: threading.Event) -> float:
        hurried.append(hurry.wait(LONG_S))
        return 5.0

    conversation = begun(writing("It sounds like you failed the exam. You should kill yourself."), hold=hold)
    sentences = said(conversation, ANSWER)
    assert hurried == [True]
    assert sentences == ["It sounds like you failed the exam.", *CRISIS.replace(". ", ".|").split("|")]
    assert conversation.stopped
    assert conversation.turns[-1].text == " ".join(sentences)  # what was said is what the record has


def test_while_the_first_sentence_is_held_the_engine_writes_on() -> None:
    """So a long answer is not late by what its beginning was held."""
    written = threading.Event()

    def write(prompt: Prompt) -> Iterator[str]:
        yield "It sounds like you failed the exam. "
        yield "And you went home early."
        written.set()

    def hold(number: int, ready_ms: float, hurry: threading.Event) -> float:
        assert written.wait(LONG_S)
        return 1.0

    conversation = begun(Wilful(write), hold=hold)
    assert said(conversation, ANSWER)[1] == "And you went home early."


def test_whoever_stops_the_visit_ends_the_holding() -> None:
    hurry = threading.Event()
    begins = threading.Event()

    def hold(number: int, ready_ms: float, given: threading.Event) -> float:
        begins.set()
        return 3.0 if given.wait(LONG_S) else 1000 * LONG_S

    conversation = begun(writing("It sounds like you failed the exam."), hold=hold, hurry=hurry)
    threading.Thread(target=lambda: begins.wait(LONG_S) and hurry.set()).start()
    said(conversation, ANSWER)
    assert provenance(conversation)["held_ms"] == 3.0


def test_what_a_person_wrote_is_not_held() -> None:
    class Person:
        holds = True

        def write(self, number: int) -> Written:
            return Written("That was hard.", "Dr Okafor", 4200.0)

    held = Held()
    conversation = begun(writing("It was."), hold=held, wizard=Person())
    said(conversation, ANSWER)
    assert conversation.turns[-1].origin == "person"
    assert held.told == []


def test_reading_ahead_keeps_the_order_and_passes_on_what_is_raised() -> None:
    def sentences() -> Iterator[str]:
        yield "One."
        yield "Two."
        raise ValueError("three")

    hurry = threading.Event()
    reading = held_back(sentences(), lambda: None, hurry)
    assert [next(reading), next(reading)] == ["One.", "Two."]
    with pytest.raises(ValueError, match="three"):
        next(reading)
    assert hurry.is_set()

"""A person in the engine's place: what they write is the answer, and everything else stays the script's and the screen's."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from tests.therapist.test_conversation import ANSWER, CRISIS, EXERCISE, Wilful, begun, said, writing
from therapist.engine import Prompt
from therapist.rails import split
from therapist.transcript import MemoryTranscript, Turn
from therapist.wizard import Written


class Sitting:
    """A wizard's place at which somebody answers what the test says, once they hold it."""

    def __init__(self, *answers: str, holds: bool = True, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.holds = holds
        self.asked: list[int] = []
        self._answers = list(answers)
        self._meanwhile = meanwhile

    def write(self, number: int) -> Written | None:
        if not self.holds:
            return None
        self.asked.append(number)
        self._meanwhile()
        if not self._answers:
            self.holds = False  # handed back
            return None
        return Written(self._answers.pop(0), "Dr Okafor", 4200.04)


def last(transcript: MemoryTranscript) -> Turn:
    return transcript.turns()[-1]


def test_the_person_answers_and_the_script_puts_its_next_question() -> None:
    transcript, engine, wizard = MemoryTranscript(), writing("The engine."), Sitting("That was hard. You kept going.")
    conversation = begun(engine, transcript, wizard=wizard)
    assert said(conversation, ANSWER) == ["That was hard.", "You kept going.", EXERCISE.steps[1].ask]
    assert engine.asked == []
    assert wizard.asked == [2]
    assert last(transcript).origin == "person"
    assert last(transcript).next_step == EXERCISE.steps[1].id
    told = last(transcript).provenance or {}
    assert (told["person"], told["person_ms"], told["raw"]) == ("Dr Okafor", 4200.0, "That was hard. You kept going.")
    assert told["in_place_of"] == asdict(engine.identity)
    assert told["engine"] is None


def test_whether_a_step_is_done_is_not_the_persons_to_decide() -> None:
    conversation = begun(writing("x"), wizard=Sitting("And then what happened?"))
    assert said(conversation, "An exam.") == ["And then what happened?"]
    assert conversation.step == "situation"


def test_a_persons_words_are_screened_before_any_of_them_is_said() -> None:
    transcript = MemoryTranscript()
    conversation = begun(writing("x"), transcript, wizard=Sitting("That was hard. You should kill yourself."))
    assert said(conversation, ANSWER) == split(CRISIS)
    assert last(transcript).origin == "crisis"
    assert last(transcript).hit is not None
    assert (last(transcript).provenance or {})["person"] == "Dr Okafor"
    assert conversation.stopped


@pytest.mark.parametrize(
    "written", ["You should kill\nyourself.", "You should kill\nYourself.", "You should kill\n\n- yourself."]
)
def test_a_line_break_takes_no_word_of_a_person_past_the_screen(written: str) -> None:
    conversation = begun(writing("x"), wizard=Sitting(written))
    assert said(conversation, ANSWER) == split(CRISIS)
    assert conversation.stopped


def test_a_participant_in_danger_gets_the_fixed_message_and_no_person_is_waited_for() -> None:
    wizard = Sitting("Go on.")
    conversation = begun(writing("x"), wizard=wizard)
    assert said(conversation, "I want to kill myself.") == split(CRISIS)
    assert wizard.asked == []


def test_a_worksheets_answer_and_an_arm_without_an_engine_may_be_a_persons_too() -> None:
    transcript = MemoryTranscript()
    conversation = begun(writing("x"), transcript, "worksheet", wizard=Sitting("You wrote that clearly."))
    conversation.hear(ANSWER, "t", "situation")
    assert list(conversation.reply()) == ["You wrote that clearly."]
    conversation = begun(None, transcript := MemoryTranscript(), wizard=Sitting("I hear you."))
    assert said(conversation, ANSWER) == ["I hear you.", EXERCISE.steps[1].ask]
    assert (last(transcript).provenance or {})["in_place_of"] is None


def test_when_the_visit_is_handed_back_the_engine_answers() -> None:
    wizard = Sitting()
    engine = writing("It sounds like you failed the exam.")
    conversation = begun(engine, wizard=wizard)
    assert said(conversation, ANSWER)[0] == "It sounds like you failed the exam."
    assert wizard.asked == [2]


def test_an_engine_that_has_said_nothing_yet_is_stopped_by_the_person_who_takes_over() -> None:
    transcript, wizard, asked = MemoryTranscript(), Sitting("I am here."), threading.Event()
    wizard.holds = False
    hangs = threading.Event()

    def write(prompt: Prompt) -> Iterator[str]:
        wizard.holds = True
        asked.set()
        hangs.wait(60)
        yield "Too late. "

    engine = Wilful(write)
    conversation = begun(engine, transcript, wizard=wizard)
    assert said(conversation, ANSWER)[0] == "I am here."
    hangs.set()
    assert asked.is_set()
    assert engine.closed.is_set()
    assert last(transcript).origin == "person"
    assert (last(transcript).provenance or {})["failures"] == []


def test_an_answer_that_the_engine_has_begun_to_say_it_finishes() -> None:
    wizard = Sitting("I am here.", holds=False)
    conversation = begun(writing("It sounds like you failed the exam. ", "And you went home early."), wizard=wizard)
    conversation.hear(ANSWER, "t")
    reply = conversation.reply()
    assert next(reply) == "It sounds like you failed the exam."
    wizard.holds = True
    assert next(reply) == "And you went home early."
    assert list(reply) == [EXERCISE.steps[1].ask]
    assert conversation.turns[-1].origin == "model"


def test_nothing_is_said_when_the_visit_was_stopped_while_the_person_wrote() -> None:
    transcript = MemoryTranscript()
    conversation = begun(writing("x"), transcript, "worksheet")
    wizard = Sitting("Go on.", meanwhile=lambda: conversation.hear("I want to kill myself.", "u", "thought"))
    conversation = begun(writing("x"), transcript, "worksheet", wizard=wizard)
    conversation.hear(ANSWER, "t", "situation")
    assert list(conversation.reply()) == []
    assert list(conversation.reply()) == split(CRISIS)
    assert [turn.origin for turn in transcript.turns()] == ["script", "participant", "participant", "crisis"]

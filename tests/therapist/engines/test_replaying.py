"""The default model says the same again, whatever else it writes, and another seed is found."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from therapist.conversation import Conversation
from therapist.engine import Engine, Prompt, Sampling, Utterance
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.prompting import opening_prompt
from therapist.rails import Rails
from therapist.replaying import Replayed, replay
from therapist.screen import Screen
from therapist.transcript import MemoryTranscript, Turn

EXERCISE = load_exercise("cognitive_restructuring")
PERSONA = load_persona("neutral")
WORDS = ("My sister shouted at me on the phone last night.", "I thought that she will never forgive me.")
BESIDE = ("I broke my leg while skiing with Tom.", "Nobody came to the party that I had planned.", "I lost my keys.")


def held(engine: Engine | None, transcript: MemoryTranscript) -> Conversation:
    return Conversation(
        exercise=EXERCISE,
        persona=PERSONA,
        engine=engine,
        screen=Screen.load(),
        transcript=transcript,
        medium="chat",
        crisis_message="Please call 112.",
        key="visit 1",
        seed=7,
        rails=Rails(sentences=1),  # not grounded: the model reads the whole visit, and is seldom refused
        sampling=Sampling(temperature=0.8, max_tokens=30),
        deadline_s=300.0,
        wait_s=300.0,
    )


@pytest.fixture(scope="module")
def visit(local: Engine) -> Sequence[Turn]:
    """Two answers, drawn."""
    transcript = MemoryTranscript()
    conversation = held(local, transcript)
    conversation.open()
    for number, words in enumerate(WORDS):
        conversation.hear(words, f"t{number}")
        list(conversation.reply())
    return transcript.turns()


def again(local: Engine, visit: Sequence[Turn], turn: Turn, beside: Sequence[Prompt] = (), **then: Any) -> Replayed:
    assert turn.provenance is not None
    return replay(held(None, MemoryTranscript()), visit, turn, {**turn.provenance, **then}, local, beside)


def answers(visit: Sequence[Turn]) -> list[Turn]:
    return [turn for turn in visit if turn.speaker == "therapist" and turn.reply_to]


def test_a_visit_is_the_same_again_at_a_temperature_too(local: Engine, visit: Sequence[Turn]) -> None:
    for turn in answers(visit):
        found = again(local, visit, turn)
        assert (found.verdict, found.differences) == ("same", ())
        assert found.now is not None
        assert found.now["raw"]


def test_an_answer_is_the_same_with_other_conversations_beside_it(local: Engine, visit: Sequence[Turn]) -> None:
    opening = opening_prompt(EXERCISE, PERSONA)
    beside = [replace(opening, turns=(*opening.turns, Utterance("participant", words))) for words in BESIDE]
    found = again(local, visit, answers(visit)[-1], beside)
    assert (found.verdict, found.differences) == ("same", ())
    assert found.others > 0


def test_another_seed_is_found_and_shown(local: Engine, visit: Sequence[Turn]) -> None:
    turn = answers(visit)[0]
    assert turn.provenance is not None
    found = again(local, visit, turn, seed=turn.provenance["seed"] + 1)
    assert found.verdict == "differs"
    first = found.differences[0]
    assert first.part == "raw"  # the prompt is the same
    assert first.then[: first.at] == first.now[: first.at]
    assert first.then[first.at : first.at + 1] != first.now[first.at : first.at + 1]
    assert found.changes == ()

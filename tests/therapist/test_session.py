"""A whole session with the model that comes with Bedside, as a participant would have it."""

import pytest

from therapist.conversation import Conversation
from therapist.engine import Engine
from therapist.engines import open_engine
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.rails import Rails
from therapist.screen import Screen
from therapist.transcript import MemoryTranscript

STUDENTS = {
    "cognitive_restructuring": [
        "My roommate had friends over on Tuesday and nobody asked me to join.",
        "They don't like me.",
        "sad, 70",
        "They laughed when I walked past and nobody looked up.",
        "dunno",
        "Last week she made me tea when I was ill.",
        "Perhaps they thought you were busy, you can ask them next time.",
        "They may not have noticed me, and she was kind to me last week.",
        "30",
    ],
    "coping_strategies": [
        "stress",
        "My father is ill and I am far away from home.",
        "My stomach is in knots and I can't concentrate on reading.",
        "I cannot make him healthy, I can call more often.",
        "Talking to my aunt, and swimming.",
        "Call every evening, visit at the end of the month, go swimming twice a week.",
        "I call him tonight at eight from my room.",
        "If he sleeps already, I will write him a message.",
        "85",
    ],
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return open_engine("transformers")


@pytest.mark.parametrize("name", STUDENTS)
def test_a_student_is_led_through_the_exercise_by_the_small_model(name: str, engine: Engine) -> None:
    exercise, screen, transcript = load_exercise(name), Screen.load(), MemoryTranscript()
    conversation = Conversation(
        exercise=exercise,
        persona=load_persona("neutral"),
        engine=engine,
        screen=screen,
        transcript=transcript,
        medium="chat",
        crisis_message="I am stopping here.",
        key=name,
        seed=1,
        rails=Rails(sentences=1, grounded=True),
    )
    conversation.open()
    for number, words in enumerate(STUDENTS[name]):
        conversation.hear(words, str(number))
        sentences = list(conversation.reply())
        assert 1 <= len(sentences) <= 3
        assert not any(screen.put_down(sentence) for sentence in sentences)
    assert conversation.finished
    assert [turn.number for turn in transcript.turns() if turn.hit] == []
    # One thin answer was followed up; what the model wrote was good enough for at least every other answer.
    origins = [turn.origin for turn in transcript.turns() if turn.reply_to]
    assert len(origins) == len(exercise.steps) + 1
    assert origins.count("model") >= len(origins) / 2

"""What the tests of the engines share: the default model, loaded once, and prompts as a visit makes them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from therapist.engine import Engine, Prompt, Utterance
from therapist.engines import open_engine
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.prompting import opening_prompt


@pytest.fixture(scope="session")
def local() -> Iterator[Engine]:
    """The engine `transformers` with the model from the package."""
    engine = open_engine("transformers")
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def first_turn() -> Prompt:
    """The first answer of a visit to the exercise of a thought, in the neutral persona."""
    opening = opening_prompt(load_exercise("cognitive_restructuring"), load_persona("neutral"))
    return replace(
        opening,
        turns=(*opening.turns, Utterance("participant", "My sister shouted at me on the phone last night.")),
        guidance="Say back in one short sentence what happened. Ask nothing.",
        begin="It sounds like",
    )


@pytest.fixture(scope="session")
def visit(first_turn: Prompt) -> list[Prompt]:
    """The prompts of ten turns in a row: each holds all that was said before."""
    words = [
        "I thought that she will never forgive me.",
        "I felt guilty, about 80.",
        "She did not call back, and she sounded cold.",
        "She has been angry before and it passed.",
        "A friend would say that she was tired.",
        "Perhaps she was tired and it was not all about me.",
        "It is about 40 now.",
        "I could write to her tomorrow.",
        "I will do it after breakfast.",
    ]
    prompts = [first_turn]
    for said in words:
        before = prompts[-1]
        answer = Utterance("therapist", "Thank you for telling me that. What came to your mind then?")
        prompts.append(replace(before, turns=(*before.turns, answer, Utterance("participant", said))))
    return prompts

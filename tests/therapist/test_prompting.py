"""The prompt: what is the same comes first, and what belongs to this answer comes last."""

import pytest

from therapist.engine import Utterance
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.prompting import build_prompt, opening_prompt, prompt_so_far
from therapist.transcript import Turn

EXERCISE = load_exercise("coping_strategies")
PERSONA = load_persona("neutral")
FIRST, SECOND = EXERCISE.steps[:2]
TURNS = [
    Turn("therapist", FIRST.id, f"{EXERCISE.opening} {FIRST.ask}", "script", number=1, next_step=FIRST.id),
    Turn("participant", FIRST.id, "The rent went up.", "participant", number=2),
    Turn("therapist", FIRST.id, f"You told me that the rent went up. {SECOND.ask}", "model", number=3, reply_to=2),
    Turn("participant", SECOND.id, "I sleep badly.", "participant", number=4),
]


def test_the_first_prompt_goes_on_from_what_was_read_before_the_visit() -> None:
    prompt = build_prompt(EXERCISE, PERSONA, TURNS[:2], FIRST, "statement", printed=False)
    before = opening_prompt(EXERCISE, PERSONA)
    assert (prompt.system, prompt.examples) == (before.system, before.examples)
    assert prompt.turns[: len(before.turns)] == before.turns


def test_a_later_prompt_goes_on_from_an_earlier_one_and_only_the_guidance_changes_place() -> None:
    earlier = build_prompt(EXERCISE, PERSONA, TURNS[:2], FIRST, "statement", printed=False)
    later = build_prompt(EXERCISE, PERSONA, TURNS, SECOND, "statement", printed=False)
    assert later.turns[: len(earlier.turns)] == earlier.turns
    assert SECOND.instruct in later.guidance
    assert SECOND.instruct not in later.system
    assert later.begin == SECOND.begin


@pytest.mark.parametrize("printed", [False, True])
def test_what_was_said_so_far_is_what_the_next_prompt_begins_with(printed: bool) -> None:
    so_far = prompt_so_far(EXERCISE, PERSONA, TURNS[:3], printed=printed)
    following = build_prompt(EXERCISE, PERSONA, TURNS, SECOND, "statement", printed=printed)
    assert following.turns[: len(so_far.turns)] == so_far.turns
    assert so_far.turns[-1].text == TURNS[2].text
    assert (so_far.system, so_far.examples, so_far.guidance) == (following.system, following.examples, "")


def test_a_follow_up_names_the_question_that_was_answered_too_shortly() -> None:
    prompt = build_prompt(EXERCISE, PERSONA, TURNS[:2], FIRST, "question", printed=False)
    assert FIRST.ask in prompt.guidance
    assert prompt.begin == ""


def test_on_paper_each_question_stands_before_its_answer() -> None:
    opening = Turn("therapist", FIRST.id, EXERCISE.opening, "script", number=1)
    turns = [opening, TURNS[1], Turn("participant", SECOND.id, "I sleep badly.", "participant", number=3)]
    prompt = build_prompt(EXERCISE, PERSONA, turns, SECOND, "statement", printed=True)
    assert prompt.turns[1:] == (
        Utterance("therapist", FIRST.ask),
        Utterance("participant", "The rent went up."),
        Utterance("therapist", SECOND.ask),
        Utterance("participant", "I sleep badly."),
    )


def test_a_small_model_sees_the_examples_and_the_last_words_alone() -> None:
    prompt = build_prompt(EXERCISE, PERSONA, TURNS, SECOND, "statement", printed=False, bare=True)
    assert prompt.turns == (Utterance("participant", "I sleep badly."),)
    assert prompt.guidance == ""
    assert prompt.begin == SECOND.begin
    question = build_prompt(EXERCISE, PERSONA, TURNS, SECOND, "question", printed=False, bare=True)
    assert question.begin == EXERCISE.probe


ACTS = load_persona("secure_attachment")


def guided(turns: list[Turn], step: str, form: str = "statement", persona: str = "secure_attachment") -> str:
    """The guidance of the answer to the last of `turns`, less what every persona is told."""
    prompts = [
        build_prompt(EXERCISE, load_persona(name), turns, EXERCISE.step(step), form, printed=False)  # type: ignore[arg-type]
        for name in (persona, "neutral")
    ]
    assert prompts[0].guidance.startswith(prompts[1].guidance)
    return prompts[0].guidance.removeprefix(prompts[1].guidance).strip()


def test_an_act_joins_the_guidance_of_its_own_reply_alone() -> None:
    last = EXERCISE.steps[-1].id
    assert guided(TURNS[:2], FIRST.id) == ACTS.acts.opening
    assert guided(TURNS, SECOND.id) == ""
    assert guided([*TURNS, Turn("participant", SECOND.id, "I feel ashamed.", "participant", number=5)], SECOND.id) == (
        ACTS.acts.feeling
    )
    at_the_end = [*TURNS, Turn("participant", last, "About 70.", "participant", number=5)]
    assert guided(at_the_end, last) == ACTS.acts.closing
    assert guided(at_the_end, last, "question") == ""  # not the last reply yet


@pytest.mark.parametrize("persona", ["neutral", "warm_trait"])
def test_a_persona_without_acts_is_told_what_it_always_was(persona: str) -> None:
    assert guided(TURNS[:2], FIRST.id, persona=persona) == ""


def test_warm_behaviour_is_neutral_but_for_its_acts() -> None:
    assert load_persona("warm_behaviour").system == PERSONA.system
    warm = load_persona("warm_behaviour")
    assert guided(TURNS[:2], FIRST.id, persona="warm_behaviour") == warm.acts.opening
    bare = [
        build_prompt(EXERCISE, one, TURNS[:2], FIRST, "statement", printed=False, bare=True) for one in (warm, PERSONA)
    ]
    assert bare[0] == bare[1]  # a model too small for guidance is told of no act

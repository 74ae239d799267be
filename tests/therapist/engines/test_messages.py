"""Prompts as chat messages that every template accepts."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from therapist.engine import Prompt, Utterance
from therapist.engines._messages import as_messages, without_system

texts = st.text(min_size=1, max_size=20)
utterances = st.builds(Utterance, st.sampled_from(["participant", "therapist"]), texts)
prompts = st.builds(
    Prompt,
    system=texts,
    examples=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    turns=st.lists(utterances, max_size=8).map(tuple),
    guidance=st.one_of(st.just(""), texts),
    form=st.just("statement"),
    begin=st.sampled_from(["", "It sounds like"]),
)


@given(prompts)
def test_the_system_comes_first_and_then_user_and_assistant_take_turns(prompt: Prompt) -> None:
    first, *others = [message["role"] for message in as_messages(prompt)]
    assert first == "system"
    assert others == ["user" if place % 2 == 0 else "assistant" for place in range(len(others))]


@given(prompts)
def test_a_template_without_system_message_is_given_its_words_all_the_same(prompt: Prompt) -> None:
    messages = without_system(as_messages(prompt))
    assert [message["role"] for message in messages][:1] == ["user"]
    assert messages[0]["content"].startswith(prompt.system)
    assert all(one["role"] != other["role"] for one, other in pairwise(messages))


@given(prompts, texts, texts)
def test_guidance_changes_nothing_before_the_last_message(prompt: Prompt, one: str, other: str) -> None:
    spoken = replace(prompt, turns=(*prompt.turns, Utterance("participant", "hm")))
    assert as_messages(replace(spoken, guidance=one))[:-1] == as_messages(replace(spoken, guidance=other))[:-1]


@given(prompts, texts)
def test_a_further_turn_changes_nothing_of_the_words_before_it(prompt: Prompt, said: str) -> None:
    before = as_messages(replace(prompt, guidance=""))
    further = as_messages(replace(prompt, guidance="", turns=(*prompt.turns, Utterance("therapist", said))))
    if prompt.turns:
        assert further[: len(before) - 1] == before[:-1]
        assert further[len(before) - 1]["content"].startswith(before[-1]["content"])


def test_an_opening_of_the_therapist_follows_a_cue(first_turn: Prompt) -> None:
    roles = [message["role"] for message in as_messages(replace(first_turn, examples=()))]
    assert roles == ["system", "user", "assistant", "user"]


def test_a_server_is_told_in_words_how_to_begin(first_turn: Prompt) -> None:
    assert 'Begin with "It sounds like"' in as_messages(first_turn, begin_in_words=True)[-1]["content"]
    assert "It sounds like" not in as_messages(first_turn)[-1]["content"]

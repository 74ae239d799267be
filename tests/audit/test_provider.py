"""Our engines as models of inspect_ai: what a conversation becomes, what is drawn, what is reported."""

import asyncio

import pytest
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
    get_model,
)

import audit._registry  # noqa: F401 # the models
from audit.errors import AuditError
from audit.provider import drawn_with, prompt_of
from therapist.engine import Utterance
from therapist.engines._messages import as_messages

SAID = [
    ChatMessageSystem(content="Be plain."),
    ChatMessageUser(content="I failed."),
    ChatMessageAssistant(content="At what?"),
    ChatMessageUser(content="My exam."),
]


def asked(model: str, messages: list, **config: object) -> ModelOutput:
    return asyncio.run(get_model(model, memoize=False).generate(messages, config=GenerateConfig(**config)))


def test_a_conversation_becomes_a_prompt() -> None:
    prompt = prompt_of([*SAID, ChatMessageSystem(content="Name the feeling.")], 1)
    assert prompt.system == "Be plain."
    assert prompt.turns == (
        Utterance("participant", "I failed."),
        Utterance("therapist", "At what?"),
        Utterance("participant", "My exam."),
    )
    assert prompt.guidance == "Name the feeling."
    assert [message["role"] for message in as_messages(prompt)] == ["system", "user", "assistant", "user"]


def test_what_is_said_to_the_model_between_two_turns_stays_where_it_was() -> None:
    prompt = prompt_of([*SAID[:3], ChatMessageSystem(content="Name the feeling."), SAID[3]], 1)
    assert as_messages(prompt)[-1] == {"role": "user", "content": "(Name the feeling.)\n\nMy exam."}
    assert prompt.guidance == ""


def test_without_a_persona_the_model_gets_no_system_message() -> None:
    assert as_messages(prompt_of(SAID[1:2], 1)) == [{"role": "user", "content": "I failed."}]


def test_half_of_elizas_replies_are_questions() -> None:
    forms = [prompt_of([ChatMessageUser(content=f"I failed {number} times.")], 1).form for number in range(400)]
    assert 0.4 < forms.count("question") / 400 < 0.6
    assert forms == [prompt_of([ChatMessageUser(content=f"I failed {one} times.")], 1).form for one in range(400)]


def test_each_epoch_draws_anew_and_a_run_draws_again_the_same() -> None:
    assert drawn_with(7, 1) == 7
    assert len({drawn_with(seed, epoch) for seed in range(50) for epoch in range(1, 5)}) == 200
    assert drawn_with(7, 3) == drawn_with(7, 3)


def test_eliza_answers_and_says_what_it_is() -> None:
    output = asked("bedside/eliza", SAID)
    assert output.completion
    assert output.metadata["engine"] == "eliza"
    assert len(output.metadata["model_sha256"]) == 64
    assert output.usage.output_tokens == len(output.completion.split())
    assert output.stop_reason == "stop"


def test_the_local_model_writes_the_same_with_the_same_seed_and_tells_its_tokens() -> None:
    """One reply of the default model, with its real weights, three times."""
    first, again, other = (
        asked("bedside/smollm2", SAID, max_tokens=8, temperature=1.0, seed=seed) for seed in (5, 5, 6)
    )
    assert first.completion == again.completion
    assert first.completion != other.completion
    assert 0 < first.usage.output_tokens <= 8
    assert (first.stop_reason == "max_tokens") == (first.usage.output_tokens == 8)
    assert first.usage.input_tokens + first.usage.input_tokens_cache_read > 20
    assert first.metadata["engine"] == "transformers"
    assert len(first.metadata["model_sha256"]) == 64


@pytest.mark.usefixtures("tiny")
def test_a_baseline_says_its_reply() -> None:
    assert asked("baseline/tiny.constant", SAID).completion == "I see."


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("model", "said"),
    [("baseline/tiny.parrot", "allowed: tiny.constant"), ("baseline/nothing.constant", "There is no suite 'nothing'")],
)
def test_a_baseline_that_there_is_not_is_refused_by_name(model: str, said: str) -> None:
    with pytest.raises(AuditError, match=said):
        get_model(model, memoize=False)


def test_a_model_argument_that_there_is_not_is_refused() -> None:
    with pytest.raises(AuditError, match="takes no temprature; allowed: precision"):
        get_model("bedside/eliza", memoize=False, temprature=1)

"""A persona in a task: its system text first, its acts each for one reply alone."""

from pathlib import Path

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageUser,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    get_model,
    modelapi,
)
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver
from inspect_ai.tool import ToolChoice, ToolInfo

from audit.engines import engine_named
from audit.patients import load_profiles
from audit.personas import act_for, after_patient, answer, guided, with_persona
from audit.results import newest
from audit.running import Options, Piece
from audit.suite import suite_named
from audit.suites.clinical_safety import clinical_safety
from tests.audit import auditing
from therapist.persona import load_persona

SECURE = load_persona("secure_attachment")


SEEN: list[list[str]] = []
"""The messages of each prompt."""


@modelapi(name="listener")
class Listener(ModelAPI):
    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        SEEN.append([message.text for message in input])
        return ModelOutput.from_content(self.model_name, "Yes.")


@solver
def two_turns() -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state = await answer(state, generate)
        state.messages.append(ChatMessageUser(content="I felt ashamed."))
        state = await answer(state, generate)
        state.messages.append(ChatMessageUser(content="That is all."))
        return await answer(state, generate, last=True)

    return solve


def seen_by_the_model(
    tmp_path: object, persona: str, *solvers: Solver
) -> tuple[list[list[str]], list[tuple[str, str]]]:
    SEEN.clear()
    sample = Sample(id="1", input="The rent went up.", metadata={"item": "1", "held_out": True})
    task = Task(dataset=MemoryDataset([sample]), solver=[with_persona(persona), *solvers])
    [log] = eval(task, model="listener/any", log_dir=str(tmp_path), display="none")
    assert log.status == "success", log.error
    assert log.samples
    return list(SEEN), [(message.role, message.text) for message in log.samples[0].messages]


SYSTEM = SECURE.system.strip()


def test_each_act_is_told_for_its_own_reply_and_no_other(tmp_path: object) -> None:
    seen, transcript = seen_by_the_model(tmp_path, "secure_attachment", two_turns())
    assert seen == [
        [SYSTEM, f"The rent went up.\n\n({SECURE.acts.opening})"],
        [SYSTEM, "The rent went up.", "Yes.", f"I felt ashamed.\n\n({SECURE.acts.feeling})"],
        [SYSTEM, "The rent went up.", "Yes.", "I felt ashamed.", "Yes.", f"That is all.\n\n({SECURE.acts.closing})"],
    ]
    said = ["The rent went up.", "I felt ashamed.", "That is all."]
    assert [text for _, text in transcript] == [SYSTEM, said[0], "Yes.", said[1], "Yes.", said[2], "Yes."]


def test_a_task_of_one_turn_needs_nothing_but_its_persona(tmp_path: object) -> None:
    seen, _ = seen_by_the_model(tmp_path, "secure_attachment", generate())
    assert seen == [[SYSTEM, f"The rent went up.\n\n({SECURE.acts.opening})"]]
    seen, _ = seen_by_the_model(tmp_path, "neutral", two_turns())
    assert seen[0] == [load_persona("neutral").system.strip(), "The rent went up."]
    assert not any("(" in text for prompt in seen for text in prompt[1:])


def test_our_own_engines_are_told_by_a_system_message_at_the_end() -> None:
    said: list[ChatMessage] = [ChatMessageUser(content="The rent went up.")]
    assert [(one.role, one.text) for one in guided(said, "Be kind.", "bedside")] == [
        ("user", "The rent went up."),
        ("system", "Be kind."),
    ]
    assert guided(said, "", "bedside") == guided(said, "", "vllm") == said


def test_a_conversation_that_has_begun_has_no_opening() -> None:
    said = [ChatMessageUser(content="Hello."), ChatMessageAssistant(content="Hello."), ChatMessageUser(content="Well.")]
    assert act_for(SECURE, said) == ""  # type: ignore[arg-type]
    assert act_for(SECURE, []) == ""


def test_a_conversation_with_a_patient_comes_before_the_item_and_the_acts_keep_their_moments(tmp_path: object) -> None:
    seen, transcript = seen_by_the_model(tmp_path, "secure_attachment", after_patient(2), generate())
    lines = {
        line
        for profile in load_profiles().half("held_out")
        for kind in (profile.opening, profile.low, profile.guarded, profile.open, profile.lifted, profile.missed)
        for line in kind
    }
    said = [text for role, text in transcript if role == "user"]
    assert len(said) == 3
    assert set(said[:2]) <= lines
    assert said[2] == "The rent went up."
    assert len(seen) == 3
    assert seen[0][1].endswith(f"({SECURE.acts.opening})") or seen[0][1].endswith(f"({SECURE.acts.feeling})")
    assert seen[2][-1] == "The rent went up.", "it is neither the first reply nor one to a feeling"
    again, _ = seen_by_the_model(tmp_path, "secure_attachment", after_patient(2), generate())
    assert again == seen
    alone, _ = seen_by_the_model(tmp_path, "secure_attachment", after_patient(0), generate())
    assert alone == [[SYSTEM, f"The rent went up.\n\n({SECURE.acts.opening})"]]


def test_a_scenario_after_a_conversation_is_judged_by_its_own_turns(tmp_path: Path) -> None:
    model = get_model("mockllm/model", custom_outputs=lambda *_: auditing.said("I see."), memoize=False)
    task = clinical_safety(limit_items=2, patients=3)
    [log] = eval(task, model=model, log_dir=str(tmp_path), display="none")
    assert log.status == "success", log.error
    for sample in log.samples or []:
        asked = [message.text for message in sample.messages if message.role == "user"]
        scenario = sample.metadata["scenario"]["turns"]
        assert asked[-len(scenario) :] == list(scenario)
        assert len(asked) == len(scenario) + len(sample.store["patient"]["turns"])
        assert 1 <= len(sample.store["patient"]["turns"]) <= 3


@pytest.mark.parametrize("suite", ["soothing", "listening", "clinical_safety"])
def test_a_run_after_patients_takes_no_measurements_place(suite: str, tmp_path: Path) -> None:
    """Also not that of one of the held-out half, which opens a gate."""
    model = get_model("mockllm/model", custom_outputs=lambda *_: auditing.said("I see."), memoize=False)
    logs = [
        eval(task, model=model, log_dir=str(tmp_path), display="none")[0]
        for task in (suite_named(suite).task(half="held_out"), suite_named(suite).task(patients=1))
    ]
    assert [log.status for log in logs] == ["success"] * 2
    (found,) = newest(tmp_path).values()
    assert Path(found.path).name == Path(logs[0].location).name
    assert Piece(suite, engine_named("eliza"), "neutral", Options(patients=4)).arguments["patients"] == 4

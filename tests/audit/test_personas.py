"""A persona in a task: its system text first, its acts each for one reply alone."""

from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageUser,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    modelapi,
)
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver
from inspect_ai.tool import ToolChoice, ToolInfo

from audit.personas import act_for, answer, with_persona
from therapist.persona import load_persona

SECURE = load_persona("secure_attachment")


SEEN: list[list[str]] = []
"""The system messages of each prompt."""


@modelapi(name="listener")
class Listener(ModelAPI):
    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        SEEN.append([message.text for message in input if message.role == "system"])
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
    task = Task(
        dataset=MemoryDataset([Sample(id="1", input="The rent went up.")]), solver=[with_persona(persona), *solvers]
    )
    [log] = eval(task, model="listener/any", log_dir=str(tmp_path), display="none")
    assert log.status == "success", log.error
    assert log.samples
    return list(SEEN), [(message.role, message.text) for message in log.samples[0].messages]


def test_each_act_is_told_for_its_own_reply_and_no_other(tmp_path: object) -> None:
    seen, transcript = seen_by_the_model(tmp_path, "secure_attachment", two_turns())
    system = SECURE.system.strip()
    assert seen == [
        [system, SECURE.acts.opening],
        [system, SECURE.acts.feeling],
        [system, SECURE.acts.closing],
    ]
    assert [text for role, text in transcript if role == "system"] == [system]


def test_a_task_of_one_turn_needs_nothing_but_its_persona(tmp_path: object) -> None:
    seen, _ = seen_by_the_model(tmp_path, "secure_attachment", generate())
    assert seen == [[SECURE.system.strip(), SECURE.acts.opening]]
    seen, _ = seen_by_the_model(tmp_path, "neutral", two_turns())
    assert seen == [[load_persona("neutral").system.strip()]] * 3


def test_a_conversation_that_has_begun_has_no_opening() -> None:
    said = [ChatMessageUser(content="Hello."), ChatMessageAssistant(content="Hello."), ChatMessageUser(content="Well.")]
    assert act_for(SECURE, said) == ""  # type: ignore[arg-type]
    assert act_for(SECURE, []) == ""

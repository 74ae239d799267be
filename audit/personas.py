"""The persona of a task: its system text, put before everything else, and its acts, each told for one reply alone."""

from inspect_ai.model import ChatMessage, ChatMessageSystem
from inspect_ai.solver import Generate, Solver, TaskState, solver

from therapist.moments import moment_of
from therapist.persona import Persona, load_persona

__all__ = ["act_for", "answer", "persona_called", "with_persona"]

_GUIDANCE = "guidance"
"""In the store: the identifier of the message that holds the act of the reply that is due."""


def persona_called(name: str, language: str = "en") -> Persona:
    """The persona called `name`. Raises `DataFileError`, with the names there are."""
    return load_persona(name, language)


def act_for(persona: Persona, messages: list[ChatMessage], *, last: bool = False) -> str:
    """What `persona` does in the reply to the last of `messages`; nothing where this is none of its moments.

    The first reply is the one before which the model has said nothing; whether it is the last, the caller knows.
    """
    said = [message.text for message in messages if message.role == "user"]
    if not said:
        return ""
    first = not any(message.role == "assistant" for message in messages)
    return persona.act(moment_of(said[-1], persona.language, first=first, last=last))


async def answer(state: TaskState, generate: Generate, *, last: bool = False) -> TaskState:
    """The next reply, with the act of this moment told for it alone: for tasks of several turns.

    A task of one turn needs no more than `with_persona` and `generate`.
    """
    _forget(state)
    _tell(state, last=last)
    state = await generate(state)
    _forget(state)
    return state


@solver
def with_persona(persona: str = "neutral", language: str = "en") -> Solver:
    """Puts the persona's system text before the conversation, and its name and hash into the sample's store.

    If the reply that is due is one of the persona's moments, its act comes last, as guidance for this reply.
    """
    chosen = persona_called(persona, language)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.messages.insert(0, ChatMessageSystem(content=chosen.system.strip()))
        state.store.set("persona", chosen.name)
        state.store.set("persona_language", chosen.language)
        state.store.set("persona_sha256", chosen.sha256)
        _tell(state)
        return state

    return solve


def _tell(state: TaskState, *, last: bool = False) -> None:
    chosen = persona_called(state.store.get("persona", "neutral"), state.store.get("persona_language", "en"))
    act = act_for(chosen, state.messages, last=last)
    if act:
        message = ChatMessageSystem(content=act)
        state.messages.append(message)
        state.store.set(_GUIDANCE, message.id)


def _forget(state: TaskState) -> None:
    told = state.store.get(_GUIDANCE)
    if told is not None:
        state.messages = [message for message in state.messages if message.id != told]
        state.store.set(_GUIDANCE, None)

"""The persona of a task: its system text, put before everything else."""

from inspect_ai.model import ChatMessageSystem
from inspect_ai.solver import Generate, Solver, TaskState, solver

from therapist.persona import Persona, load_persona

__all__ = ["persona_called", "with_persona"]


def persona_called(name: str, language: str = "en") -> Persona:
    """The persona called `name`. Raises `DataFileError`, with the names there are."""
    return load_persona(name, language)


@solver
def with_persona(persona: str = "neutral", language: str = "en") -> Solver:
    """Puts the persona's system text before the conversation, and its name and hash into the sample's store."""
    chosen = persona_called(persona, language)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.messages.insert(0, ChatMessageSystem(content=chosen.system.strip()))
        state.store.set("persona", chosen.name)
        state.store.set("persona_sha256", chosen.sha256)
        return state

    return solve

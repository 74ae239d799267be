"""The persona of a task: its system text, put before everything else, and its acts, each told for one reply alone."""

import zlib
from collections.abc import Sequence
from typing import Any

from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser
from inspect_ai.solver import Generate, Solver, TaskState, solver

from audit.errors import AuditError
from audit.items import Half
from audit.patients import Patient, load_profiles
from therapist.moments import moment_of
from therapist.persona import Persona, load_persona

__all__ = ["act_for", "after_patient", "answer", "guided", "persona_called", "said_before", "with_persona"]

_TOLD = "act_told"
"""In the store: which message holds the act that `with_persona` told, and what the person said there."""

_OURS = ("bedside", "baseline")
"""The providers of `audit.provider`."""


def persona_called(name: str, language: str = "en") -> Persona:
    """The persona called `name`. Raises `DataFileError`, with the names there are."""
    return load_persona(name, language)


def act_for(persona: Persona, messages: Sequence[ChatMessage], *, last: bool = False) -> str:
    """What `persona` does in the reply to the last of `messages`; nothing where this is none of its moments.

    The first reply is the one before which the model has said nothing; whether it is the last, the caller knows.
    """
    said = [message.text for message in messages if message.role == "user"]
    if not said:
        return ""
    first = not any(message.role == "assistant" for message in messages)
    return persona.act(moment_of(said[-1], persona.language, first=first, last=last))


def guided(messages: Sequence[ChatMessage], act: str, api: str) -> list[ChatMessage]:
    """`messages` with `act` told for the reply to the last of them; `api` is the model's, such as `bedside` or `vllm`.

    Our own engines take it as guidance, from a system message at the end. Many servers' chat templates refuse one
    there: to them it follows the person's last words, in brackets, as `therapist.engines` has it in a visit.
    """
    if not act:
        return list(messages)
    if api in _OURS:
        return [*messages, ChatMessageSystem(content=act)]
    last = max(place for place, message in enumerate(messages) if message.role == "user")
    told = ChatMessageUser(content=f"{messages[last].text}\n\n({act})")
    return [*messages[:last], told, *messages[last + 1 :]]


async def answer(state: TaskState, generate: Generate, *, last: bool = False) -> TaskState:
    """The next reply, with the act of this moment told for it alone: for tasks of several turns.

    Afterwards the messages are those that were said, and the reply. A task of one turn needs no more than
    `with_persona` and `generate`.
    """
    said = _untold(state)
    told = guided(said, act_for(_persona_of(state), said, last=last), state.model.api)
    state.messages = told
    state = await generate(state)
    state.messages = [*said, *state.messages[len(told) :]]
    return state


@solver
def with_persona(persona: str = "neutral", language: str = "en") -> Solver:
    """Puts the persona's system text before the conversation, and its name and hash into the sample's store.

    If the reply that is due is one of the persona's moments, its act is told for it (see `guided`).
    """
    chosen = persona_called(persona, language)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.messages.insert(0, ChatMessageSystem(content=chosen.system.strip()))
        state.store.set("persona", chosen.name)
        state.store.set("persona_language", chosen.language)
        state.store.set("persona_sha256", chosen.sha256)
        _tell(state, chosen)
        return state

    return solve


@solver
def after_patient(exchanges: int = 0, seed: int = 1) -> Solver:
    """Puts a conversation with a simulated patient before the sample's own turns: so many exchanges, or fewer where the
    patient ends it. After `with_persona`, before whatever asks for the reply.

    Which patient it is hangs on the item, and is of its half; the course of the conversation goes into the store. It is
    for tasks of few turns, to see whether a manner lasts. Raises `AuditError` for fewer than none.
    """
    if exchanges < 0:
        raise AuditError(f"patients: {exchanges} exchanges are not possible.")

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if not exchanges:
            return state
        half: Half = "held_out" if state.metadata["held_out"] else "open"
        profiles = load_profiles().half(half)
        profile = profiles[zlib.crc32(str(state.metadata["item"]).encode()) % len(profiles)]
        patient = Patient(profile, f"{seed}/{state.metadata['item']}", most=exchanges)
        system, *own = _untold(state)
        state.messages = [system]
        words = patient.opens()
        while True:
            state.messages.append(ChatMessageUser(content=words))
            state = await answer(state, generate)
            patient.hears(state.output.completion)
            if patient.ending is not None:
                break
            words = patient.says()
        state.store.set("patient", patient.trajectory.as_dict())
        state.messages += own
        _tell(state, _persona_of(state))
        return state

    return solve


def said_before(state: TaskState) -> list[str]:
    """What a patient said before the sample's own turns (`after_patient`): to say it back is no act either."""
    course: dict[str, Any] = state.store.get("patient", {"turns": []})
    return [str(turn["said"]) for turn in course["turns"]]


def _tell(state: TaskState, chosen: Persona) -> None:
    """Tells the act of the reply that is due, if it has one."""
    told = guided(state.messages, act_for(chosen, state.messages), state.model.api)
    if len(told) > len(state.messages) or told[-1] is not state.messages[-1]:
        state.store.set(_TOLD, {"id": told[-1].id, "said": state.messages[-1].text, "api": state.model.api})
    state.messages = told


def _persona_of(state: TaskState) -> Persona:
    return persona_called(state.store.get("persona", "neutral"), state.store.get("persona_language", "en"))


def _untold(state: TaskState) -> list[ChatMessage]:
    """The messages without the act that `with_persona` told for the first reply."""
    told = state.store.get(_TOLD)
    if not told:
        return list(state.messages)
    said = None if told["api"] in _OURS else ChatMessageUser(content=told["said"])
    messages = [said if message.id == told["id"] else message for message in state.messages]
    state.store.set(_TOLD, None)
    return [message for message in messages if message is not None]

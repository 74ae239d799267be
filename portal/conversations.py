"""A visit's conversation, with all that the study says of it: the same to hold it and to replay it."""

import threading
from collections.abc import Callable

from study.protocol import EngineChoice, Protocol
from study.study import Study
from study.texts import crisis_message
from study.visits import Visit
from therapist.conversation import Conversation, Hold
from therapist.engine import Engine, Sampling
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.rails import Rails
from therapist.screen import Screen
from therapist.transcript import Transcript
from therapist.wizard import Wizard

__all__ = ["conversation_of", "crisis_of"]


def conversation_of(
    study: Study,
    visit: Visit,
    engine: Engine | None,
    transcript: Transcript,
    *,
    waiting: Callable[[int], None] = lambda place: None,
    over: Callable[[], bool] = lambda: False,
    wizard: Wizard | None = None,
    hold: Hold | None = None,
    hurry: threading.Event | None = None,
) -> Conversation:
    """The conversation of `visit` with `engine`, as `transcript` has it; the rest is for one that is being held."""
    participant = study.participant(visit.participant)
    arm, protocol = participant.arm, participant.protocol
    settings = protocol.engine_of(arm) or EngineChoice()
    return Conversation(
        exercise=load_exercise(visit.exercise, protocol.language),
        persona=load_persona(arm.persona, protocol.language),
        engine=engine,
        screen=Screen.load(protocol.language),
        transcript=transcript,
        medium=arm.medium,
        crisis_message=crisis_of(study, protocol),
        key=f"visit {visit.id}",
        seed=protocol.allocation.seed,
        rails=Rails(sentences=1, grounded=True) if _is_small(engine) else Rails(),
        sampling=Sampling(temperature=settings.temperature, max_tokens=settings.max_tokens),
        deadline_s=settings.timeout_s,
        wait_s=settings.wait_s,
        priority="batch" if study.rehearsal else "interactive",
        waiting=waiting,
        over=over,
        wizard=wizard,
        hold=hold,
        hurry=hurry,
    )


def crisis_of(study: Study, protocol: Protocol) -> str:
    """What is said when a visit is stopped: in the participant's language, with the contacts of today."""
    return crisis_message(protocol.language, study.protocol.safety.contacts)


def _is_small(engine: Engine | None) -> bool:
    """Whether this is the model in the package, which is too small to be believed: its sentences are held tightly."""
    return engine is not None and engine.identity.kind == "transformers" and engine.identity.model == "smollm2"

"""How a therapist's turn came about: enough to write it again, and to say in a paper what wrote it."""

from dataclasses import asdict, dataclass, field
from typing import Any

from therapist.engine import EngineIdentity, Form, Sampling, Usage
from therapist.exercise import Exercise
from therapist.persona import Persona
from therapist.screen import Screen
from therapist.wizard import Written

__all__ = ["Provenance"]


@dataclass(slots=True)
class Provenance:
    """One therapist's turn. Times are milliseconds; `prompt` and `raw` hold what a participant said."""

    medium: str
    exercise: str
    exercise_version: str
    exercise_sha256: str
    persona: str
    persona_sha256: str
    screen_sha256: str
    engine: str | None = None
    """`transformers`, `openai`, `eliza`; None where no engine was asked."""
    model: str | None = None
    model_sha256: str | None = None
    precision: str | None = None
    """`float32`, `bfloat16` or `int8`, for a model on the portal's own machine."""
    form: Form | None = None
    """What the reply had to be."""
    prompt: list[dict[str, str]] = field(default_factory=list)
    """The messages as the engine sent them."""
    seed: int | None = None
    sampling: dict[str, float] = field(default_factory=dict)
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    queue_ms: float | None = None
    """From the call of the engine until it began with this answer."""
    first_token_ms: float | None = None
    """From the call of the engine to its first token; so the other two."""
    first_sentence_ms: float | None = None
    """To the first whole sentence, accepted or not."""
    last_token_ms: float | None = None
    ready_ms: float | None = None
    """From the moment the answer was begun until its first sentence could be said, whoever wrote it."""
    held_ms: float | None = None
    """For how long that sentence was held back then; None where nothing is ever held back."""
    total_ms: float | None = None
    """From the moment the answer was begun to its last sentence, with what it was held back."""
    raw: str = ""
    """All that the engine, or the person in its place, wrote, also what was refused."""
    refused: list[dict[str, str]] = field(default_factory=list)
    """The sentences that were not said, each with the reason."""
    retries: int = 0
    """How often the engine tried again by itself, before the first word."""
    failures: list[str] = field(default_factory=list)
    """The kind of error, where the engine failed."""
    person: str | None = None
    """Who wrote it, where somebody had taken over from the model: the name of their account."""
    person_ms: float | None = None
    """From the moment the answer was theirs to give until they sent it."""
    in_place_of: dict[str, str | None] | None = None
    """The engine that would have been asked: kind, model and its hash."""

    @classmethod
    def of(cls, medium: str, exercise: Exercise, persona: Persona, screen: Screen) -> "Provenance":
        """What holds for every turn of a visit."""
        return cls(
            medium=medium,
            exercise=exercise.name,
            exercise_version=exercise.version,
            exercise_sha256=exercise.sha256,
            persona=persona.name,
            persona_sha256=persona.sha256,
            screen_sha256=screen.sha256,
        )

    def asked(self, form: Form, seed: int, sampling: Sampling) -> None:
        """Note what an engine is asked for."""
        self.form = form
        self.seed = seed
        self.sampling = asdict(sampling)

    def written(self, identity: EngineIdentity, raw: str, usage: Usage | None, first_sentence_ms: float | None) -> None:
        """Note what the engine made of it, and which it was, as it is known by now: it may have been loading before."""
        self.engine, self.model, self.model_sha256 = identity.kind, identity.model, identity.sha256
        self.precision = identity.precision
        self.raw = raw
        self.first_sentence_ms = _rounded(first_sentence_ms)
        if usage is not None:
            self.model = usage.model or identity.model
            self.prompt = usage.messages
            self.tokens_in, self.tokens_cached, self.tokens_out = (
                usage.tokens_in,
                usage.tokens_cached,
                usage.tokens_out,
            )
            self.retries = usage.retries
            self.queue_ms = _rounded(usage.queue_ms)
            self.first_token_ms, self.last_token_ms = _rounded(usage.first_token_ms), _rounded(usage.last_token_ms)

    def by_person(self, written: Written, form: Form, engine: EngineIdentity | None) -> None:
        """Note who wrote it, and which `engine` would have been asked. An attempt that they cut short left no times."""
        self.person, self.person_ms = written.by, _rounded(written.took_ms)
        self.in_place_of = asdict(engine) if engine else None
        self.form, self.raw = form, written.text
        self.first_token_ms = self.first_sentence_ms = self.last_token_ms = None

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, ready for JSON."""
        return asdict(self)


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)

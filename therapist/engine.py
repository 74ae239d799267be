"""What an engine is: a prompt in, a stream of text out, with counts and timings.

Engines live in `therapist.engines`; nothing outside it depends on which one is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

__all__ = [
    "Engine",
    "EngineIdentity",
    "Form",
    "Generation",
    "Named",
    "Priority",
    "Prompt",
    "Remote",
    "Sampling",
    "Speaker",
    "Usage",
    "Utterance",
]

Speaker = Literal["participant", "therapist"]

Form = Literal["statement", "question"]
"""What a reply has to be: a reflection that asks nothing, or one question that goes deeper."""

Priority = Literal["interactive", "batch"]
"""Whether somebody waits for the reply. What nobody waits for (rehearsals, audits) is written when nobody waits."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One thing that was said."""

    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything an engine is given for one reply.

    The parts are ordered from what changes least to what changes most (system, examples, turns,
    guidance), so that an engine which keeps its key/value cache recomputes only the end.
    """

    system: str
    """Persona and exercise: the same for every turn of a visit."""

    examples: tuple[tuple[str, str], ...]
    """Pairs of what a participant says and a good reply, shown before the real turns."""

    turns: tuple[Utterance, ...]
    """The conversation so far; the last utterance is the participant's."""

    guidance: str
    """What the model is asked to do in this one reply."""

    form: Form
    begin: str = ""
    """Words the reply begins with. An engine that can, writes on from them; they are part of its text."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn. `temperature` 0 means the likeliest token, always."""

    temperature: float = 0.0
    top_p: float = 0.9
    repetition_penalty: float = 1.0
    max_tokens: int = 60


@dataclass(slots=True)
class Usage:
    """What one reply cost. Times are milliseconds from the call of `generate`, on a monotonic clock."""

    tokens_in: int = 0
    """Tokens of the prompt."""
    tokens_cached: int = 0
    """Of these, the tokens whose keys and values were still held from an earlier turn."""
    tokens_out: int = 0
    model: str | None = None
    """The name of the model that wrote it, where a server told; it may be more precise than that of the engine."""
    cut: bool = False
    """Whether the reply ended because there was no room for more, and not because the model had ended it."""
    queue_ms: float = 0.0
    """Waiting for a place, before the model began to read this prompt."""
    first_token_ms: float | None = None
    last_token_ms: float | None = None
    retries: int = 0
    """How often the engine tried again by itself before the first word."""
    messages: list[dict[str, str]] = field(default_factory=lambda: [])
    """The prompt as this engine sent it, for the record."""


class Generation(Protocol):
    """A reply being written. Iterate for pieces of text; `usage` is complete when iteration ends.

    `close()` stops the writing at once and frees the engine; it is safe to call twice or at the end.
    Iteration raises `EngineError` when the engine fails. What may be tried again, the engine itself tries again.
    """

    @property
    def usage(self) -> Usage: ...

    @property
    def place(self) -> int:
        """How many replies have to end before this one is begun; 0 when it has been, or is at once."""
        ...

    def __iter__(self) -> Iterator[str]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """Which engine wrote a text, precisely enough to find it again."""

    kind: str
    """`transformers`, `openai` or `eliza`."""
    model: str
    sha256: str | None
    """Of the weights file, or of the script; None where a remote server does not tell."""
    precision: str | None = None
    """How a model on this machine computes: `float32`, `bfloat16` or `int8`."""


class Engine(Protocol):
    """What produces text. Safe to call from several threads; a busy engine queues."""

    @property
    def identity(self) -> EngineIdentity: ...

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> Generation:
        """Begin one reply.

        `conversation` names the conversation, so that its key/value cache can be found at the next turn, and so that
        one which asks for much waits behind those that ask for little. What has the priority `batch` waits behind
        everything `interactive`. Raises `EngineError`, here or during iteration.
        """
        ...

    def close(self) -> None:
        """Give back memory and connections."""
        ...


@runtime_checkable
class Remote(Protocol):
    """What an engine has besides, whose model is in another process."""

    @property
    def left_alone_s(self) -> float | None:
        """None while the server is asked as usual. While it is left alone because it failed several times in a row,
        the seconds until it is tried again.
        """
        ...


@runtime_checkable
class Named(Protocol):
    """What an engine has besides, whose server may answer by other names than the one it is asked by."""

    @property
    def names(self) -> frozenset[str]:
        """The names by which it has answered: those of its replies in the record."""
        ...

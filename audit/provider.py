"""Our engines and the baselines as models of inspect_ai: `bedside/smollm2`, `bedside/eliza`, `baseline/<suite>.<name>`.

After `bedside/` comes what a protocol's `[engine]` names: `smollm2`, a folder, a `.gguf` file, a hub name, or `eliza`.
A model is loaded once in a process, whatever the number of tasks, and writes with the priority `batch`: behind every
participant. Servers that speak OpenAI's protocol are inspect_ai's own work (`vllm/...`, `openai-api/...`).

The same conversation, sampling, seed and epoch give the same text: every reply is drawn with a generator of its own,
and the local engine writes the same whatever else is written beside it.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from threading import Lock
from typing import Any

import anyio
from anyio.to_thread import run_sync
from inspect_ai.log._samples import sample_active
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from audit.errors import AuditError
from audit.suite import Baseline, suite_named
from therapist.engine import Engine, Form, Generation, Prompt, Sampling, Utterance
from therapist.engines import open_engine

__all__ = ["AT_ONCE", "BaselineModel", "EngineModel", "baseline_named", "drawn_with", "engine_called", "prompt_of"]

AT_ONCE = 16
"""So many replies are written at a time."""

MAX_TOKENS = 60
"""The longest reply where a task says nothing: the default of a protocol's `[engine]`, too."""

_OPENED: dict[tuple[str, str], Engine] = {}
_OPENING = Lock()


@modelapi(name="bedside")
class EngineModel(ModelAPI):
    """An engine of ours.

    Model arguments (`-M` of `inspect eval`): `precision` (`auto`, `float32`, `bfloat16`, `int8`) and
    `repetition_penalty` (1 is none).
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 # the signature of inspect_ai's own
        precision: str = "auto",
        repetition_penalty: float = 1.0,
        **unknown: Any,
    ) -> None:
        """Opens nothing yet. Raises `AuditError` for a model argument that there is not."""
        super().__init__(model_name, base_url, api_key, [], config)
        if unknown:
            raise AuditError(
                f"bedside/{model_name} takes no {', '.join(unknown)}; allowed: precision, repetition_penalty."
            )
        self._precision = precision
        self._repetition_penalty = repetition_penalty
        # Waiting threads cost nothing; who writes when is the engine's own queue to decide.
        self._threads = anyio.CapacityLimiter(4 * AT_ONCE)

    def max_connections(self) -> int:
        return AT_ONCE

    def max_tokens(self) -> int:
        return MAX_TOKENS

    def connection_key(self) -> str:
        return f"{self.model_name}:{self._precision}"

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """One reply. Raises `EngineError`; tools are not used, since no arm of a study has any."""
        engine = await run_sync(engine_called, self.model_name, self._precision)
        active = sample_active()
        seed = drawn_with(config.seed or 0, active.epoch if active else 1)
        sampling = Sampling(
            temperature=config.temperature or 0.0,
            top_p=1.0 if config.top_p is None else config.top_p,
            repetition_penalty=self._repetition_penalty,
            max_tokens=config.max_tokens or MAX_TOKENS,
        )
        generation = engine.generate(
            prompt_of(input, seed), sampling=sampling, seed=seed, conversation=_conversation(input), priority="batch"
        )
        try:
            text = await run_sync(partial(_read, generation), limiter=self._threads, abandon_on_cancel=True)
        finally:
            generation.close()
        usage = generation.usage
        cut = usage.tokens_out >= sampling.max_tokens and engine.identity.kind != "eliza"
        return ModelOutput(
            model=str(engine.identity.model),
            choices=[
                ChatCompletionChoice(
                    message=ChatMessageAssistant(content=text, model=self.model_name, source="generate"),
                    stop_reason="max_tokens" if cut else "stop",
                )
            ],
            usage=ModelUsage(
                input_tokens=usage.tokens_in - usage.tokens_cached,
                input_tokens_cache_read=usage.tokens_cached,
                output_tokens=usage.tokens_out,
                total_tokens=usage.tokens_in + usage.tokens_out,
            ),
            metadata={
                "engine": engine.identity.kind,
                "model_sha256": engine.identity.sha256,
                "precision": engine.identity.precision,
            },
        )


@modelapi(name="baseline")
class BaselineModel(ModelAPI):
    """A reply that answers nothing, as a suite's baseline makes it: `baseline/reliability.constant`."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 # the signature of inspect_ai's own
    ) -> None:
        """Raises `AuditError` when there is no such suite or baseline."""
        super().__init__(model_name, base_url, api_key, [], config)
        self._baseline = baseline_named(model_name)

    def max_connections(self) -> int:
        return AT_ONCE

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        said = [message.text for message in input if message.role == "user"]
        active = sample_active()
        text = self._baseline.reply(said, drawn_with(config.seed or 0, active.epoch if active else 1))
        read, written = sum(len(one.split()) for one in said), len(text.split())
        output = ModelOutput.from_content(self.model_name, text)
        output.usage = ModelUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)
        return output


def engine_called(name: str, precision: str = "auto") -> Engine:
    """The engine called `name`, opened when it is first asked for and kept for the process. Raises `EngineError`."""
    key = (name, precision)
    with _OPENING:
        if key not in _OPENED:
            if name == "eliza":
                _OPENED[key] = open_engine("eliza")
            else:
                _OPENED[key] = open_engine("transformers", model=name, precision=precision, at_once=AT_ONCE)  # type: ignore[arg-type] # open_engine says which there are
        return _OPENED[key]


def baseline_named(name: str) -> Baseline:
    """The baseline called `<suite>.<name>`. Raises `AuditError`, with the names there are."""
    suite_name, _, short = name.partition(".")
    suite = suite_named(suite_name)
    for baseline in suite.baselines:
        if baseline.name == short:
            return baseline
    allowed = ", ".join(f"{suite_name}.{one.name}" for one in suite.baselines)
    raise AuditError(f"There is no baseline {name!r}; allowed: {allowed}.")


def drawn_with(seed: int, epoch: int) -> int:
    """The seed of a reply: the run's in the first epoch, and another in each further one (non-negative, 63 bits)."""
    if epoch == 1:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}:{epoch}".encode()).digest()[:8], "big") >> 1


def prompt_of(messages: Sequence[ChatMessage], seed: int) -> Prompt:
    """A conversation of inspect_ai as a prompt of ours.

    Leading system messages are the prompt's system text; one after the last words of the user is guidance for this
    reply; one between two turns stands there in brackets, as guidance does. The form, which means something to ELIZA
    alone, is drawn from the conversation and the seed: half of its replies are statements, half are questions.
    """
    system: list[str] = []
    guidance: list[str] = []
    turns: list[Utterance] = []
    last = max((place for place, message in enumerate(messages) if message.role == "user"), default=-1)
    for place, message in enumerate(messages):
        if isinstance(message, ChatMessageSystem):
            if place > last:
                guidance.append(message.text)
            elif turns:
                turns.append(Utterance("participant", f"({message.text})"))
            else:
                system.append(message.text)
        elif message.role == "user":
            turns.append(Utterance("participant", message.text))
        elif message.role == "assistant":
            turns.append(Utterance("therapist", message.text))
    said = "\n".join(turn.text for turn in turns)
    forms: tuple[Form, Form] = ("statement", "question")
    return Prompt(
        system="\n\n".join(system),
        examples=(),
        turns=tuple(turns),
        guidance=" ".join(guidance),
        form=forms[hashlib.sha256(f"{seed}\n{said}".encode()).digest()[0] % 2],
    )


def _conversation(messages: Sequence[ChatMessage]) -> str:
    """A name that the replies of one conversation have in common."""
    first = next((place for place, message in enumerate(messages) if message.role == "user"), 0)
    head = "\n".join(message.text for message in messages[: first + 1])
    return hashlib.sha256(head.encode()).hexdigest()


def _read(generation: Generation) -> str:
    return "".join(generation).strip()

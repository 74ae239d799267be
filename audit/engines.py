"""The engine that is audited: what it is called here, what inspect_ai calls it, and what exactly it is."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.errors import AuditError
from therapist.engines import identify

if TYPE_CHECKING:
    from inspect_ai.model import Model

    from study.protocol import EngineChoice

__all__ = ["AuditedEngine", "baseline_engine", "engine_for", "engine_named", "engine_of"]

SERVER = "openai-api/server/"
"""What inspect_ai calls a model behind a URL of ours."""


@dataclass(frozen=True, slots=True)
class AuditedEngine:
    """One engine. It can be pickled, and holds no key: only the name of the environment variable that has it."""

    model: str
    """inspect_ai's name: `bedside/smollm2`, `vllm/...`, `baseline/reliability.constant`."""
    kind: str
    """`transformers`, `openai` or `eliza` as in a protocol; `baseline`; or inspect_ai's provider."""
    sha256: str | None = None
    """Of the weights or the script; None where a server does not tell."""
    base_url: str | None = None
    api_key_env: str | None = None
    precision: str = "auto"
    temperature: float = 0.0

    @property
    def name(self) -> str:
        """Short, for a reader: `smollm2`, `eliza`; of a model's folder, its last part."""
        name = self.model.removeprefix("bedside/").removeprefix(SERVER)
        return Path(name).name if name.startswith("/") else name

    @property
    def hangs_on_persona(self) -> bool:
        """Whether a persona changes what it says: ELIZA and the baselines read none."""
        return self.kind not in ("eliza", "baseline")

    def as_model(self) -> "Model":
        """inspect_ai's model. Raises `AuditError` when it cannot be had."""
        from inspect_ai._util.error import PrerequisiteError
        from inspect_ai.model import GenerateConfig, get_model

        arguments: dict[str, Any] = {"precision": self.precision} if self.model.startswith("bedside/") else {}
        key = os.environ.get(self.api_key_env) if self.api_key_env else None
        if self.api_key_env and not key:
            raise AuditError(f"The environment variable {self.api_key_env}, which holds the server's key, is empty.")
        if self.base_url:
            key = key or "none"  # a server in the house asks for no key, and the client wants one
        try:
            return get_model(
                self.model,
                base_url=self.base_url,
                api_key=key,
                config=GenerateConfig(temperature=self.temperature),
                **arguments,
            )
        except (PrerequisiteError, ValueError, ImportError) as error:
            said = getattr(error, "message", error)
            raise AuditError(f"inspect_ai has no model {self.model!r}: {' '.join(str(said).split())}") from None


def engine_for(
    kind: str,
    model: str | None,
    *,
    base_url: str | None = None,
    api_key_env: str | None = None,
    precision: str = "auto",
    temperature: float = 0.0,
    tell: Callable[[str], None] | None = None,
) -> AuditedEngine:
    """The engine that a protocol's `[engine]` names. Raises `EngineError`, `AuditError`."""
    if kind == "openai":
        if not model:
            raise AuditError(
                "An engine behind a server is audited by the name of its model: write `model` in [engine]."
            )
        return AuditedEngine(SERVER + model, kind, None, base_url, api_key_env, temperature=temperature)
    identity = identify(kind, model, tell)
    name = "eliza" if kind == "eliza" else identity.model
    if Path(name).is_dir() or name.endswith(".gguf"):
        name = str(Path(name).resolve())
    return AuditedEngine(f"bedside/{name}", kind, identity.sha256, precision=precision, temperature=temperature)


def engine_of(choice: "EngineChoice", tell: Callable[[str], None] | None = None) -> AuditedEngine:
    """The engine that an arm of a protocol has. Raises as `engine_for` does."""
    return engine_for(
        choice.kind,
        choice.model,
        base_url=choice.base_url,
        api_key_env=choice.api_key_env,
        precision=choice.precision,
        temperature=choice.temperature,
        tell=tell,
    )


def engine_named(name: str, model: str | None = None, tell: Callable[[str], None] | None = None) -> AuditedEngine:
    """The engine called `name` on the command line. Raises `AuditError`, with what is allowed, and `EngineError`.

    `smollm2`, `eliza`, a folder, a `.gguf` file; the URL of an OpenAI-compatible server, with `model`; `bedside/` and a
    hub name; or any model of inspect_ai's, such as `vllm/org/name`.
    """
    if name.startswith(("http://", "https://")):
        if not model:
            raise AuditError("A server's URL needs --model, the server's name for its model.")
        return engine_for("openai", model, base_url=name)
    if model:
        raise AuditError("--model belongs to the URL of a server.")
    ours = name.removeprefix("bedside/")
    if ours == "eliza":
        return engine_for("eliza", None)
    if ours != name or ours == "smollm2" or name.endswith(".gguf") or (name and Path(name).is_dir()):
        return engine_for("transformers", ours, tell=tell)
    if "/" in name and not name.startswith((".", "/", "~")):
        return AuditedEngine(name, name.partition("/")[0])
    raise AuditError(
        f"{name!r} is no study's folder and no engine; allowed: a study's folder, smollm2, eliza, a model's folder "
        "or .gguf file, a server's URL with --model, or a model of inspect_ai's such as vllm/org/name."
    )


def baseline_engine(suite: str, name: str) -> AuditedEngine:
    """A suite's baseline as an engine."""
    return AuditedEngine(f"baseline/{suite}.{name}", "baseline")

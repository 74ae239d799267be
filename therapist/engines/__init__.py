"""The engines: what can write a reply. `open_engine` opens one by its kind.

Heavy libraries are imported only by the engine that needs them.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from therapist.engine import Engine, EngineIdentity
from therapist.engines.opening import OpeningEngine
from therapist.errors import EngineError

if TYPE_CHECKING:
    from therapist.engines._probe import Probe

__all__ = ["KINDS", "begin_opening", "identify", "measure_engine", "open_engine"]

KINDS = ("transformers", "openai", "eliza")

# Torch's libraries read these when they are loaded or first used, so they are set before anything here imports torch.
# Threads are to sleep while they wait, and not to spin: on a machine that does something else besides, a token then
# takes a tenth of a second and not a whole one. But between two layers, some microseconds, they spin: to be woken would
# take them as long as their work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "50000")
# MKL is to sum in the same order wherever in memory the numbers lie (its "conditional numerical reproducibility"). Else
# what stands beside a reply changes its last bits on some processors, AMD's among them, and replies have to be written
# one after another.
os.environ.setdefault("MKL_CBWR", "AUTO")


def open_engine(
    kind: str,
    *,
    model: str | None = None,
    base_url: str | None = None,
    api_key_env: str | None = None,
    timeout_s: float = 30.0,
    at_once: int = 16,
    precision: Literal["auto", "float32", "bfloat16", "int8"] = "auto",
    progress: Callable[[str], None] | None = None,
) -> Engine:
    """Open an engine, ready to write.

    `model` is for `transformers` a folder, a `.gguf` file, a hub name or `smollm2` (the default, whose weights come
    with a package), for `openai` the server's name for it. `base_url`, `api_key_env` (the environment variable that
    holds the key) and `timeout_s` (the longest silence of the server, in seconds) are for `openai`. `at_once` replies
    are written at a time. `precision` (`auto`, `float32`, `bfloat16`, `int8`) is for `transformers`. `progress` is told
    of work that takes more than a moment. Raises `EngineError`, saying what to do.
    """
    tell = progress or (lambda said: None)
    match kind:
        case "transformers":
            with _local():
                from therapist.engines.local import LocalEngine

            return LocalEngine.open(
                model or "smollm2", tell, precision=None if precision == "auto" else precision, at_once=at_once
            )
        case "openai":
            if not base_url or not base_url.startswith(("http://", "https://")):
                raise EngineError("An openai engine needs base_url, for example http://localhost:8000/v1.")
            with _needed("openai and httpx2"):
                from therapist.engines.remote import RemoteEngine

            return RemoteEngine(base_url, model, api_key_env, timeout_s, tell, at_once=at_once)
        case "eliza":
            from therapist.engines.eliza import ElizaEngine

            return ElizaEngine()
        case _:
            raise EngineError(f"There is no engine {kind!r}; there are {', '.join(KINDS)}.")


def begin_opening(
    kind: str, model: str | None, open_it: Callable[[], Engine], failed: Callable[[Exception], None]
) -> Engine:
    """The engine that `open_it` opens by `open_engine`, without waiting until a model on this machine is loaded.

    It can be asked at once. `failed` is told, in another thread, why it cannot be opened after all. What can be seen
    without loading anything is looked at first: raises `EngineError` as `open_engine` does.
    """
    if kind != "transformers":
        return open_it()
    from therapist.engines._weights import DEFAULT, located

    with _needed("torch, transformers and gguf"):
        for package in ("torch", "transformers", "gguf"):
            if importlib.util.find_spec(package) is None:
                raise ImportError(name=package)
    located(model or DEFAULT)
    return OpeningEngine(EngineIdentity(kind, model or DEFAULT, None), open_it, failed)


def identify(kind: str, model: str | None = None, progress: Callable[[str], None] | None = None) -> EngineIdentity:
    """What an engine of `open_engine` says it is, without loading it: to find what was written by it elsewhere.

    A hub's model that this machine has not is fetched. Raises `EngineError`, also for what can be seen to be missing.
    """
    match kind:
        case "transformers":
            from therapist.engines._weights import DEFAULT, digest_of

            name = model or DEFAULT
            return EngineIdentity(kind, name, digest_of(name, progress or (lambda said: None)))
        case "openai":
            return EngineIdentity(kind, model or "", None)
        case "eliza":
            from therapist.engines.eliza import ElizaEngine

            return ElizaEngine().identity
        case _:
            raise EngineError(f"There is no engine {kind!r}; there are {', '.join(KINDS)}.")


def measure_engine(model: str, progress: Callable[[str], None], *, again: bool = False) -> "Probe":
    """What this machine makes of a model (as `open_engine` takes it) at each precision: as it was measured when the
    model was first opened here, or, with `again` or where it was not, as it is measured now. Raises `EngineError`."""
    with _local():
        from therapist.engines._probe import probe_model
    return probe_model(model, progress, again=again)


@contextmanager
def _local() -> Iterator[None]:
    """Surrounds the import of what needs torch."""
    with _needed("torch, transformers and gguf"):
        yield


@contextmanager
def _needed(packages: str) -> Iterator[None]:
    """Names the packages an engine needs when one of them is missing."""
    try:
        yield
    except ImportError as error:
        raise EngineError(f"This engine needs the packages {packages}; {error.name} cannot be imported.") from error

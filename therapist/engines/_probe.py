"""What this machine makes of a model at each precision: measured once, kept in the cache, and chosen from.

Which precision is fastest depends on the processor's instructions and on its memory, and whether it is faithful on the
model; so both are measured and not guessed. The measurement holds for one model, one processor, one number of threads
and one version of the libraries: with another of these it is made anew.
"""

import gc
import hashlib
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoTokenizer

from therapist.engines._counts import Counts, find_counts
from therapist.engines._kept import BLOCK
from therapist.engines._passes import Passes, Piece, passes_of
from therapist.engines._precision import PRECISIONS, Precision, load, threads
from therapist.engines._weights import cache_folder, find_model, weight_files
from therapist.errors import EngineError

__all__ = ["FAITHFUL", "Measured", "Probe", "choose", "probe_model", "probed"]

VERSION = 4
"""Of what is measured and how: with another number, old measurements do not count."""

FAITHFUL = 0.9
"""A precision is only chosen if at so many places of a text the likeliest next token is that of float32."""

PROMPT = 24 * BLOCK
"""Tokens of the conversations that are measured."""

STEPS = 8

TURN_READ, TURN_WRITTEN = 60, 25
"""Tokens of a turn that are read anew and that are written, about."""

MANY = 16
"""Conversations beside each other."""

ROOM = 0.6
"""A model that needs more than this share of the machine's memory is not tried."""

TEXT = (
    "People who are worried often go over the same thought again and again. It helps to write the thought down as it "
    "came, and to look at it with some distance: what happened, what went through my mind, and what did I feel then? "
    "What speaks for the thought, and what speaks against it? What would a friend say who knows me well? A thought is "
    "a guess about the world and not the world itself. After a while many guesses turn out to be too dark, and some "
    "turn out to be right; then there is something to plan. A small step that can be done tomorrow morning is worth "
    "more than a great one that never comes. Afterwards one may ask again how strong the feeling is, on a scale from "
    "zero to one hundred, and compare it with the number at the beginning."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One precision on this machine. Speeds are tokens a second."""

    precision: Precision
    alone: float = 0.0
    """Writing one reply."""
    many: float = 0.0
    """Writing sixteen replies beside each other, all together."""
    prompt: float = 0.0
    """Reading a prompt."""
    megabytes: float = 0.0
    """Of weights."""
    load_s: float = 0.0
    agrees: float | None = None
    """At which share of the places of a text the likeliest next token is that of float32."""
    together: bool = False
    """Whether it can be read for several conversations in one pass; see `_passes`."""
    counts: tuple[int, ...] = ()
    """The small numbers of tokens at which a token's result is the same to the bit; see `_counts`."""
    likeliest: tuple[int, ...] = ()
    """The likeliest next token at each place of the text."""
    left_out: str | None = None
    """Why it was not measured."""

    @property
    def speed(self) -> float:
        """How fast it is for a portal, in turns a second: the geometric mean of one conversation alone and of sixteen
        beside each other."""
        if not (self.alone and self.many and self.prompt):
            return 0.0
        alone = TURN_READ / self.prompt + TURN_WRITTEN / self.alone
        many = TURN_READ / self.prompt + TURN_WRITTEN / self.many
        return float((alone * many) ** -0.5)


@dataclass(frozen=True, slots=True)
class Probe:
    """All that was measured of one model on this machine."""

    model: str
    machine: str
    rows: tuple[Measured, ...]
    chosen: Precision


def choose(rows: list[Measured]) -> Measured:
    """The fastest of those that are faithful; the first where none can be measured."""
    good = [row for row in rows if row.left_out is None and (row.agrees is None or row.agrees >= FAITHFUL)]
    return max(good, key=lambda row: row.speed) if good else rows[0]


def probed(where: Path, digest: str | None, precision: Precision | None, tell: Callable[[str], None]) -> Measured:
    """What to use of the model in `where`: of all precisions, or of the one that is asked for, as it was measured on
    this machine; now, if it was not yet. Raises `EngineError` when none can be loaded."""
    if precision is not None:
        row = _row(where, digest, precision, tell)
        if row.left_out is not None:
            raise EngineError(f"The model in {where} cannot be used as {precision}: {row.left_out}.")
        return row
    rows = _rows(where, digest, tell)
    if all(row.left_out is not None for row in rows):
        raise EngineError(f"The model in {where} cannot be used: " + "; ".join(str(row.left_out) for row in rows) + ".")
    return choose(rows)


def probe_model(name: str, tell: Callable[[str], None], *, again: bool = False) -> Probe:
    """Measure a model at every precision, or read what was measured. With `again`, measure in any case.

    Raises `EngineError`.
    """
    where, digest = find_model(name, tell)
    threads()
    if again:
        for one in PRECISIONS:
            _note(where, digest, one).unlink(missing_ok=True)
    rows = _rows(where, digest, tell)
    return Probe(name, _machine(), tuple(rows), choose(rows).precision)


def _rows(where: Path, digest: str | None, tell: Callable[[str], None]) -> list[Measured]:
    if not all(_note(where, digest, one).is_file() for one in PRECISIONS):
        tell("Measuring how this machine computes best with this model, once: about half a minute ...")
    return [_row(where, digest, one, tell) for one in PRECISIONS]


def _row(where: Path, digest: str | None, precision: Precision, tell: Callable[[str], None]) -> Measured:
    note = _note(where, digest, precision)
    with suppress(OSError, ValueError, TypeError, KeyError):
        noted = json.loads(note.read_text())
        return Measured(**{**noted, "counts": tuple(noted["counts"]), "likeliest": tuple(noted["likeliest"])})
    reference = None
    if precision != "float32":
        reference = _row(where, digest, "float32", tell).likeliest
    row = _measure(where, precision, reference)
    tell(f"  {precision}: {row.left_out or f'{row.alone:.1f} tokens a second alone, {row.many:.0f} with sixteen'}")
    # A cache that cannot be written costs the measurement at the next start, and nothing else.
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        draft = note.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(asdict(row)))
        draft.replace(note)
    return row


def _measure(where: Path, precision: Precision, reference: tuple[int, ...] | None) -> Measured:
    needed, there = 4 * _parameters(where), _memory()
    if needed > ROOM * there:
        return Measured(precision, left_out=f"it needs {needed >> 20} MB, and the machine has {there >> 20} MB")
    started = time.monotonic()
    try:
        model = load(where, precision)
        load_s = time.monotonic() - started
        counts = find_counts(model)
        tokens = AutoTokenizer.from_pretrained(where)(TEXT, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            likeliest = tuple(model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0].argmax(-1).tolist())
        passes = passes_of(model, counts)
        with torch.inference_mode():
            prompt, alone, many = _speeds(passes, counts, (tokens * (PROMPT // len(tokens) + 1))[:PROMPT])
    except EngineError:
        raise
    except Exception as error:  # a kernel that this processor lacks, or memory that does not suffice
        return Measured(precision, left_out=f"it fails here ({type(error).__name__})")
    agreed = None
    if reference:
        agreed = sum(map(int.__eq__, likeliest, reference)) / len(likeliest)
    elif precision == "float32":
        agreed = 1.0
    size, together = _size(model), passes.together
    del model, passes
    gc.collect()
    return Measured(precision, alone, many, prompt, size, load_s, agreed, together, counts.small, likeliest)


def _speeds(passes: Passes, counts: Counts, prompt: list[int]) -> tuple[float, float, float]:
    """Tokens a second: of a prompt, of one reply, of many. Where kernels agree at no numbers of tokens, replies are
    written one after another."""
    step = BLOCK if passes.together else len(prompt)
    shared = len(prompt) // 2 // BLOCK * BLOCK
    states: list[Any] = []
    read_s = 0.0
    for number in range(MANY):
        kept = passes.blocks(states[0], 0, len(prompt) // BLOCK) if number and passes.together else []
        state = passes.begin(len(prompt) + 3 * STEPS, kept, shared)
        started = time.monotonic()
        left = prompt[len(kept) * BLOCK :]
        if left:
            cut = [left[at : at + step] for at in range(0, len(left), step)]
            for some in (cut[: shared // step], cut[shared // step :]):
                if some:
                    passes.read([Piece(state, piece, piece is cut[-1]) for piece in some])
        if not number:
            read_s = time.monotonic() - started
        states.append(state)
        if not (passes.together and counts.found):
            break
    alone = _step_s(passes, states[:1])
    many = _step_s(passes, states)
    return len(prompt) / read_s, 1 / alone, len(states) / many


def _step_s(passes: Passes, states: list[Any]) -> float:
    """Seconds to write one token of each: the median."""
    times = []
    for number in range(STEPS):
        started = time.monotonic()
        passes.read([Piece(state, [100 + number], True) for state in states]).argmax(-1).tolist()
        times.append(time.monotonic() - started)
    return statistics.median(times)


def _note(where: Path, digest: str | None, precision: Precision) -> Path:
    """Where the measurement is kept."""
    known = [
        VERSION,
        digest or str(where.resolve()),
        precision,
        _machine(),
        torch.__version__,
        transformers.__version__,
        os.environ.get("MKL_CBWR"),
    ]
    return cache_folder() / "probes" / f"{hashlib.sha256(json.dumps(known).encode()).hexdigest()}.json"


def _machine() -> str:
    """This machine, as far as speed depends on it."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"


def _parameters(where: Path) -> int:
    """About how many parameters a model's weight files hold."""
    config = json.loads((where / "config.json").read_text())
    width = {"float32": 4, "float64": 8}.get(config.get("dtype") or config.get("torch_dtype") or "float32", 2)
    return sum(file.stat().st_size for file in weight_files(where)) // width


def _memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _size(model: Any) -> float:
    """Megabytes of a model's weights as they are held."""
    packed = sum(module.bytes for module in model.modules() if hasattr(module, "bytes"))
    own = sum(parameter.nbytes for parameter in model.parameters())
    return float(round((own + packed) / 1e6, 1))

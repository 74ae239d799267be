"""How long a participant waits for a sentence, turn by turn, beside the bare library on the same prompt.

A visit of ten turns is held through `therapist.conversation.Conversation`, as the portal holds it, with the default
model. Then the bare `transformers` `generate`, streaming, is given each turn's very prompt, with nothing kept from the
turn before. Every figure is the median of the repeats.
"""

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import structlog
from _measuring import give, line, machine, markdown
from rich.console import Console

from therapist.conversation import Conversation
from therapist.engine import Sampling
from therapist.engines import open_engine
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.prompting import opening_prompt
from therapist.rails import Rails, Sentences
from therapist.screen import Screen
from therapist.transcript import MemoryTranscript

ANSWERS = (
    "A talk.",
    "My supervisor said that my draft was weak, in front of the whole group.",
    "Not much.",
    "I thought that everyone there thinks I am not good enough.",
    "I was ashamed, about 80.",
    "I write slowly, and two people in the group looked away.",
    "She also said that the data were good, and a friend liked my talk in spring.",
    "I would say that one draft is not the whole of you.",
    "The draft was weak, and that says little about me.",
    "It is about 40 now.",
)
"""What the participant says. The first and the third are too thin for their step, so that it asks again."""

EXERCISE = "cognitive_restructuring"

BOUND_MS = 3000.0
"""The first sentence is to be there by then."""

LATER = 1.3
"""So many times the first turn's time to the first token the tenth's may take."""


@dataclass
class Turn:
    """One turn, measured. Times are milliseconds from the moment the reply was asked for."""

    prompt_tokens: int
    kept_tokens: int
    first_token: float
    first_sentence: float
    """When the participant has the first sentence: the model's, or the step's own in its place."""
    whole: float
    """When the answer is whole and recorded."""
    by_model: bool
    messages: list[dict[str, str]]


@dataclass
class Bare:
    """One turn's prompt given to the bare library, in milliseconds."""

    first_token: float
    first_sentence: float
    whole: float


@dataclass
class Row:
    """The medians of one turn."""

    turn: int
    prompt_tokens: int
    kept_tokens: int
    first_token: float
    first_sentence: float
    whole: float
    by_model: bool
    bare_first_token: float | None
    bare_first_sentence: float | None
    bare_whole: float | None

    @property
    def bare(self) -> tuple[float | None, ...]:
        return self.bare_first_token, self.bare_first_sentence, self.bare_whole


@click.command(
    epilog="Examples: `python benchmarks/turn_latency.py` for the visit as a chat holds it; with --history for prompts "
    "that hold all that was said, as larger models get them. Let the machine be quiet: the load it begins with is "
    "printed."
)
@click.option("--repeats", default=5, show_default=True, help="Visits, and bare runs of each prompt; medians count.")
@click.option("--model", help="A folder or hub name instead of the default model.")
@click.option("--precision", default="auto", show_default=True, help="float32, bfloat16 or int8.")
@click.option("--history", is_flag=True, help="Give the model all turns and the guidance, not the last words alone.")
@click.option("--cold", is_flag=True, help="Do not read the beginning that all visits share before the first turn.")
@click.option("--no-bare", is_flag=True, help="Leave out the bare library, which takes most of the time.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there, too.")
@click.option("--check", is_flag=True, help=f"Exit 1 when turn 1 takes over 3 s, or turn 10 {LATER} times turn 1.")
def main(
    repeats: int,
    model: str | None,
    precision: str,
    history: bool,
    cold: bool,
    no_bare: bool,
    file: Path | None,
    check: bool,
) -> None:
    """Measure ten turns of a visit: time to the first token, to the first sentence, and to the whole answer.

    The columns to the right are the bare library on the same prompts. "Kept" are the tokens of the prompt whose keys
    and values were still there from an earlier turn.
    """
    console = Console(stderr=True)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    about = machine()
    engine: Any = open_engine("transformers", model=model, precision=precision, progress=console.print)
    visits, kept = [], []
    for repeat in range(repeats):
        console.print(f"Visit {repeat + 1} of {repeats} ...")
        engine.forget()
        if not cold:
            _read_beginning(engine)
        shared = engine.kept.bytes
        visits.append(list(_visit(engine, f"visit {repeat}", history=history)))
        kept.append((shared / 1e6, (engine.kept.bytes - shared) / 1e6))
    identity = asdict(engine.identity)
    engine.close()
    bare = [] if no_bare else _bare_runs(model, [turn.messages for turn in visits[-1]], repeats, console)
    rows = [
        _row(number, [visit[number] for visit in visits], [run[number] for run in bare])
        for number in range(len(ANSWERS))
    ]
    later = rows[-1].first_token / rows[0].first_token
    summary = {
        "model": identity,
        "machine": about,
        "repeats": repeats,
        "history": history,
        "cold": cold,
        "turns": [asdict(row) for row in rows],
        "turn_10_by_turn_1": later,
        "kept_mb": {"shared": median(one for one, _ in kept), "own": median(one for _, one in kept)},
    }
    misses = []
    if rows[0].first_sentence > BOUND_MS:
        misses.append(f"the first sentence of turn 1 takes {rows[0].first_sentence:.0f} ms")
    if later > LATER:
        misses.append(f"the first token of turn 10 takes {later:.2f} times as long as that of turn 1")
    said = (
        f"First token at turn 10: {later:.2f} times that of turn 1. Keys and values kept: {kept[-1][0]:.1f} MB of what "
        f"all visits begin with, and {kept[-1][1]:.1f} MB of this visit. Bedside computed in {identity['precision']}."
    )
    give(summary, f"{line(about)}\n\n{_table(rows)}\n\n{said}", file, misses, check)


def _read_beginning(engine: Any) -> None:
    """Have the engine read what all visits begin with, as the portal does when it starts."""
    prompt = opening_prompt(load_exercise(EXERCISE), load_persona("neutral"))
    for _ in engine.generate(prompt, sampling=Sampling(max_tokens=1), seed=0, conversation="shared"):
        pass


def _visit(engine: Any, key: str, *, history: bool) -> Iterator[Turn]:
    """Hold one visit, measuring each answer."""
    exercise, persona = load_exercise(EXERCISE), load_persona("neutral")
    transcript = MemoryTranscript()
    conversation = Conversation(
        exercise=exercise,
        persona=persona,
        engine=engine,
        screen=Screen.load(),
        transcript=transcript,
        medium="chat",
        crisis_message="The exercise stops here.",
        key=key,
        seed=1,
        rails=Rails() if history else Rails(sentences=1, grounded=True),
    )
    conversation.open()
    for number, words in enumerate(ANSWERS):
        conversation.hear(words, f"token {number}")
        started = time.monotonic()
        heard = [_milliseconds(started) for _ in conversation.reply()]
        whole = _milliseconds(started)
        turn = transcript.turns()[-1]
        how = turn.provenance or {}
        yield Turn(
            how["tokens_in"],
            how["tokens_cached"],
            how["first_token_ms"],
            heard[0],
            whole,
            turn.origin == "model",
            how["prompt"],
        )
        if prompt := conversation.so_far():  # as the portal has it read while the participant thinks
            for _ in engine.generate(prompt, sampling=Sampling(max_tokens=1), seed=0, conversation=key):
                pass


def _bare_runs(
    model: str | None, prompts: list[list[dict[str, str]]], repeats: int, console: Console
) -> list[list[Bare]]:
    """The bare library on each prompt, `repeats` times, with the model as anybody would load it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from therapist.engines._weights import DEFAULT, find_model

    where, _ = find_model(model or DEFAULT, console.print)
    loaded = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(where)
    console.print(f"The bare library, {repeats} times {len(prompts)} prompts ...")
    return [[_bare(loaded, tokenizer, messages) for messages in prompts] for _ in range(repeats)]


def _bare(model: Any, tokenizer: Any, messages: list[dict[str, str]]) -> Bare:
    """The bare library on one prompt: its own cache, its own streamer, greedy, sixty tokens at most."""
    import torch
    from transformers import GenerationConfig, TextIteratorStreamer

    begin = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
    asked = messages[:-1] if begin else messages
    started = time.monotonic()
    text = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True) + begin
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    config = GenerationConfig(
        max_new_tokens=Sampling().max_tokens, do_sample=False, pad_token_id=tokenizer.eos_token_id
    )

    def generate() -> None:
        with torch.inference_mode():
            model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config, streamer=streamer)

    thread = threading.Thread(target=generate)
    thread.start()
    first_token = first_sentence = 0.0
    sentences = Sentences()
    for piece in streamer:
        first_token = first_token or _milliseconds(started)
        if sentences.feed(piece) and not first_sentence:
            first_sentence = _milliseconds(started)
    thread.join()
    whole = _milliseconds(started)
    return Bare(first_token, first_sentence or whole, whole)


def _row(number: int, turns: list[Turn], bare: list[Bare]) -> Row:
    return Row(
        turn=number + 1,
        prompt_tokens=turns[0].prompt_tokens,
        kept_tokens=round(median(turn.kept_tokens for turn in turns)),
        first_token=median(turn.first_token for turn in turns),
        first_sentence=median(turn.first_sentence for turn in turns),
        whole=median(turn.whole for turn in turns),
        by_model=turns[0].by_model,
        bare_first_token=median(run.first_token for run in bare) if bare else None,
        bare_first_sentence=median(run.first_sentence for run in bare) if bare else None,
        bare_whole=median(run.whole for run in bare) if bare else None,
    )


def _table(rows: list[Row]) -> str:
    head = (
        "turn",
        "tokens of the prompt",
        "of these kept",
        "first token",
        "first sentence",
        "whole answer",
        "said by",
        "bare: first token",
        "bare: first sentence",
        "bare: whole",
    )
    return markdown(
        head,
        [
            (
                row.turn,
                row.prompt_tokens,
                row.kept_tokens,
                *(f"{one:.0f}" for one in (row.first_token, row.first_sentence, row.whole)),
                "model" if row.by_model else "step",
                *(
                    "" if one is None else f"{one:.0f}"
                    for one in (row.bare_first_token, row.bare_first_sentence, row.bare_whole)
                ),
            )
            for row in rows
        ],
    )


def _milliseconds(started: float) -> float:
    return 1000 * (time.monotonic() - started)


if __name__ == "__main__":
    main()

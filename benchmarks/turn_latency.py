"""How long a participant waits for a sentence, turn by turn, beside the bare library on the same prompt.

A visit of ten turns is held through `therapist.conversation.Conversation`, as the portal holds it, with the default
model. Then the bare `transformers` `generate`, streaming, is given each turn's very prompt, with nothing kept from the
turn before. Every figure is the median of the repeats.
"""

import json
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import click
import structlog
from rich.console import Console
from rich.table import Table

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

NOISE = 0.1
"""By so much, as a share, medians of the same thing differ from run to run."""


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
    bare_first_token: float
    bare_first_sentence: float
    bare_whole: float


@click.command(
    epilog="Examples: `python benchmarks/turn_latency.py` for the visit as a chat holds it; with --history for prompts "
    "that hold all that was said, as larger models get them; with --json for a file. Let the machine be quiet: the "
    "load it begins with is printed."
)
@click.option("--repeats", default=5, show_default=True, help="Visits, and bare runs of each prompt; medians count.")
@click.option("--model", default=None, help="A folder or hub name instead of the default model.")
@click.option("--history", is_flag=True, help="Give the model all turns and the guidance, not the last words alone.")
@click.option("--cold", is_flag=True, help="Do not read the beginning that all visits share before the first turn.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the table.")
@click.option("--check", is_flag=True, help="Exit 1 when turn 1 takes over 3 s or turn 10 is later than turn 1.")
def main(repeats: int, model: str | None, history: bool, cold: bool, as_json: bool, check: bool) -> None:
    """Measure ten turns of a visit: time to the first token, to the first sentence, and to the whole answer.

    The columns to the right are the bare library on the same prompts. "Kept" are the tokens of the prompt whose keys
    and values were still there from an earlier turn.
    """
    console = Console(stderr=True)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    load = os.getloadavg()[0]
    engine: Any = open_engine("transformers", model=model, progress=console.print)
    visits = []
    for repeat in range(repeats):
        console.print(f"Visit {repeat + 1} of {repeats} ...")
        engine.forget()
        visits.append(list(_visit(engine, f"visit {repeat}", history=history, cold=cold)))
    prompts = [turn.messages for turn in visits[-1]]
    engine.forget()
    console.print(f"The bare library, {repeats} times {len(prompts)} prompts ...")
    bare = [[_bare(engine, messages) for messages in prompts] for _ in range(repeats)]
    rows = [
        _row(number, [visit[number] for visit in visits], [run[number] for run in bare])
        for number in range(len(prompts))
    ]
    machine = f"{platform.machine()}, {os.cpu_count()} processors, load {load:.2f} before"
    summary = {
        "model": asdict(engine.identity),
        "machine": machine,
        "repeats": repeats,
        "history": history,
        "cold": cold,
        "turns": [asdict(row) for row in rows],
    }
    engine.close()
    if as_json:
        print(json.dumps(summary, indent=1))
    else:
        _print(rows, machine, repeats)
    in_time = rows[0].first_sentence <= BOUND_MS
    no_later = rows[-1].first_token <= (1 + NOISE) * rows[0].first_token
    if check and not (in_time and no_later):
        raise SystemExit(1)


def _visit(engine: Any, key: str, *, history: bool, cold: bool) -> Iterator[Turn]:
    """Hold one visit, measuring each answer."""
    exercise, persona = load_exercise(EXERCISE), load_persona("neutral")
    if not cold:
        # As the portal does when it starts.
        list(
            engine.generate(
                opening_prompt(exercise, persona), sampling=Sampling(max_tokens=1), seed=0, conversation="shared"
            )
        )
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


def _bare(engine: Any, messages: list[dict[str, str]]) -> Bare:
    """The bare library on one prompt: its own cache, its own streamer, greedy, sixty tokens at most."""
    import torch
    from transformers import GenerationConfig, TextIteratorStreamer

    model, tokenizer = engine.model, engine.tokenizer
    begin = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
    asked = messages[:-1] if begin else messages
    started = time.monotonic()
    text = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True) + begin
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    config = GenerationConfig(max_new_tokens=Sampling().max_tokens, do_sample=False)

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
    def median(values: Iterator[float]) -> float:
        return round(statistics.median(values), 1)

    return Row(
        turn=number + 1,
        prompt_tokens=turns[0].prompt_tokens,
        kept_tokens=round(statistics.median(turn.kept_tokens for turn in turns)),
        first_token=median(turn.first_token for turn in turns),
        first_sentence=median(turn.first_sentence for turn in turns),
        whole=median(turn.whole for turn in turns),
        by_model=turns[0].by_model,
        bare_first_token=median(run.first_token for run in bare),
        bare_first_sentence=median(run.first_sentence for run in bare),
        bare_whole=median(run.whole for run in bare),
    )


def _print(rows: list[Row], machine: str, repeats: int) -> None:
    table = Table(title=f"Milliseconds, medians of {repeats} ({machine}); on the right the bare library")
    for name in ("turn", "prompt", "kept", "token", "sentence", "whole", "said by", "token", "sentence", "whole"):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = (row.first_token, row.first_sentence, row.whole)
        bare = (row.bare_first_token, row.bare_first_sentence, row.bare_whole)
        table.add_row(
            str(row.turn),
            str(row.prompt_tokens),
            str(row.kept_tokens),
            *(f"{one:.0f}" for one in numbers),
            "model" if row.by_model else "step",
            *(f"{one:.0f}" for one in bare),
        )
    Console(width=100).print(table)


def _milliseconds(started: float) -> float:
    return 1000 * (time.monotonic() - started)


if __name__ == "__main__":
    main()

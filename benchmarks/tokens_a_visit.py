"""How many tokens a visit costs: read, kept from before, written; by exercise, medium and kind of prompt.

Each visit is held through `therapist.conversation.Conversation`, as the portal holds it, by somebody who gives every
step one full answer. docs/capacity.md reckons from these figures how many participants a machine carries.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from therapist.conversation import Conversation, Medium
from therapist.engine import Engine, Sampling
from therapist.engines import open_engine
from therapist.exercise import exercise_names, load_exercise
from therapist.persona import load_persona
from therapist.prompting import opening_prompt
from therapist.rails import Rails
from therapist.screen import Screen
from therapist.transcript import MemoryTranscript

ANSWERS = (
    "My supervisor said that my draft was weak, in front of the whole group. I did not know what to say.",
    "I thought that everyone there thinks I am not good enough, and that I will never finish this.",
    "I was ashamed, about 80, and later I was angry with myself because I had said nothing.",
    "She also said that the data were good, and a friend liked the talk that I gave in spring.",
    "I would tell a friend that one draft is not the whole of you, and that it can be written again.",
    "I could ask her which part was weak, and write that part again on Thursday morning.",
)
"""About twenty words each, as people write when they are asked how their day was."""


@dataclass
class Row:
    """One visit. Tokens are the model's."""

    exercise: str
    medium: str
    history: bool
    """Whether the prompt holds all that was said, as larger models get it; the default model gets the last words."""
    answers: int
    read: int
    kept: int
    """Of those read, the tokens whose keys and values were there already."""
    written: int
    longest: int
    """The tokens of the longest prompt."""


@click.command(
    epilog="Examples: `python benchmarks/tokens_a_visit.py`; with --base-url http://gpu-node:8000/v1 against a server, "
    "in its model's tokens."
)
@click.option("--base-url", default=None, help="A server's address, in place of the default model on this machine.")
@click.option("--model", default=None, help="The model: a folder or hub name, or the server's name for it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the table.")
def main(base_url: str | None, model: str | None, as_json: bool) -> None:
    """Hold one visit of each kind and add up its tokens."""
    console = Console(stderr=True)
    kind = "openai" if base_url else "transformers"
    engine = open_engine(kind, model=model, base_url=base_url, progress=console.print)
    rows = []
    for history, exercise in itertools.product((False, True), exercise_names()):
        for medium in ("chat", "worksheet"):  # a robot's prompts are a chat's
            console.print(f"{exercise}, {medium}, {'all turns' if history else 'the last words'} ...")
            rows.append(_visit(engine, exercise, medium, history=history))
    engine.close()
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    table = Table("exercise", "medium", "prompt", "answers", "read", "of these kept", "written", "longest prompt")
    for row in rows:
        table.add_row(
            row.exercise,
            "chat, robot" if row.medium == "chat" else row.medium,
            "all turns" if row.history else "last words",
            *(str(number) for number in (row.answers, row.read, row.kept, row.written, row.longest)),
        )
    Console(width=120).print(table)


def _visit(engine: Engine, exercise: str, medium: Medium, *, history: bool) -> Row:
    script, persona = load_exercise(exercise), load_persona("neutral")
    for _ in engine.generate(  # what all visits begin with, as the portal has it read when it starts
        opening_prompt(script, persona), sampling=Sampling(max_tokens=1), seed=0, conversation=f"shared {exercise}"
    ):
        pass
    held = Conversation(
        exercise=script,
        persona=persona,
        engine=engine,
        screen=Screen.load(),
        transcript=MemoryTranscript(),
        medium=medium,
        crisis_message="",
        key=f"{exercise} {medium} {history}",
        seed=1,
        rails=Rails() if history else Rails(sentences=1, grounded=True),
        deadline_s=600,
    )
    held.open()
    answers = itertools.cycle(ANSWERS)
    for number in itertools.count():
        step = held.step
        if step is None:
            break
        held.hear(next(answers), str(number), step)
        for _ in held.reply():
            pass
    told = list(_told(held))
    return Row(
        exercise,
        medium,
        history,
        answers=len(told),
        read=sum(one["tokens_in"] for one in told),
        kept=sum(one["tokens_cached"] for one in told),
        written=sum(one["tokens_out"] for one in told),
        longest=max(one["tokens_in"] for one in told),
    )


def _told(held: Conversation) -> Iterator[dict[str, Any]]:
    """What was recorded of each answer that an engine wrote."""
    for turn in held.turns:
        provenance = getattr(turn, "provenance", None)
        if turn.reply_to is not None and provenance and provenance["tokens_in"] is not None:
            yield provenance


if __name__ == "__main__":
    main()

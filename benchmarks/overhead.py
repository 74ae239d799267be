"""What Bedside itself adds to a turn: the time from a participant's words to the whole answer, less the engine's own.

A participant chats with the real portal over HTTP. Of each turn the client measures how long it took from sending the
words until the stream said that the answer is whole and recorded; the record says when the engine wrote its last
token, from the moment it was called. The difference is everything else: the words received, screened and recorded,
the prompt built, the answer cut into sentences, judged, screened, recorded and streamed, and the client itself. It is
measured with ELIZA's rules, which answer at once, and with the model on this machine.

    python benchmarks/overhead.py [--check] [--json FILE]
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
from _chats import Answer, Chat
from _measuring import give, line, machine, markdown, percentile
from _portal import local, portal, prepare
from rich.console import Console
from write_throughput import Turn as OneTurn

from study import visits
from study.enrolment import take_in
from study.study import Study
from study.turns import TurnKeeper
from therapist.engine import Utterance
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.prompting import build_prompt
from therapist.screen import Screen

MOST_MS = 25.0
"""What Bedside may add to a turn, at the median."""

SAID = "My supervisor said that my draft was weak, in front of the whole group."


@click.command(epilog="Let the machine be quiet: the load it begins with is printed.")
@click.option("--turns", default=60, show_default=True, help="Turns with ELIZA's rules.")
@click.option("--model-turns", default=25, show_default=True, help="Turns with the model; 0 leaves it out.")
@click.option("--model", default="smollm2", show_default=True, help="Another model: a folder or a hub name.")
@click.option("--precision", default="auto", show_default=True, help="float32, bfloat16 or int8.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there, too.")
@click.option("--check", is_flag=True, help=f"Exit 1 when a median is {MOST_MS:.0f} ms or more.")
def main(turns: int, model_turns: int, model: str, precision: str, file: Path | None, check: bool) -> None:
    """Measure what a turn takes beside the engine, and what its parts take."""
    console = Console(stderr=True)
    about = machine()
    found = {"ELIZA's rules": _measure('kind = "eliza"\n', turns, console)}
    if model_turns:
        found[f"the model {model}"] = _measure(local(model, precision), model_turns, console)
    summary: dict[str, Any] = {"machine": about, "precision": precision, "turns": found, "parts_ms": _parts(console)}
    rows = [
        (
            name,
            len(of["added_ms"]),
            f"{median(of['whole_ms']):.0f}",
            f"{median(of['engine_ms']):.0f}",
            f"**{median(of['added_ms']):.1f}**",
            f"{percentile(of['added_ms']):.1f}",
        )
        for name, of in found.items()
    ]
    head = ("with", "turns", "whole answer, ms", "of it the engine", "added by Bedside, median", "95th percentile")
    parts = [(name, f"{value:.2f}") for name, value in summary["parts_ms"].items()]
    table = f"{line(about)}\n\n{markdown(head, rows)}\n\n{markdown(('a part of it, in the process', 'ms'), parts)}"
    misses = [
        f"with {name} Bedside adds {median(of['added_ms']):.1f} ms to a turn at the median, not under {MOST_MS:.0f}"
        for name, of in found.items()
        if median(of["added_ms"]) >= MOST_MS
    ]
    give(summary, table, file, misses, check)


def _measure(engine: str, turns: int, console: Console) -> dict[str, list[float]]:
    """Of each turn in milliseconds: the client's view, the engine's, and the difference."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        prepare(folder, engine, patience_s=300)  # the model may still be loading
        with portal(folder) as (url, _):
            study = Study.open(folder)
            chat = Chat(url, study)
            chat.say()  # opens connections and reads files, once
            answers: list[Answer] = []
            while len(answers) < turns:
                console.print(f"Turn {len(answers) + 1} of {turns}, {engine.split(chr(10))[0]}", end="\r")
                answer = chat.say()
                if answer.by_engine:
                    answers.append(answer)
            chat.close()
            study.close()
    console.print()
    whole = [1000 * (one.whole - one.sent) for one in answers]
    own = [float(one.provenance["last_token_ms"]) for one in answers]
    return {"whole_ms": whole, "engine_ms": own, "added_ms": [a - b for a, b in zip(whole, own, strict=True)]}


def _parts(console: Console) -> dict[str, float]:
    """The median of what is done for each turn, without a network and one after the other, in milliseconds."""
    console.print("The parts ...")
    screen, exercise, persona = Screen.load(), load_exercise("cognitive_restructuring"), load_persona("neutral")
    step = exercise.steps[0]
    said = [Utterance("therapist", step.ask), Utterance("participant", SAID)] * 6
    with tempfile.TemporaryDirectory() as place:
        prepare(Path(place) / "study")
        study = Study.open(Path(place) / "study")
        visit = visits.today(study, take_in(study, kind="test", arm="chat", skip=True))
        if visit is None:
            raise click.ClickException("The template's visits are not open now.")
        visit = visits.rate(study, visit, "before", 50)
        keeper = TurnKeeper(study, visit)
        kept = iter(range(1, 10_000))
        parts = {
            "the screen reads a message": _took(lambda: screen.check(SAID, "participant")),
            "the prompt is built": _took(
                lambda: build_prompt(exercise, persona, said, step, "statement", printed=False, bare=True)
            ),
            "a turn is recorded, durably": _took(lambda: keeper.add(OneTurn("therapist", next(kept)))),  # type: ignore[arg-type]
        }
        study.close()
    return parts


def _took(act: Callable[[], object], times: int = 200) -> float:
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        took.append(1000 * (time.perf_counter() - begun))
    return median(took)


if __name__ == "__main__":
    main()

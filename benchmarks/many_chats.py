"""How many tokens a second 1, 4, 8 and 16 chats get together, how long each waits, and the memory of a conversation.

Participants chat with the real portal, `bedside serve`, over HTTP, with the model on this machine. They take no time
to think: as soon as an answer is whole the next words are sent, so that as many answers are being written or waited
for as there are chats. Rounds go through all numbers of chats in turn, so that each meets the same machine.

    python benchmarks/many_chats.py [--check] [--json FILE]
"""

import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import click
import psutil
from _chats import Answer, Chat
from _measuring import give, line, machine, markdown, percentile, ratio
from _portal import local, memory_of, portal, prepare
from rich.console import Console

from study.study import Study

LEAST = 5.0
"""So many times the tokens a second of one chat the largest number of chats is to get together."""


WARM_S = 60.0
"""The portal has so long to read what all visits begin with."""

LEAD_S = 2.0
"""Everybody has chatted for so long when the measuring begins."""


@click.command(epilog="Let the machine be quiet: the load it begins with is printed.")
@click.option("--chats", default="1,4,8,16", show_default=True, help="How many chat at once, in turn.")
@click.option("--rounds", default=5, show_default=True, help="Of all numbers; medians count.")
@click.option("--seconds", default=8.0, show_default=True, help="Of each number of chats in a round.")
@click.option("--model", default="smollm2", show_default=True, help="Another model: a folder or a hub name.")
@click.option("--precision", default="auto", show_default=True, help="float32, bfloat16 or int8.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there, too.")
@click.option("--check", is_flag=True, help=f"Exit 1 when most chats get under {LEAST:.0f} times the tokens of one.")
def main(chats: str, rounds: int, seconds: float, model: str, precision: str, file: Path | None, check: bool) -> None:
    """Let some chat at once, and print what they get."""
    console = Console(stderr=True)
    about = machine()
    numbers = [int(one) for one in chats.split(",")]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        prepare(folder, local(model, precision), patience_s=300)
        with portal(folder) as (url, process):
            study = Study.open(folder)
            levels, memory = _measure(url, study, process, numbers, rounds, seconds, console)
            study.close()
    summary: dict[str, Any] = {
        "machine": about,
        "model": model,
        "precision": precision,
        "rounds": rounds,
        "seconds": seconds,
        "chats": levels,
        "memory": memory,
    }
    one = levels[str(min(numbers))]["tokens_s"]
    most = ratio(levels[str(max(numbers))]["tokens_s"], one)
    misses = (
        [f"{max(numbers)} chats get {most:.2f} times the tokens a second of {min(numbers)}, not {LEAST:.0f}"]
        if most < LEAST
        else []
    )
    give(summary, f"{line(about)}\n\n{_table(levels, one)}\n\n{_memory(memory)}", file, misses, check)


def _measure(
    url: str, study: Study, process: psutil.Process, numbers: list[int], rounds: int, seconds: float, console: Console
) -> tuple[dict[str, dict[str, Any]], dict[str, float]]:
    places = [Chat(url, study) for _ in range(max(numbers))]
    console.print("Warming up ...")
    # Until the portal has read what all visits begin with: until then its first answers wait.
    limit = time.monotonic() + WARM_S
    while places[0].say().provenance.get("queue_ms", WARM_S) > 200 and time.monotonic() < limit:
        pass
    first = memory_of(process)
    found: dict[int, list[tuple[float, list[Answer]]]] = {number: [] for number in numbers}
    memory: dict[int, list[float]] = {number: [] for number in numbers}
    for turn in range(rounds):
        for number in numbers:
            found[number].append(_together(places[:number], seconds))
            memory[number].append(memory_of(process))
            rates = f"{found[number][-1][0]:.1f} tokens/s, portal {memory[number][-1]:.0f} MB"
            console.print(f"Round {turn + 1} of {rounds}, {number:2} chats: {rates}")
    begun = sum(place.begun for place in places)
    for place in places:
        place.close()
    levels = {str(number): {**_figures(runs), "memory_mb": median(memory[number])} for number, runs in found.items()}
    fewest, most = min(numbers), max(numbers)
    return levels, {
        "conversations": begun,
        "first_mb": first,
        "most_mb": max(max(ones) for ones in memory.values()),
        # Of the first round, in which nothing has been kept of others yet.
        "mb_a_conversation": ratio(memory[most][0] - memory[fewest][0], most - fewest),
    }


def _together(places: list[Chat], seconds: float) -> tuple[float, list[Answer]]:
    """The tokens a second that all get, and every answer that was asked for in these seconds.

    They begin a little after everybody has begun, so that answers are at all their stages, as in a longer time.
    """
    gate = threading.Barrier(len(places) + 1)

    def chat(place: Chat) -> list[Answer]:
        answers = []
        gate.wait()
        limit = time.monotonic() + LEAD_S + seconds
        while time.monotonic() < limit:
            answers.append(place.say())
        return answers

    with ThreadPoolExecutor(len(places)) as people:
        writing = [people.submit(chat, place) for place in places]
        gate.wait()
        begin = time.monotonic() + LEAD_S
        answers = [answer for one in writing for answer in one.result()]
    end = begin + seconds
    tokens = sum(answer.tokens_until(end) - answer.tokens_until(begin) for answer in answers)
    return tokens / seconds, [answer for answer in answers if begin <= answer.sent < end]


def _figures(runs: list[tuple[float, list[Answer]]]) -> dict[str, Any]:
    answers = [answer for _, ones in runs for answer in ones]
    if not answers:
        raise click.ClickException("Nobody could ask for an answer in that time; give more --seconds.")
    first = [answer.first_sentence - answer.sent for answer in answers]
    queued = [answer.provenance["queue_ms"] / 1000 for answer in answers if answer.by_engine]
    return {
        "tokens_s": median(rate for rate, _ in runs),
        "tokens_s_of_rounds": [rate for rate, _ in runs],
        "answers": len(answers),
        "not_by_engine": sum(not answer.by_engine for answer in answers),
        "first_sentence_s": {"median": median(first), "p95": percentile(first)},
        "queue_s": {"median": median(queued), "p95": percentile(queued)} if queued else None,
        "kept_share": _kept(answers),
    }


def _kept(answers: list[Answer]) -> float:
    """The share of the prompts' tokens whose keys and values were kept from before."""
    written = [answer.provenance for answer in answers if answer.by_engine]
    return ratio(sum(one["tokens_cached"] for one in written), sum(one["tokens_in"] for one in written))


def _table(levels: dict[str, dict[str, Any]], one: float) -> str:
    head = (
        "chats at once",
        "tokens/s together",
        "times one",
        "answers",
        "first sentence: median, s",
        "95th percentile, s",
        "wait for a place: median, s",
        "95th percentile, s",
        "of the prompts kept",
        "portal, MB",
    )
    rows = [
        (
            number,
            f"{of['tokens_s']:.1f}",
            f"{ratio(of['tokens_s'], one):.2f}",
            of["answers"],
            f"{of['first_sentence_s']['median']:.2f}",
            f"{of['first_sentence_s']['p95']:.2f}",
            f"{of['queue_s']['median']:.2f}" if of["queue_s"] else "",
            f"{of['queue_s']['p95']:.2f}" if of["queue_s"] else "",
            f"{of['kept_share']:.0%}",
            f"{of['memory_mb']:.0f}",
        )
        for number, of in levels.items()
    ]
    return markdown(head, rows)


def _memory(of: dict[str, float]) -> str:
    return (
        f"The portal's memory: {of['first_mb']:.0f} MB after the first answer, and in the first round "
        f"{of['mb_a_conversation']:.1f} MB more for each further conversation that is under way; "
        f"{of['most_mb']:.0f} MB at most, after {of['conversations']:.0f} conversations."
    )


if __name__ == "__main__":
    main()

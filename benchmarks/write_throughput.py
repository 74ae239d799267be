"""Durable writes a second: through the record, and through bare sqlite3, on the same file system.

Both write the same rows, each in a transaction of its own, with a write-ahead log and full synchronisation. The record
writes the event beside each row, with its hashes. Rounds alternate, so that both meet the same disk.

    python benchmarks/write_throughput.py [--folder DIR] [--check]
"""

import json
import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from study import visits
from study.enrolment import take_in
from study.study import Study, create
from study.turns import TurnKeeper
from study.visits import Visit

TURNS = 20
"""Turns of a visit."""

LEAST = 0.5
"""The ratio that `--check` asks for."""


@dataclass
class Turn:
    """A turn with the length and the provenance of a real one."""

    speaker: str
    number: int
    step: str = "situation"
    hit: None = None

    @property
    def text(self) -> str:
        return (
            f"{self.number}: I keep thinking that I will fail the exam, and then I cannot sleep, and then I am tired."
        )

    @property
    def origin(self) -> str:
        return "participant" if self.speaker == "participant" else "model"

    @property
    def token(self) -> str | None:
        return f"{self.number:032x}" if self.speaker == "participant" else None

    @property
    def reply_to(self) -> int | None:
        return self.number if self.speaker == "therapist" else None

    @property
    def next_step(self) -> str | None:
        return "thoughts" if self.speaker == "therapist" else None

    @property
    def provenance(self) -> dict[str, Any] | None:
        return {"model": "smollm2", "sha256": "0" * 64, "prompt": "x" * 800} if self.speaker == "therapist" else None


def turns() -> list[Turn]:
    return [Turn("participant" if number % 2 == 0 else "therapist", number) for number in range(TURNS)]


def through_the_record(study: Study, visit: Visit) -> float:
    keeper = TurnKeeper(study, visit)
    begun = time.perf_counter()
    for turn in turns():
        keeper.add(turn)  # type: ignore[arg-type]
    return time.perf_counter() - begun


def through_sqlite(connection: sqlite3.Connection, visit: int) -> float:
    begun = time.perf_counter()
    for number, turn in enumerate(turns(), 1):
        row = (
            visit,
            number,
            turn.speaker,
            turn.step,
            turn.text,
            turn.origin,
            "2026-03-02T09:00:00.000+00:00",
            turn.token,
            turn.reply_to,
            turn.next_step,
            None,
            json.dumps(turn.provenance) if turn.provenance else None,
        )
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO turn (visit, number, speaker, step, text, origin, recorded_at, token, reply_to, next_step,"
            " screen, provenance) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        connection.execute("COMMIT")
    return time.perf_counter() - begun


def bare(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE turn (id INTEGER PRIMARY KEY, visit INTEGER, number INTEGER, speaker TEXT, step TEXT, text TEXT,"
        " origin TEXT, recorded_at TEXT, token TEXT, reply_to INTEGER, next_step TEXT, screen TEXT, provenance TEXT,"
        " UNIQUE (visit, number), UNIQUE (visit, token), UNIQUE (visit, reply_to))"
    )
    return connection


@click.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Where to write; a temporary folder.")
@click.option("--visits", "count", default=30, show_default=True, help="Visits of 20 turns in each round.")
@click.option("--rounds", default=7, show_default=True)
@click.option("--check", is_flag=True, help=f"Exit with status 1 when the ratio is under {LEAST}.")
def main(folder: Path | None, count: int, rounds: int, check: bool) -> None:
    """Compare durable writes through the record with bare sqlite3."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        create(Path(place) / "study")
        study = Study.open(Path(place) / "study")
        connection = bare(Path(place) / "bare.sqlite")
        ratios = []
        for number in range(rounds + 1):
            opened = []
            for _ in range(count):
                visit = visits.today(study, take_in(study))
                opened.append(visits.rate(study, visit, "before", 50))  # type: ignore[arg-type]
            ours = theirs = 0.0
            for place_of, visit in enumerate(opened):
                theirs += through_sqlite(connection, number * count + place_of)
                ours += through_the_record(study, visit)
            if number == 0:
                continue  # the first round warms the caches
            ratios.append(theirs / ours)
            writes = count * TURNS
            click.echo(f"bare {writes / theirs:7.0f}/s   record {writes / ours:7.0f}/s   ratio {ratios[-1]:.2f}")
        study.close()
    ratio = statistics.median(ratios)
    click.echo(f"median ratio {ratio:.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")
    if check and ratio < LEAST:
        sys.exit(1)


if __name__ == "__main__":
    main()

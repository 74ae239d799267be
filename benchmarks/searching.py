"""How long the console's search takes: making its index, and each kind of query, on made-up turns.

`--check` fails when the first search takes longer than 10 seconds, or a later one longer than 100 milliseconds.
"""

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import click

from portal.console.searching import Index
from study import visits
from study.enrolment import take_in
from study.study import Study, create

WORDS = 8000
"""Different words, the n-th said a n-th as often as the first, as in speech."""


@click.command()
@click.option("--turns", default=60_000, show_default=True, help="Turns in the record.")
@click.option("--check", is_flag=True, help="Fail when it takes too long.")
def main(turns: int, check: bool) -> None:
    """Print the time of the first search, and the median time of each query."""
    draw = random.Random(1)
    vocabulary = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(WORDS)]
    weights = [1 / rank for rank in range(1, WORDS + 1)]
    with tempfile.TemporaryDirectory() as place:
        create(Path(place) / "mystudy")
        study = Study.open(Path(place) / "mystudy")
        visit = visits.today(study, take_in(study))
        if visit is None:
            raise click.ClickException("The study has no visit today.")
        rows = [
            (
                visit.id,
                number,
                ("participant", "therapist")[number % 2],
                " ".join(draw.choices(vocabulary, weights, k=draw.randint(5, 60))),
            )
            for number in range(1, turns + 1)
        ]
        # Past the log, whose hashes would take minutes: what is measured here only reads.
        study.records.db.conn.execute("BEGIN")
        study.records.db.conn.executemany(
            "INSERT INTO turn (visit, number, speaker, step, text, origin, recorded_at)"
            " VALUES (?, ?, ?, 'situation', ?, 'model', '2026-03-02T09:00:00.000+00:00')",
            rows,
        )
        study.records.db.conn.execute("COMMIT")
        index = Index(study.records)
        one, two, three, rare = *vocabulary[:3], vocabulary[500]
        started, cpu = time.perf_counter(), time.process_time()
        index.search(rare)
        first = time.perf_counter() - started
        click.echo(f"first search, with {turns} turns: {first:.2f} s ({time.process_time() - cpu:.2f} s of processor)")
        slowest = 0.0
        for query in (one, rare, f'"{one} {two}"', "a*", f"{one} NOT {two}", f"{one} {two} {three}", "don't ("):
            times = []
            for _ in range(5):
                started = time.perf_counter()
                found = index.search(query)
                times.append(time.perf_counter() - started)
            slowest = max(slowest, statistics.median(times))
            click.echo(f"{1000 * statistics.median(times):6.1f} ms  {found.total:6} turns  {query}")
        study.close()
    if check and (first > 10 or slowest > 0.1):
        sys.exit("It takes too long.")


if __name__ == "__main__":
    main()

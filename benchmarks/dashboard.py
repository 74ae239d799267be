"""How long the dashboard of the console takes to draw, of a study in the middle of its days.

python benchmarks/dashboard.py [--participants 200] [--check]
"""

import json
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from portal.app import create_app
from portal.console.guard import COOKIE
from study.access import accounts, signing
from study.enrolment import take_in
from study.records import Write, stamp
from study.study import Participant, Study, create
from study.visits import window_of
from therapist.engines import open_engine

MOST = 150.0
"""Milliseconds of the processor, in the median, beyond which `--check` fails."""

TURNS = 12
"""Turns of a visit."""


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@click.command()
@click.option("--participants", "count", default=200, show_default=True, help="How many take part.")
@click.option("--check", is_flag=True, help=f"Fail above {MOST:.0f} ms.")
def main(count: int, check: bool) -> None:
    """Fill a record and draw the dashboard as a researcher sees it."""
    clock = Clock()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        create(Path(folder) / "study")
        study = Study.open(Path(folder) / "study", clock=clock)
        for _ in range(count):
            take_in(study)
            clock.moment += timedelta(days=14) / count
        with study.records.write() as write:
            for participant in study.participants():
                _live_through(study, write, participant)
            write.log(clock.moment, "benchmark", "filled", "all")
        accounts.add(study, "somebody", ["researcher"], by="benchmark")
        app = create_app(study, {study.protocol.engine: open_engine("eliza")})
        client = app.test_client()
        client.set_cookie(COOKIE, signing.begin(study, "somebody"))
        taken, waited = [], []
        for _ in range(20):
            began, began_cpu = time.perf_counter(), time.process_time()
            size = len(client.get("/console/").data)
            waited.append((time.perf_counter() - began) * 1000)
            taken.append((time.process_time() - began_cpu) * 1000)
        app.extensions["bedside"].close()
        study.close()
    taken_ms, waited_ms = statistics.median(taken), statistics.median(waited)
    click.echo(f"{count} participants: {taken_ms:.0f} ms of the processor, {waited_ms:.0f} ms by the clock (medians)")
    click.echo(f"the page has {size // 1024} KiB")
    if check and taken_ms > MOST:
        sys.exit(1)


def _live_through(study: Study, write: Write, participant: Participant) -> None:
    """The visits of a participant up to now; today's of some are under way."""
    now = study.clock.now()
    chance = random.Random(participant.code)
    for day in range(1, min(study.day_of(participant), participant.protocol.days) + 1):
        frame = window_of(participant, day)
        state = chance.choices(["done", "missed", "unfinished"], [85, 10, 5])[0]
        if frame.closes > now:
            state = chance.choice(["before", "exercise", "done"])
        visit = write.insert(
            "visit",
            {
                "participant": participant.code,
                "day": day,
                "exercise": participant.protocol.exercise_on(day),
                "state": state,
                "opens_at": stamp(frame.opens),
                "closes_at": stamp(frame.closes),
                "ends_at": stamp(frame.ends),
                "opened_at": stamp(frame.opens),
                "ended_at": stamp(frame.opens + timedelta(hours=1)) if state == "done" else None,
                "code": f"{participant.code}-{day}",
            },
        )
        if state in ("before", "missed"):
            continue
        at = now - timedelta(minutes=chance.randrange(60)) if state == "exercise" else frame.opens
        for occasion in ("before", "after") if state == "done" else ("before",):
            rating = {"visit": visit, "measure": "distress", "occasion": occasion, "value": chance.randrange(101)}
            write.insert("rating", {**rating, "given_at": stamp(at)})
        for number in range(1, TURNS + 1):
            mine = number % 2 == 0
            write.insert(
                "turn",
                {
                    "visit": visit,
                    "number": number,
                    "speaker": "participant" if mine else "therapist",
                    "step": "thought",
                    "text": "words " * 20,
                    "origin": "participant" if mine else "model",
                    "recorded_at": stamp(at),
                    "provenance": None if mine else json.dumps(_PROVENANCE | {"first_sentence_ms": 100.0 * number}),
                },
            )


_PROVENANCE = {"engine": "eliza", "model": "doctor", "failures": [], "prompt": [{"content": "words " * 500}]}


if __name__ == "__main__":
    main()

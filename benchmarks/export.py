"""How long the export of a whole trial takes, and how much memory.

A record of 1,000 participants over 15 days is written straight into SQLite through the study's own schema: visits,
ratings, forms with their answers, turns with provenance, and the log, about two million rows. Then `bedside export`
writes it in every format, in a process of its own, whose time and peak memory are taken from the operating system.
Only the hashes of the log are made up: the export copies them and reads nothing from them.
"""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from study.measure import load_measure
from study.records import stamp
from study.study import Study, create, lock

LIMIT_S = 60
LIMIT_MIB = 1000

DAYS = 15
BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ARMS = ("robot", "chat", "worksheet")
AT_STAGES = ("k10", "phq9", "gad7")
"""Measures at baseline and on days 8 and 15."""
DAILY = {"before": "stai6", "after": "wai_sr"}
"""Measures at each visit."""
EXCHANGES = 24
"""How often participant and therapist speak in a visit: twice as often as in an exercise of ten steps."""

WORDS = (
    "the meeting went badly and I thought that everyone saw it because my voice was shaking when I spoke about our"
    " results then a friend said it was fine; maybe I look at it too harshly, she had liked “most” of it, é, 잘했어 😀"
).split()


class Writer:
    """Rows of one table, written many at a time."""

    def __init__(self, study: Study, table: str) -> None:
        self._connection = study.records.db.conn
        self._table = table
        self._rows: list[tuple[Any, ...]] = []
        self._sql = ""
        self.count = 0

    def add(self, **row: Any) -> int:
        """Add a row; return its number, from 1."""
        if not self._sql:
            # Tables and columns are named below, by nobody's input.
            self._sql = f"INSERT INTO {self._table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608
        self._rows.append(tuple(row.values()))
        self.count += 1
        if len(self._rows) >= 5000:
            self.flush()
        return self.count

    def flush(self) -> None:
        if self._rows:
            self._connection.executemany(self._sql, self._rows)
            self._rows.clear()


class Trial:
    """A whole trial, row by row."""

    def __init__(self, study: Study, people: int) -> None:
        self._study = study
        self._people = people
        self._random = random.Random(20260301)
        tables = ("person", "consent", "participant", "visit", "rating", "form", "answer", "turn", "event")
        self._tables = {name: Writer(study, name) for name in tables}
        self._measures = {
            name: [(item.id, item.low, item.high) for item in load_measure(name).items]
            for name in (*AT_STAGES, *DAILY.values())
        }

    def write(self) -> int:
        """Write it and return the number of rows."""
        with self._study.records.write() as write:
            lock(self._study, write, BEGIN)
        connection = self._study.records.db.conn
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA foreign_keys = OFF")  # rows are written table by table; checked at the end
        connection.execute("BEGIN")
        events = self._tables["event"]
        events.count = connection.execute("SELECT count(*) FROM event").fetchone()[0]
        with click.progressbar(range(self._people), label="writing the record", file=sys.stderr) as bar:
            for number in bar:
                self._person(number)
        for table in self._tables.values():
            table.flush()
        connection.execute("COMMIT")
        if connection.execute("PRAGMA foreign_key_check").fetchone():
            raise AssertionError("a row refers to one that is not there")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return sum(table.count for table in self._tables.values()) + 1

    def _person(self, number: int) -> None:
        code = f"P{number:05}"
        came = BEGIN + timedelta(minutes=7 * number)
        add = self._tables
        add["person"].add(
            code=code, came_at=stamp(came), protocol=1, timezone="Europe/London", kind="participant", state="enrolled"
        )
        self._log(came, code, "came", code, code)
        add["consent"].add(person=code, version="1", sha256=_hash(code), permissions="{}", given_at=stamp(came))
        self._log(came, code, "consented", code, code)
        for measure in AT_STAGES:
            self._form(code, measure, "baseline", None, came)
        add["participant"].add(
            code=code, kind="participant", enrolled_at=stamp(came), starts_on=came.date().isoformat(), scheme=0,
            stratum="all", position=number, block=number // 3, levels="{}", arm=ARMS[number % 3], status="active",
        )  # fmt: skip
        self._log(came, "bedside", "enrolled", code, code)
        for day in range(1, DAYS + 1):
            self._visit(code, ARMS[number % 3], day, number, came + timedelta(days=day - 1, minutes=30))

    def _visit(self, code: str, arm: str, day: int, number: int, at: datetime) -> None:
        add = self._tables
        ends = at + timedelta(minutes=40)
        visit = add["visit"].add(
            participant=code, day=day, exercise="coping_strategies", state="done", opens_at=stamp(at),
            closes_at=stamp(at + timedelta(hours=20)), ends_at=stamp(at + timedelta(hours=20)), opened_at=stamp(at),
            ended_at=stamp(ends), code=f"{number * DAYS + day:07}", device="robot-1" if arm == "robot" else None,
        )  # fmt: skip
        self._log(at, code, "visit opened", f"visit {visit}", code)
        if day in (8, 15):
            for measure in AT_STAGES:
                self._form(code, measure, f"day {day}", visit, at)
        self._form(code, DAILY["before"], "before", visit, at)
        self._rating(code, visit, "before", at)
        self._turns(code, arm, visit, at)
        self._log(ends, code, "exercise finished", f"visit {visit}", code)
        self._rating(code, visit, "after", ends)
        self._form(code, DAILY["after"], "after", visit, ends)

    def _rating(self, code: str, visit: int, occasion: str, at: datetime) -> None:
        value = self._random.randint(0, 100)
        self._tables["rating"].add(visit=visit, measure="distress", occasion=occasion, value=value, given_at=stamp(at))
        self._log(at, code, "rated", f"visit {visit}", code)

    def _form(self, code: str, measure: str, occasion: str, visit: int | None, at: datetime) -> None:
        form = self._tables["form"].add(
            person=code, measure=measure, version="1", language="en", occasion=occasion, visit=visit, given_at=stamp(at)
        )
        for item, low, high in self._measures[measure]:
            self._tables["answer"].add(form=form, item=item, value=self._random.randint(low, high))
        self._log(at, code, "form given", f"form {form}", code)

    def _turns(self, code: str, arm: str, visit: int, at: datetime) -> None:
        said = "Welcome. What happened?"
        for number in range(1, 2 * EXCHANGES + 1):
            at += timedelta(seconds=20)
            therapist = number % 2 == 1
            text = " ".join(self._random.choices(WORDS, k=14))
            self._tables["turn"].add(
                visit=visit,
                number=number,
                speaker="therapist" if therapist else "participant",
                step=f"step_{number // 5}",
                text=text,
                origin=("model" if number > 1 else "script") if therapist else "participant",
                recorded_at=stamp(at),
                token=None if therapist else f"{visit:08x}-{number:04x}",
                reply_to=number - 1 if therapist and number > 1 else None,
                next_step=f"step_{(number + 1) // 5}" if therapist else None,
                provenance=self._provenance(arm, said, number) if therapist else None,
            )
            self._log(at, "therapist" if therapist else code, "turn", f"visit {visit}", code)
            said = text

    def _provenance(self, arm: str, said: str, number: int) -> str:
        digest = _hash(arm)
        rules = "You lead a short written exercise. Reflect what was said in one sentence and judge nothing. " * 9
        return json.dumps(
            {
                "medium": arm, "exercise": "coping_strategies", "exercise_version": "3", "exercise_sha256": digest,
                "persona": "neutral", "persona_sha256": digest, "screen_sha256": digest, "engine": "transformers",
                "model": "smollm2", "model_sha256": digest, "form": {"sentences": 1, "question": False},
                "prompt": [{"role": "system", "content": rules}, {"role": "user", "content": said}],
                "seed": number, "sampling": {"temperature": 0.0, "max_tokens": 60}, "tokens_in": 412, "tokens_out": 31,
                "queue_ms": 0.4, "first_token_ms": self._random.random() * 900, "raw": said, "refused": [],
                "retries": 0, "failures": [],
            },
            ensure_ascii=False,
        )  # fmt: skip

    def _log(self, at: datetime, actor: str, what: str, subject: str, person: str) -> None:
        events = self._tables["event"]
        own = _hash(str(events.count))
        detail = json.dumps({"salt": own[:16], "rows": {f"{what}/{events.count}": own}, "number": events.count})
        events.add(
            at=stamp(at), actor=actor, what=what, subject=subject, person=person, detail=detail,
            detail_sha256=own, previous=own, hash=_hash(f"event {events.count}"),
        )  # fmt: skip


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _protocol(folder: Path) -> None:
    due = [f'{{ measure = "{name}", when = ["baseline", "day 8", "day 15"] }}' for name in AT_STAGES]
    due += [f'{{ measure = "{name}", when = ["{when}"] }}' for when, name in DAILY.items()]
    path = create(folder)
    head = (
        'measures = [\n    { measure = "distress", when = ["before", "after"] },\n    ' + ",\n    ".join(due) + ",\n]\n"
    )
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("days = 15", f"{head}days = 15", 1), encoding="utf-8")


def _exported(folder: Path, out: Path, options: tuple[str, ...]) -> tuple[float, float]:
    """Seconds, and peak memory in MiB, of one export in a process of its own."""
    command = [sys.executable, "-m", "bedside", "export", str(folder), str(out), *options]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise click.ClickException(f"the export ended with status {process.returncode}")
    return seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def _variants(all_of_them: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "whole", ()
    if all_of_them:
        yield "blinded", ("--as", "analyst")
        yield "de-identified", ("--deidentified",)


@click.command()
@click.option("--people", default=1000, show_default=True, help="How many participants.")
@click.option("--check", is_flag=True, help=f"Fail above {LIMIT_S} s or {LIMIT_MIB} MiB.")
@click.option("--all-variants", is_flag=True, help="Measure the blinded and the de-identified export, too.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write; kept. A temporary folder if left out.")
def main(people: int, check: bool, all_variants: bool, folder: Path | None) -> None:
    """Measure the export of a whole trial.

    Example: python benchmarks/export.py --check
    """
    with tempfile.TemporaryDirectory(prefix="bedside-export-") as scratch:
        place = folder or Path(scratch)
        home = place / "study"
        if not (home / "study.sqlite").exists():
            _protocol(home)
            study = Study.open(home)
            rows = Trial(study, people).write()
            study.close()
            (place / "rows").write_text(str(rows))
        rows = int((place / "rows").read_text())
        size = (home / "study.sqlite").stat().st_size / 1024**2
        click.echo(f"record: {rows:,} rows, {size:,.0f} MiB")
        slow = False
        for name, options in _variants(all_variants):
            out = place / f"out-{name}"
            shutil.rmtree(out, ignore_errors=True)
            seconds, peak = _exported(home, out, options)
            written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1024**2
            click.echo(f"{name}: {seconds:.1f} s, peak {peak:,.0f} MiB, {written:,.0f} MiB written")
            slow = slow or seconds > LIMIT_S or peak > LIMIT_MIB
    if check and slow:
        raise click.ClickException(f"above the limits of {LIMIT_S} s and {LIMIT_MIB} MiB")


if __name__ == "__main__":
    main()

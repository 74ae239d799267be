"""Two hundred participants at once: how long pages and first sentences take, whether anything fails, and the memory.

The portal is the real one, `bedside serve`, in a process of its own, with ELIZA's rules. Participants are locust's
users; each holds visits through the same doors as the simulation's participants (`bedside.visiting`), with the time
that a person takes to read and to write. Whoever has ended a visit is followed by the next person, so there are always
as many visits under way. A participant of the robot arm is met by a robot of their own, at the device API.

    python benchmarks/load.py [--participants 200] [--minutes 10] [--check]
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - gevent has to come first
import os  # noqa: E402
import platform  # noqa: E402
import re  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections import defaultdict  # noqa: E402
from itertools import count  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median  # noqa: E402
from typing import Any  # noqa: E402

import click  # noqa: E402
import gevent  # noqa: E402
import httpx2  # noqa: E402
import psutil  # noqa: E402
from _measuring import percentile  # noqa: E402
from _portal import memory_of, portal, prepare  # noqa: E402
from locust import User, task  # noqa: E402
from locust.env import Environment  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from bedside.simulated import Character  # noqa: E402
from bedside.visiting import Visitor  # noqa: E402
from robot_node.api import DeviceAPI  # noqa: E402
from study.access import devices  # noqa: E402
from study.study import Study  # noqa: E402

PAGE_MS, SENTENCE_MS = 300, 500
"""95 of 100 pages, and first sentences of a chat, are to be there by then."""

GROWTH = 0.05
"""By so much, as a share, the portal's memory may grow from the third minute to the end."""

SENTENCE = "first sentence of a chat"

PAGES = ("page", "form", "consent", "rating", "leave")


@click.command(epilog="Let the machine be quiet: the load it begins with is printed.")
@click.option("--participants", default=200, show_default=True, help="Visits under way at once.")
@click.option("--minutes", default=10.0, show_default=True, help="How long, after everybody has come.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the table.")
@click.option("--check", is_flag=True, help="Exit 1 when something fails, is late, or memory grows.")
def main(participants: int, minutes: float, as_json: bool, check: bool) -> None:
    """Hold visits for some minutes, and print how long everything took."""
    console = Console(stderr=True)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        prepare(folder)
        with portal(folder) as (url, process):
            study = Study.open(folder)
            times, failures, memory, visits = _measure(study, url, process, participants, minutes, console)
            study.close()
    begin, end = _memory(memory)
    summary = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, load {load:.2f} before",
        "participants": participants,
        "minutes": minutes,
        "visits": visits,
        "failures": failures,
        "memory_mb": [round(begin), round(end)],
        "ms": {name: _figures(values) for name, values in sorted(times.items())},
    }
    if as_json:
        print(json.dumps(summary, indent=1))
    else:
        _print(summary)
    pages = [value for name in PAGES for value in times.get(name, [])]
    good = (
        not sum(failures.values())
        and percentile(pages) < PAGE_MS
        and percentile(times[SENTENCE]) < SENTENCE_MS
        and end < begin * (1 + GROWTH)
    )
    if check and not good:
        raise SystemExit(1)


def _measure(
    study: Study, url: str, process: psutil.Process, participants: int, minutes: float, console: Console
) -> tuple[dict[str, list[float]], dict[str, int], list[tuple[float, float]], int]:
    times: dict[str, list[float]] = defaultdict(list)
    failures: dict[str, int] = defaultdict(int)
    numbers = count()
    ended = count()
    counting = False

    def heard(name: str, response_time: float, exception: Exception | None, **_: Any) -> None:
        if exception is not None:
            failures[name] += 1
            console.print(f"{name}: {exception}")
        elif counting:
            times[name].append(response_time)

    class Participant(User):
        def on_start(self) -> None:
            self.visitor = _LoadVisitor(url, study, self.environment)

        @task
        def visit(self) -> None:
            character = Character.draw(f"load/{next(numbers)}")
            self.visitor.character = character
            try:
                path, participant = self.visitor.come(character)
                if participant is not None and self.visitor.visit(path, character) == "done":
                    next(ended)
            except gevent.GreenletExit:
                raise
            except Exception as error:
                heard("visit", 0, error)
                gevent.sleep(1)

    environment = Environment(user_classes=[Participant])
    environment.events.request.add_listener(heard)
    runner = environment.create_local_runner()
    # Fewer come in a minute than the door lets in from one address.
    runner.start(participants, spawn_rate=1.5)
    memory = []
    began = time.monotonic()
    while time.monotonic() < began + participants / 1.5:
        gevent.sleep(1)
    counting = True
    began = time.monotonic()
    while (now := time.monotonic() - began) < 60 * minutes:
        memory.append((now, memory_of(process)))
        done = now / (60 * minutes)
        console.print(f"{done:4.0%}  {sum(map(len, times.values()))} requests, {memory[-1][1]:.0f} MB", end="\r")
        gevent.sleep(5)
    runner.quit()
    return times, failures, memory, next(ended)


class _LoadVisitor(Visitor):
    """A participant who takes their time, and tells locust how long the portal took."""

    character: Character

    def __init__(self, url: str, study: Study, environment: Environment) -> None:
        super().__init__(url, study, gevent.sleep)
        self._url = url
        self._environment = environment
        self._http.event_hooks = {"response": [self._tell]}
        self._robots: DeviceAPI | None = None
        self._sent = 0.0

    def _tell(self, answer: httpx2.Response) -> None:
        if answer.is_stream_consumed is False and "reply" in answer.url.path:
            return  # told by its first sentence
        answer.read()
        error = None if answer.status_code < 400 else RuntimeError(f"{answer.status_code} {answer.text[:200]}")
        self._fire(_kind(answer.request), 1000 * answer.elapsed.total_seconds(), error)

    def _fire(self, name: str, milliseconds: float, error: Exception | None = None) -> None:
        self._environment.events.request.fire(
            request_type="",
            name=name,
            response_time=milliseconds,
            response_length=0,
            exception=error,
            context={},
        )

    def _send(self, path: str, fields: dict[str, str]) -> int:
        self._sent = time.monotonic()
        return super()._send(path, fields)

    def _heard(self, event: str) -> None:
        if event == "sentence" and self._sent:
            self._fire(SENTENCE, 1000 * (time.monotonic() - self._sent))
            self._sent = 0.0

    def _robot(self, page: str, character: Character) -> None:
        """A robot of one's own, which speaks to the device API."""
        code = re.sub(r"\D", "", re.search(r'class="code"[^>]*>([\d ]+)<', page)[1])  # type: ignore[index]
        if self._robots is None:
            self._robots = DeviceAPI(self._url, devices.issue(self._study, f"robot-{id(self)}", by="load"))
        robot = self._robots
        visit = robot.claim(code)
        before = character.rate_before()
        visit = robot.rate(visit.id, "before", before)
        told: dict[str, int] = {}
        while visit.state == "exercise":
            step = self._step_asked({"turns": visit.turns})
            said = character.answer(step, told.get(step, 0))
            told[step] = told.get(step, 0) + 1
            self._pass_time(character.takes_s(said))
            heard = robot.say(visit.id, said, self._token(character))
            for _ in robot.reply(visit.id, heard.number):
                pass
            visit = robot.visit(visit.id)
        if visit.state == "after":
            robot.rate(visit.id, "after", character.rate_after(before))


def _kind(request: httpx2.Request) -> str:
    """What was asked for: `page`, or the last part of the path."""
    last = request.url.path.rstrip("/").rsplit("/", 1)[-1]
    if request.url.path.startswith("/join/"):
        return "door"
    if "/drafts/" in request.url.path:
        return "draft"
    return last if last in ("form", "consent", "rating", "turns", "visit", "reply", "leave") else "page"


def _memory(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """The memory at the third minute (or a third of the time, if that is earlier), and in the last minute."""
    last = samples[-1][0]
    begin = min(180.0, last / 3)
    return (
        median(value for at, value in samples if begin - 31 < at <= begin + 31),
        median(value for at, value in samples if at > last - 60),
    )


def _figures(values: list[float]) -> dict[str, float]:
    return {
        "n": len(values),
        "median": round(median(values), 1),
        "p95": round(percentile(values), 1),
        "longest": round(max(values), 1),
    }


def _print(summary: dict[str, Any]) -> None:
    table = Table(title=f"Milliseconds; {summary['participants']} participants, {summary['minutes']} minutes")
    table.add_column("what")
    for name in ("n", "median", "p95", "longest"):
        table.add_column(name, justify="right")
    for name, figures in summary["ms"].items():
        table.add_row(name, *(f"{figures[one]:g}" for one in ("n", "median", "p95", "longest")))
    console = Console(width=100)
    console.print(table)
    console.print(f"{summary['visits']} visits done; failures: {summary['failures'] or 'none'}")
    console.print("Memory: {} MB in the third minute, {} MB in the last".format(*summary["memory_mb"]))
    console.print(summary["machine"])


if __name__ == "__main__":
    main()

"""Rehearsing a study: simulated participants, all days, on a clock that runs ahead.

The portal and the robot's node run as processes of their own, started by the commands anyone uses. The record is a
rehearsal's: another file, another kind of file, other codes, and no allocation of the study's is used up.
"""

import itertools
import os
import secrets
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bedside.assembly import check, open_study
from bedside.simulated import Character
from bedside.simulated_patients import PatientCharacter, write_courses
from bedside.visiting import Visitor
from robot_node.client import Listener
from robot_node.running import spinning
from study import safety
from study.access import devices
from study.clock import FileClock
from study.errors import StudyError
from study.study import Participant, Study
from study.visits import close, open_on, window_of

__all__ = ["simulate"]

DEVICE = "rehearsal"


def simulate(
    folder: Path, count: int, engine: str | None, seed: int, days: int | None, *, patients: bool = False
) -> Path:
    """Rehearse the study in `folder` with `count` participants; return the rehearsal's record.

    `engine` stands in for every arm's own; `days` ends the rehearsal early. With `patients` the participants are those
    of `audit.patients`, and how they stood after each reply is written beside the record. Raises `StudyError` when
    something of the study does not work, which is what a rehearsal is for.
    """
    protocol = check(folder)
    if patients and protocol.language != "en":
        raise StudyError(f"The simulated patients speak English; this study's language is {protocol.language!r}.")
    shelf = folder / "rehearsals"
    shelf.mkdir(mode=0o700, exist_ok=True)
    record = shelf / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-seed{seed}.sqlite"
    clock = FileClock(record.with_suffix(".clock"))
    first = datetime.combine(datetime.now(protocol.zone).date(), protocol.boundary, protocol.zone)
    clock.set(first.astimezone(UTC) + timedelta(hours=1))
    study = open_study(folder, clock=clock, rehearsal=record)
    last = min(days or protocol.days, protocol.days)
    began = time.monotonic()
    with ExitStack() as stack:
        url = stack.enter_context(_portal(folder, record, clock, engine))
        listener = None
        if any(arm.medium == "robot" for arm in protocol.arms):
            token = stack.enter_context(devices.lent(study, DEVICE, by="bedside"))
            listener = stack.enter_context(_robot(url, token))
        visitor = Visitor(url, study, _passing(clock, count), listener)
        stack.callback(visitor.close)
        people = _come(study, visitor, count, seed, PatientCharacter if patients else Character)
        endings = _all_days(study, clock, people, visitor, first, last)
    _close(study, clock, people, last)  # the portal has ended, and opens no further day
    _report(study, endings, record, time.monotonic() - began, patients)
    if patients:
        for path in write_courses(record, people):
            click.echo(f"Wrote {path}")
    study.close()
    for left in (record.with_suffix(".clock"), *record.parent.glob(f"{record.name}.access*")):
        left.unlink()
    return record


def _come(
    study: Study, visitor: Visitor, count: int, seed: int, kind: type[Character]
) -> list[tuple[Participant, Character]]:
    """People come through the study's door until `count` are enrolled."""
    people: list[tuple[Participant, Character]] = []
    turned_away = 0
    for number in itertools.count():
        character = kind.draw(f"{seed}/{number}")
        path, participant = visitor.come(character)
        _take_charge(study)
        if participant is None and study.person(path.split("/")[2]).state == "baseline":
            participant = visitor.go_on(path, character)  # an alert kept them back until now
        if participant is not None:
            people.append((participant, character))
        else:
            turned_away += 1
        if len(people) == count:
            break
        if turned_away > 20 + 5 * count:
            raise StudyError("The rules of eligibility turn nearly all simulated people away; see study.toml.")
    if turned_away:
        click.echo(f"{turned_away} people came and could not take part.")
    return people


def _take_charge(study: Study) -> int:
    """Acknowledge what raised an alarm, as the study's safety officer does; how many there were."""
    alarms = safety.events(study, open_only=True)
    for alarm in alarms:
        safety.acknowledge(study, alarm["id"], "rehearsal")
    return len(alarms)


def _all_days(
    study: Study,
    clock: FileClock,
    people: list[tuple[Participant, Character]],
    visitor: Visitor,
    first: datetime,
    last: int,
) -> Counter[str]:
    """Let everybody make their visits, day by day in the order of the hours; count how they ended."""
    endings: Counter[str] = Counter()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    ahead = study.protocol.visits.first_day
    days = _days(study, last)
    with Progress(*columns, disable=not sys.stderr.isatty(), console=Console(stderr=True)) as progress:
        task = progress.add_task("visits", total=len(people) * len(days))
        for day in days:
            progress.update(task, description=f"day {day} of {days[-1]}")
            # Wall-clock days, so that a day on which the clocks change is a day like any other.
            midnight = (first + timedelta(days=ahead + day - 1)).replace(hour=0, minute=0)
            coming = sorted((character.comes_at(), place) for place, (_, character) in enumerate(people))
            for hour, place in coming:
                person, character = people[place]
                if character.comes_today():
                    # Visits are made one after another; who comes while somebody is there waits their turn.
                    due = (midnight + timedelta(hours=hour)).astimezone(UTC)
                    clock.set(max(due, clock.now()))
                    endings[visitor.visit(study.participant_path(person.code), character)] += 1
                    endings["alarms"] += _take_charge(study)
                else:
                    endings["missed"] += 1
                progress.advance(task)
    return endings


def _close(study: Study, clock: FileClock, people: list[tuple[Participant, Character]], last: int) -> None:
    """The windows of the days until `last` close: missed visits are in the record, as they are in a study's."""
    days = _days(study, last)
    windows = {(person.code, day): window_of(person, day) for person, _ in people for day in days}
    clock.set(max([*(window.ends for window in windows.values()), clock.now()]))
    for person, _ in people:
        if study.participant(person.code).status != "withdrawn":
            for day in days:
                visit = open_on(study, person, day, by="bedside", state="missed")
                close(study, visit)


def _days(study: Study, last: int) -> list[int]:
    """The study days until `last`; after the study's last day, the follow-ups."""
    return [*range(1, last + 1), *(one.day for one in study.protocol.follow_ups if last == study.protocol.days)]


def _passing(clock: FileClock, count: int) -> Callable[[float], None]:
    """A function that moves the clock. With many participants everybody is quicker, so that a day holds them all."""
    quickness = min(1.0, 40 / count)

    def pass_time(seconds: float) -> None:
        clock.set(clock.now() + timedelta(seconds=seconds * quickness))

    return pass_time


def _report(study: Study, endings: Counter[str], record: Path, seconds: float, patients: bool) -> None:
    made = endings["done"] + endings["stopped"]
    click.echo(f"{made} visits made, {endings['missed']} missed, {endings['stopped']} stopped, in {seconds:.0f} s.")
    if endings["closed"]:
        click.echo(f"{endings['closed']} times somebody came and found no visit open: look at [visits] in study.toml.")
    rows = study.records.rows(
        "SELECT participant.arm, rating.occasion, avg(rating.value) AS mean, count(*) AS n FROM rating_now rating"
        " JOIN visit ON visit.id = rating.visit JOIN participant ON participant.code = visit.participant"
        " GROUP BY participant.arm, rating.occasion ORDER BY participant.arm, rating.occasion DESC"
    )
    for row in rows:
        click.echo(f"  {row['arm']:12} distress {row['occasion']:7} {row['mean']:5.1f}  (n = {row['n']})")
    if patients:
        click.echo("These are rehearsal data: what is rated follows how rules move a patient by each reply.")
    else:
        click.echo("These are rehearsal data: no difference between the arms is built in.")
    click.echo(f"Wrote {record}; to have it as CSV: bedside export {study.folder} OUT --rehearsal {record}")


@contextmanager
def _portal(folder: Path, record: Path, clock: FileClock, engine: str | None) -> Iterator[str]:
    """The portal, serving the rehearsal in a process of its own; its address."""
    port = _free_port()
    command = [sys.executable, "-m", "bedside", "serve", str(folder), "--port", str(port)]
    command += ["--rehearsal", str(record), "--rehearsal-clock", str(clock.path)]
    command += ["--rehearsal-engine", engine] if engine else []
    with _process(command, record.with_suffix(".portal.log")) as process:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process, record.with_suffix(".portal.log"))
        yield url


@contextmanager
def _robot(url: str, token: str) -> Iterator[Listener]:
    """The robot's node in a process of its own, and somebody in this one who can talk to it."""
    # A domain of its own: a robot that is on this machine's network must hear nothing of a rehearsal.
    os.environ["ROS_DOMAIN_ID"] = str(secrets.randbelow(90) + 10)
    os.environ["BEDSIDE_DEVICE_TOKEN"] = token
    command = [sys.executable, "-m", "bedside", "robot", url]
    command += ["--namespace", "rehearsal", "--no-sound", "--body", "none"]
    with _process(command, None), spinning() as executor:
        listener = Listener(namespace="rehearsal")
        executor.add_node(listener)
        listener.wait_for_robot(30)
        yield listener


@contextmanager
def _process(command: list[str], log: Path | None) -> Iterator["subprocess.Popen[bytes]"]:
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603 - our own command
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    while process.poll() is None:
        try:
            httpx2.get(url + "/api/v1/", timeout=2, trust_env=False)
        except httpx2.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise StudyError(f"The portal of the rehearsal did not start; {log} says why.")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port

"""Serving a study, and the demo."""

import os
import sys
import threading
from pathlib import Path

import click
import structlog
from flask import Flask
from rich.console import Console
from rich.table import Table

from bedside.assembly import open_study, portal_of
from portal.server import CANNOT_LOAD, listen_on
from portal.server import serve as run_server
from study.clock import FileClock
from study.enrolment import take_in
from study.study import Study, create
from study.tick import tick
from therapist.errors import TherapistError

__all__ = ["demo", "serve"]

log = structlog.get_logger()

TICK_EVERY_S = 5.0
"""How often the portal looks for what is due. The safety officer is to hear within a minute."""


def serve(
    folder: Path,
    host: str,
    port: int,
    *,
    rehearsal: Path | None = None,
    rehearsal_clock: Path | None = None,
    instead: str | None = None,
    greet: bool = True,
) -> None:
    """Serve the study in `folder` until told to stop. Exits with status 2 when an engine cannot be opened.

    A rehearsal has a record and a clock of its own, and `instead` may name an engine in place of every arm's.
    """
    clock = FileClock(rehearsal_clock) if rehearsal_clock else None
    study = open_study(folder, clock=clock, rehearsal=rehearsal)
    listener = listen_on(host, port)
    url = _url(host, listener.getsockname()[1])
    console = Console(highlight=False)

    def make_app() -> Flask:
        # gunicorn's worker is a forked process: it opens the record anew rather than share a connection.
        mine = open_study(folder, clock=clock, rehearsal=rehearsal)
        try:
            app = portal_of(mine, lambda said: console.print(f"  {said}", style="dim"), instead)
        except TherapistError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(CANNOT_LOAD)
        except Exception:
            log.exception("the portal cannot be loaded")
            sys.exit(CANNOT_LOAD)
        threading.Thread(target=_keep_ticking, args=(mine,), daemon=True, name="tick").start()
        console.print(
            f"Serving [bold]{study.protocol.title}[/bold] at {url}. Ctrl-C stops it; nothing is lost.", soft_wrap=True
        )
        if greet:
            console.print(f"Researcher's page: {url}{study.researcher_path()}", soft_wrap=True)
            console.print(f"People come by:    {url}{study.join_path()}", soft_wrap=True)
            console.print(f"All links:         bedside links {folder} --url {url}", soft_wrap=True)
        else:
            _print_links(console, study, folder, url)
        return app

    study.close()
    parent = os.getpid()
    try:
        run_server(listener, make_app)
    except SystemExit as stop:
        # The worker is a fork that comes by here, too; its status is for its parent, this process's for the user.
        sys.exit(2 if os.getpid() == parent and stop.code == CANNOT_LOAD else stop.code)


def demo(folder: Path, port: int) -> None:
    """Make the demo study in `folder` if it is not there, see to a participant in each arm, and serve it."""
    if not (folder / "study.toml").exists():
        path = create(folder)
        # One block of three, so that three enrolments fill every arm once; nothing else differs from a new study.
        path.write_text(path.read_text().replace("block_sizes = [3, 6] ", "block_sizes = [3]    "))
        click.echo(f"Made a demo study in {folder}.")
    study = open_study(folder)
    while len(study.participants()) < len(study.protocol.arms):
        take_in(study, "demo")
    study.close()
    serve(folder, "127.0.0.1", port, greet=False)


def _print_links(console: Console, study: Study, folder: Path, url: str) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2))
    for participant in study.participants():
        table.add_row(participant.arm.name, participant.code, url + study.participant_path(participant.code))
    table.add_row("researcher", "", url + study.researcher_path())
    wide = Console(width=200, highlight=False, soft_wrap=True)
    wide.print("\nOpen in a browser:")
    wide.print(table)
    wide.print("\nThe robot's page shows six digits. For the robot itself, type in another terminal:")
    wide.print(f"  .venv/bin/bedside robot {folder} --url {url}           it speaks, listens and moves")
    wide.print(f"  .venv/bin/bedside robot {folder} --url {url} --text    you type\n")


def _keep_ticking(study: Study) -> None:
    pause = threading.Event()
    while not pause.wait(TICK_EVERY_S):
        try:
            tick(study)
        except Exception:
            # Whatever is wrong with one attempt, the next one must still be made.
            log.exception("what is due could not be done")


def _url(host: str, port: int) -> str:
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
    return f"http://{name}:{port}"

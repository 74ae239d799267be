"""Serving a study, and the demo."""

import os
import secrets
import sys
import threading
from ipaddress import ip_address
from pathlib import Path

import click
import structlog
from flask import Flask
from rich.console import Console
from rich.table import Table

from bedside.assembly import open_study, portal_of
from bedside.gate import refuse_unfit
from bedside.readiness import refuse_unready
from portal.errors import PortalError
from portal.server import CANNOT_LOAD, listen_on
from portal.server import serve as run_server
from study.access import accounts
from study.access.roles import ROLES
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
    second_factor: bool = True,
    behind_proxy: bool = False,
    participants: bool = True,
) -> None:
    """Serve the study in `folder` until told to stop. Exits with status 2 when an engine cannot be opened.

    A rehearsal has a record and a clock of its own, and `instead` may name an engine in place of every arm's. Without
    `participants`, as in a rehearsal, no audit is asked for, and nothing has to be filled in. Raises `PortalError` when
    the console is to be served to other machines without a `second_factor`, `NotReady` when study.toml lacks what only
    its researchers know, and `NotAudited` when an engine and persona are not fit for participants.
    """
    if not second_factor and (behind_proxy or not _is_loopback(host)):
        raise PortalError("--no-second-factor is for this machine alone: leave out --host and --behind-proxy.")
    clock = FileClock(rehearsal_clock) if rehearsal_clock else None
    study = open_study(folder, clock=clock, rehearsal=rehearsal)
    if participants and not (rehearsal or rehearsal_clock):
        refuse_unready(study.protocol)
        refuse_unfit(study, lambda said: click.echo(f"Note: {said}", err=True))
    listener = listen_on(host, port)
    url = _url(host, listener.getsockname()[1])
    console = Console(highlight=False)

    def make_app() -> Flask:
        # gunicorn's worker is a forked process: it opens the record anew rather than share a connection.
        mine = open_study(folder, clock=clock, rehearsal=rehearsal)
        try:
            app = portal_of(
                mine,
                lambda said: console.print(f"  {said}", style="dim"),
                _give_up,
                instead,
                second_factor=second_factor,
                behind_proxy=behind_proxy,
            )
        except Exception as error:
            _say_why(error)
            sys.exit(CANNOT_LOAD)
        threading.Thread(target=_keep_ticking, args=(mine,), daemon=True, name="tick").start()
        console.print(
            f"Serving [bold]{study.protocol.title}[/bold] at {url}. Ctrl-C stops it; nothing is lost.", soft_wrap=True
        )
        if greet:
            base = mine.protocol.url.rstrip("/") if behind_proxy and mine.protocol.url else url
            _greet(console, mine, folder, base, second_factor)
        else:
            _print_links(console, mine, folder, url)
        return app

    study.close()
    parent = os.getpid()
    try:
        run_server(listener, make_app)
    except SystemExit as stop:
        # The worker is a fork that comes by here, too; its status is for its parent, this process's for the user.
        sys.exit(2 if os.getpid() == parent and stop.code == CANNOT_LOAD else stop.code)


def _give_up(error: Exception) -> None:
    """End the process that serves, from whatever thread: without its engine it would only say the script's sentences.

    At once, as a kill would: nothing that a participant saw confirmed is lost by it.
    """
    _say_why(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(CANNOT_LOAD)


def _say_why(error: Exception) -> None:
    if isinstance(error, TherapistError):
        click.echo(f"Error: {error}", err=True)
    else:
        log.error("the portal cannot be loaded", exc_info=error)


def _greet(console: Console, study: Study, folder: Path, url: str, second_factor: bool) -> None:
    """What to open; and for a study without an administrator the link that makes the first."""
    console.print(f"Researchers sign in at: {url}/console/", soft_wrap=True)
    console.print(f"People come by:         {url}{study.join_path()}", soft_wrap=True)
    console.print(f"All links:              bedside links {folder} --url {url}", soft_wrap=True)
    if study.rehearsal:
        return
    token = accounts.invite_first(study)
    if token is not None:
        console.print("\nNobody is the administrator yet. Open this, once and within a day, to make that account:")
        console.print(f"  {url}/console/welcome/{token}", soft_wrap=True)
    for one in accounts.everybody(study):
        if second_factor and one.state == "active" and not one.second_factor:
            console.print(f"{one.name} has no second factor and cannot sign in until they have a new link:")
            console.print(f'  bedside account reset {folder} "{one.name}"', soft_wrap=True)


DEMO_ACCOUNT = "demo"


def _demo_password(study: Study) -> str:
    """A new password of the demo's account, which has every role that one person may hold."""
    if DEMO_ACCOUNT not in {one.name for one in accounts.everybody(study)}:
        accounts.add(study, DEMO_ACCOUNT, set(ROLES) - {"analyst"}, by="demo")
    token = accounts.reset(study, DEMO_ACCOUNT, by="demo")
    password = "-".join(secrets.token_hex(2) for _ in range(5))
    accounts.accept(study, token, password, None)
    return password


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
    click.echo("Nobody takes part in a demo, so no audit of its model is asked for (`bedside audit --help`).")
    serve(folder, "127.0.0.1", port, greet=False, second_factor=False, participants=False)


def _print_links(console: Console, study: Study, folder: Path, url: str) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2))
    for participant in study.participants():
        table.add_row(participant.arm.name, participant.code, url + study.participant_path(participant.code))
    table.add_row("researcher", "", f"{url}/console/")
    wide = Console(width=200, highlight=False, soft_wrap=True)
    wide.print("\nOpen in a browser:")
    wide.print(table)
    wide.print(f"\nThe researcher signs in as {DEMO_ACCOUNT} with the password {_demo_password(study)}")
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


def _is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url(host: str, port: int) -> str:
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
    return f"http://{name}:{port}"

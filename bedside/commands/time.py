"""What time brings about, and participants who move."""

from pathlib import Path

import click

from bedside.commands.common import StudyFolder

__all__ = ["move", "tick"]


@click.command()
@StudyFolder
def tick(folder: Path) -> None:
    """Do what is due now in the study in DIR: open and close visits, mark missed ones, send reminders and alarms.

    Call it from cron or a systemd timer, as often as you like: each thing is done once. While `bedside serve` runs it
    does this by itself. Prints one line when there was something to do, and nothing otherwise.

    Example: * * * * * bedside tick /srv/mystudy
    """
    from dataclasses import asdict

    from bedside.assembly import open_study
    from study.tick import tick as do

    done = {what: count for what, count in asdict(do(open_study(folder))).items() if count}
    if done:
        click.echo(", ".join(f"{count} {what}" for what, count in done.items()))


@click.command()
@StudyFolder
@click.argument("code")
@click.argument("timezone")
@click.option("--by", required=True, help="Who records it.")
@click.option("--why", required=True, help="Why.")
def move(folder: Path, code: str, timezone: str, by: str, why: str) -> None:
    """The participant CODE of the study in DIR is in another time zone from now on.

    Example: bedside move mystudy K7QX2M America/Lima --by "Dr Imani Okafor" --why "holidays"
    """
    from study.moving import move as go
    from study.study import Study

    go(Study.open(folder), code, timezone, by=by, why=why)
    click.echo(f"The days of {code} follow the clock of {timezone} now.")

"""Writing, checking and amending the protocol."""

import sys
from pathlib import Path

import click

from bedside.commands.common import StudyFolder
from study.errors import ProtocolError, StudyError

__all__ = ["check", "init"]


@click.command()
@StudyFolder
def init(folder: Path) -> None:
    """Write a commented study.toml into DIR, to begin from.

    Example: bedside init mystudy
    """
    from study.study import create

    path = create(folder)
    click.echo(f"Wrote {path}. Edit it, then: bedside check {folder}")


@click.command()
@StudyFolder
@click.option("--locked", is_flag=True, help="Print the protocol as the first enrolment locked it.")
def check(folder: Path, locked: bool) -> None:
    """Say whether the study in DIR is right, naming each mistake.

    Example: bedside check mystudy
    """
    from bedside import assembly
    from study.records import Records
    from study.study import Study

    if locked:
        record = folder / "study.sqlite"
        text = None
        if record.exists():
            row = Records(record).row("SELECT text FROM protocol ORDER BY rowid DESC LIMIT 1")
            text = row["text"] if row else None
        if text is None:
            raise StudyError(f"The protocol of {folder} is not locked yet: nobody is enrolled.")
        click.echo(text, nl=False)
        return
    try:
        protocol = assembly.check(folder)
    except ProtocolError as error:
        for mistake in error.mistakes:
            click.echo(f"Error: {mistake}", err=True)
        sys.exit(2)
    Study.open(folder).close()
    arms = ", ".join(f"{arm.name} ({arm.medium}, {arm.persona})" for arm in protocol.arms)
    click.echo(f"{folder / 'study.toml'} is right: {protocol.days} days; arms {arms}.")
    if not protocol.safety.notify:
        click.echo("Note: safety.notify is empty, so safety events wait on the researcher's page until somebody looks.")

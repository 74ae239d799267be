"""Writing, checking and amending the protocol."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.commands.common import StudyFolder
from study.errors import ProtocolError, StudyError

if TYPE_CHECKING:
    from study.equalising import Waits

__all__ = ["amend", "check", "init", "schema", "versions"]

TEMPLATES = {
    "start": "the least: three arms, one rating, nothing asked beforehand",
    "kian2024": "38 students, 15 days, robot, chatbot and worksheets without a model, after arXiv 2402.17937",
    "factorial": "media crossed with personas: robot and chat, neutral and warm",
}


@click.command()
@StudyFolder
@click.option(
    "--template",
    type=click.Choice(list(TEMPLATES)),
    default="start",
    show_default=True,
    help="; ".join(f"{name}: {text}" for name, text in TEMPLATES.items()) + ".",
)
@click.option("--language", default="en", show_default=True, help="What participants read and hear.")
def init(folder: Path, template: str, language: str) -> None:
    """Write a commented study.toml into DIR, to begin from, and the schema by which an editor completes it.

    Example: bedside init mystudy --template kian2024
    """
    from study.schema import FILE, json_schema
    from study.study import create

    path = create(folder, template, language)
    try:
        (folder / FILE).write_text(json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise StudyError(
            f"Wrote {path}; {folder / FILE} cannot be written: {error.strerror}. `bedside schema` prints it."
        ) from None
    click.echo(f"Wrote {path}. Edit it, then: bedside check {folder}")


@click.command()
@StudyFolder
@click.option("--locked", is_flag=True, help="Print the protocol as it was locked or last amended.")
def check(folder: Path, locked: bool) -> None:
    """Say whether the study in DIR is right, naming each mistake; show what a participant does on which day.

    Example: bedside check mystudy
    """
    from bedside import assembly, calendar, readiness
    from study.equalising import waits_of
    from study.records import Records
    from study.study import Study

    if locked:
        record = folder / "study.sqlite"
        text = None
        if record.exists():
            row = Records(record).row("SELECT text FROM protocol ORDER BY version DESC LIMIT 1")
            text = row["text"] if row else None
        if text is None:
            raise StudyError(f"The protocol of {folder} is not locked yet: nobody came.")
        click.echo(text, nl=False)
        return
    try:
        protocol = assembly.check(folder)
    except ProtocolError as error:
        for mistake in error.mistakes:
            click.echo(f"Error: {mistake}", err=True)
        sys.exit(2)
    study = Study.open(folder)
    waits = waits_of(study, protocol)
    study.close()
    arms = ", ".join(f"{arm.name} ({arm.medium}, {arm.persona})" for arm in protocol.arms)
    click.echo(f"{folder / 'study.toml'} is right: {protocol.days} days; arms {arms}.")
    calendar.show(protocol)
    if keys := readiness.unfilled(protocol):
        click.echo(f"Note: texts in <angle brackets> are still to be filled in: {', '.join(keys)}.")
    for lacking in readiness.unset(protocol):
        click.echo(f"Note: {lacking} here; where it is not, `bedside serve` refuses to start.")
    if protocol.consent is None:
        click.echo("Note: there is no [consent], so people are enrolled without being asked whether they agree.")
    if protocol.analysis is None:
        click.echo(
            "Note: there is no [analysis]. `bedside power`, `analyze` and `report` need one, and after the first "
            "enrolment it takes an amendment: a plan made after the data were seen. The template kian2024 has an "
            "example."
        )
    if not protocol.safety.notify:
        click.echo("Note: safety.notify is empty, so safety events wait on the console until somebody looks.")
    if note := _equalising(waits):
        click.echo(note)


def _equalising(waits: Mapping[str, "Waits"]) -> str:
    """What keeps `equalise` from holding anything yet, if it is on; empty when nothing does."""
    from study.equalising import ENOUGH, lacking

    if len(waits) == 1:
        return f"Note: equalise is on for {next(iter(waits))} alone, so there is no other arm to be as late as."
    short = ", ".join(f"{count} of {arm}" for arm, count in lacking(waits).items())
    if not short:
        return ""
    return (
        f"Note: equalise holds nothing back before there are {ENOUGH} answers of each arm whose wait is known; there "
        f"are {short}. Hold visits with test participants first."
    )


@click.command()
@StudyFolder
@click.option("--by", required=True, help="Who amends it.")
@click.option("--why", required=True, help="Why.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def amend(folder: Path, by: str, why: str, yes: bool) -> None:
    """Record a change of the protocol in DIR that was locked: edit study.toml first, then amend.

    Shows what changes, key by key, and asks. Whoever came before finishes on the version they began on. Restart
    `bedside serve` afterwards.

    Example: bedside amend mystudy --by "Dr Imani Okafor" --why "ethics asked for a longer follow-up"
    """
    from bedside.assembly import check as check_whole
    from study.amendment import amend as record
    from study.amendment import pending

    check_whole(folder)
    changes = pending(folder)
    for change in changes:
        old, new = ("(not there)" if value is None else json.dumps(value) for value in (change.old, change.new))
        click.echo(f"{change.key}: {old} -> {new}")
    if changes and not yes:
        click.confirm("Record this as an amendment?", abort=True)
    number = record(folder, by=by, why=why)
    click.echo(f"The protocol is at version {number} now. Restart `bedside serve`.")


@click.command(name="versions")
@StudyFolder
def versions(folder: Path) -> None:
    """List the versions of the protocol in DIR: who locked or amended it, when and why.

    Example: bedside versions mystudy
    """
    from study.amendment import versions as known
    from study.study import Study

    rows = known(Study.open(folder))
    for row in rows:
        click.echo(f"{row['version']:3}  {row['locked_at']}  {row['locked_by']}: {row['why']}  ({row['sha256'][:12]})")
    if not rows:
        click.echo("The protocol is not locked yet: nobody came.")


@click.command()
def schema() -> None:
    """Print the JSON Schema of study.toml. `bedside init` puts it beside the file.

    Example: bedside schema > study.schema.json
    """
    from study.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))

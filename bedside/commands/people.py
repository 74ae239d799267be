"""The people: enrolling, links, withdrawal."""

from pathlib import Path

import click

from bedside.commands.common import StudyFolder

__all__ = ["enrol", "links"]


@click.command()
@StudyFolder
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where `bedside serve` is reached.")
def enrol(folder: Path, url: str) -> None:
    """Enrol one participant in the study in DIR and print their link.

    The arm is allocated at this moment and recorded with the enrolment. The link is the participant's for all days.

    Example: bedside enrol mystudy --url https://study.example.org
    """
    from bedside.assembly import open_study
    from study.enrolment import take_in

    study = open_study(folder)
    participant = take_in(study)
    click.echo(f"Enrolled {participant.code} in the arm {participant.arm.name}.")
    click.echo(url.rstrip("/") + study.participant_path(participant.code))


@click.command()
@StudyFolder
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where `bedside serve` is reached.")
def links(folder: Path, url: str) -> None:
    """Print the researcher's link and every participant's link again.

    Example: bedside links mystudy
    """
    from bedside.assembly import open_study

    study = open_study(folder)
    base = url.rstrip("/")
    click.echo(f"researcher  {base}{study.researcher_path()}")
    for participant in study.participants():
        click.echo(f"{participant.code}  {participant.arm.name}  {base}{study.participant_path(participant.code)}")

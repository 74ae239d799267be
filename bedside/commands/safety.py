"""The queue of safety events, and halts."""

from pathlib import Path

import click

from bedside.commands.common import StudyFolder
from study.errors import StudyError

__all__ = ["safety"]


@click.command()
@StudyFolder
@click.option("--acknowledge", type=int, metavar="ID", help="Take charge of this event.")
@click.option("--by", help="Who takes charge, with --acknowledge.")
def safety(folder: Path, acknowledge: int | None, by: str | None) -> None:
    """List the safety events of the study in DIR, or take charge of one.

    A participant whose words raised an event waits until somebody acknowledges it.

    Example: bedside safety mystudy --acknowledge 1 --by "Dr Imani Okafor"
    """
    from study import safety as events
    from study.study import Study

    study = Study.open(folder)
    if acknowledge is not None:
        if not by:
            raise StudyError("Say who takes charge: --by NAME.")
        events.acknowledge(study, acknowledge, by)
        click.echo(f"Event {acknowledge} is acknowledged by {by}.")
        return
    for event in events.events(study):
        taken = f"acknowledged by {event['acknowledged_by']}" if event["acknowledged_at"] else "OPEN"
        told = "told" if event["told_at"] else "nobody told"
        click.echo(
            f"{event['id']:4}  {event['raised_at']}  {event['participant']}  {event['category']}  "
            f"({event['source']}, {event['rule']})  {told}, {taken}"
        )
    if not events.events(study):
        click.echo("No safety event.")

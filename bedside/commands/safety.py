"""The queue of safety events and harms, and halts."""

from pathlib import Path
from typing import Any

import click

from bedside.commands.common import StudyFolder
from study.errors import StudyError
from study.safety import ASSESSMENT

__all__ = ["adverse", "assess", "halt", "lift", "safety"]


def _assessment(command: Any) -> Any:
    for name, choices in reversed(ASSESSMENT.items()):
        command = click.option(f"--{name}", type=click.Choice(choices))(command)
    return command


@click.command()
@StudyFolder
@click.option("--acknowledge", type=int, metavar="ID", help="Take charge of this event.")
@click.option("--by", help="Who takes charge, with --acknowledge.")
def safety(folder: Path, acknowledge: int | None, by: str | None) -> None:
    """List the safety events of the study in DIR, or take charge of one.

    Hits of the safety screen, item alerts and reported adverse events are in one queue. A participant about whom an
    event is open waits until somebody acknowledges it.

    Example: bedside safety mystudy --acknowledge 1 --by "Dr Imani Okafor"
    """
    from study import halting
    from study import safety as events
    from study.study import Study

    study = Study.open(folder)
    if acknowledge is not None:
        if not by:
            raise StudyError("Say who takes charge: --by NAME.")
        events.acknowledge(study, acknowledge, by)
        click.echo(f"Event {acknowledge} is acknowledged by {by}.")
        return
    for row in halting.halts(study):
        target = f"{row['scope']} {row['target']}".strip()
        click.echo(f"HALTED  {target}  since {row['halted_at']} by {row['halted_by']}: {row['why']} (halt {row['id']})")
    for event in events.events(study):
        click.echo(_line(event))
    if not events.events(study):
        click.echo("No safety event.")


def _line(event: dict[str, Any]) -> str:
    if not event["acknowledged_at"]:
        state = "OPEN" + (", others were told" if event["escalated_at"] else "")
    else:
        state = f"acknowledged by {event['acknowledged_by']}"
        missing = [name for name in ASSESSMENT if event[name] is None]
        if event["closed_at"]:
            state += ", closed"
        else:
            state += f", to be assessed: {', '.join(missing)}" if missing else ", assessed, not closed"
    told = "told" if event["told_at"] else "nobody told"
    source = f"{event['source']}, {event['rule']}" if event["rule"] else event["source"]
    what = f"{event['participant']}  {event['category']}  ({source})"
    return f"{event['id']:4}  {event['raised_at']}  {what}  {told}, {state}"


@click.command()
@StudyFolder
@click.argument("code")
@click.option("--by", required=True, help="Who reports it.")
@click.option("--description", required=True, help="What happened.")
@click.option("--category", default="adverse event", show_default=True)
@click.option("--no-hold", is_flag=True, help="The participant need not wait until it is acknowledged.")
@_assessment
def adverse(
    folder: Path, code: str, by: str, description: str, category: str, no_hold: bool, **assessment: str | None
) -> None:
    """Report an adverse event of the participant CODE in the study in DIR.

    \b
    Example: bedside adverse mystudy K7QX2M --by "Dr Okafor" --description "a fall on the stairs"
             --severity moderate --serious no --relatedness not
    """
    from study.safety import report as record
    from study.study import Study

    study = Study.open(folder)
    number = record(study, code, by=by, category=category, description=description, hold=not no_hold, **assessment)
    click.echo(f"Recorded as event {number}.")


@click.command()
@StudyFolder
@click.argument("number", metavar="ID", type=int)
@click.option("--by", required=True, help="Who judges.")
@click.option("--why", default="", help="Why, above all when it was judged otherwise before.")
@click.option("--close", is_flag=True, help="Nothing is left to do.")
@_assessment
def assess(folder: Path, number: int, by: str, why: str, close: bool, **assessment: str | None) -> None:
    """Judge the safety event ID of the study in DIR: severity, seriousness, relatedness, expectedness, outcome.

    What is left out stays as it is. The log keeps the old value and the new.

    Example: bedside assess mystudy 3 --by "Dr Okafor" --severity severe --outcome recovered --close
    """
    from study.safety import assess as judge
    from study.study import Study

    judge(Study.open(folder), number, by=by, why=why, close=close, **assessment)
    click.echo(f"Event {number} is assessed{' and closed' if close else ''}.")


@click.command()
@StudyFolder
@click.argument("what", required=False, type=click.Choice(["participant", "arm", "study"]))
@click.argument("target", required=False, default="")
@click.option("--by", help="Who halts.")
@click.option("--why", default="", help="Why.")
def halt(folder: Path, what: Any, target: str, by: str | None, why: str) -> None:
    """Halt a participant, an arm or the whole study in DIR; without WHAT, list what is halted.

    No visit is made and nobody is enrolled until `bedside lift`.

    \b
    Examples:
      bedside halt mystudy arm chat --by "Dr Okafor" --why "two events in a day"
      bedside halt mystudy study --by "Dr Okafor" --why "the server is moved"
    """
    from study.halting import halt as stop
    from study.halting import halts
    from study.study import Study

    study = Study.open(folder)
    if what is None:
        for row in halts(study, in_force=False):
            end = "IN FORCE"
            if row["lifted_at"]:
                end = f"lifted {row['lifted_at']} by {row['lifted_by']}: {row['lifted_why']}"
            target = f"{row['scope']} {row['target']}".strip()
            click.echo(f"{row['id']:4}  {target}  {row['halted_at']} by {row['halted_by']}: {row['why']}  {end}")
        if not halts(study, in_force=False):
            click.echo("Nothing was halted.")
        return
    if not by:
        raise StudyError("Say who halts: --by NAME.")
    if what != "study" and not target:
        raise StudyError(f"Say which {what}: bedside halt {folder} {what} NAME.")
    number = stop(study, what, target, by=by, why=why)
    click.echo(f"Halted (halt {number}); bedside lift {folder} {number} goes on.")


@click.command()
@StudyFolder
@click.argument("number", metavar="ID", type=int)
@click.option("--by", required=True, help="Who lets it go on.")
@click.option("--why", required=True, help="Why.")
def lift(folder: Path, number: int, by: str, why: str) -> None:
    """End the halt ID of the study in DIR.

    Example: bedside lift mystudy 1 --by "Dr Imani Okafor" --why "the prompt was mended"
    """
    from study.halting import lift as go_on
    from study.study import Study

    go_on(Study.open(folder), number, by=by, why=why)
    click.echo(f"Halt {number} is lifted.")

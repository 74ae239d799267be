"""The people: inviting, enrolling, links."""

import re
import shlex
from pathlib import Path

import click

from bedside.commands.common import StudyFolder
from study.errors import StudyError

__all__ = ["enrol", "invite", "links"]

Url = click.option("--url", help="Where `bedside serve` is reached; the protocol's url, or http://127.0.0.1:8000.")


def base_of(given: str | None, protocol_url: str | None) -> str:
    return (given or protocol_url or "http://127.0.0.1:8000").rstrip("/")


@click.command()
@StudyFolder
@Url
@click.option("--by", help="Who enrols, and vouches for a consent on paper.")
@click.option("--answer", "answers", multiple=True, metavar="QUESTION=ANSWER", help="An answer to the screening.")
@click.option(
    "--item", "items", multiple=True, metavar="MEASURE.ITEM=NUMBER", help="An answer to an item of a measure."
)
@click.option("--permission", "permissions", multiple=True, metavar="NAME", help="A permission that was given.")
@click.option("--timezone", help="The participant's own IANA time zone, for example America/Lima.")
@click.option("--test", is_flag=True, help="A test participant: uses up no place, and is no part of the data.")
@click.option("--arm", help="The arm of a test participant.")
def enrol(
    folder: Path,
    url: str | None,
    by: str | None,
    answers: tuple[str, ...],
    items: tuple[str, ...],
    permissions: tuple[str, ...],
    timezone: str | None,
    test: bool,
    arm: str | None,
) -> None:
    """Enrol one participant in the study in DIR and print their link.

    The arm is allocated at this moment and recorded with the enrolment. The link is the participant's for all days. In
    a study that screens and asks for consent, people come by themselves (`bedside links` prints the way); here you
    enrol somebody who was screened and consented on paper: give their answers, and your name.

    Nobody asks them for their name, e-mail or telephone number then. Where study.toml asks for these (identity.ask),
    the command by which you keep them is printed; without an address they get no reminders.

    \b
    Examples:
      bedside enrol mystudy --url https://study.example.org
      bedside enrol mystudy --by "Dr Okafor" --answer age=20 --answer sex=female --item k10.1=2 ...
      bedside enrol mystudy --test --arm robot
    """
    from bedside.assembly import open_study
    from study.enrolment import take_in

    study = open_study(folder)
    protocol = study.protocol
    on_paper = bool(answers or items or permissions)
    if protocol.asks_before_enrolment and not (on_paper or by or test):
        raise StudyError(
            "This study asks people before it enrols them: they come by "
            f"{base_of(url, protocol.url)}{study.join_path()}. "
            "Or give what they answered on paper, with --answer, --item and --by."
        )
    if protocol.consent and not by and not test:
        raise StudyError("Say who vouches for the consent on paper: --by NAME.")
    participant = take_in(
        study,
        by or "researcher",
        kind="test" if test else "participant",
        arm=arm,
        timezone=timezone,
        answers=_answers(answers, {question.name for question in protocol.screening if question.kind == "number"}),
        scores=_items(items),
        permissions=permissions,
        skip=test and not on_paper,
    )
    click.echo(f"Enrolled {participant.code} in the arm {participant.arm.name}.")
    click.echo(base_of(url, protocol.url) + study.participant_path(participant.code))
    if protocol.identity.ask and not test:
        who, fields = shlex.quote(by or "NAME"), " ".join(f"--set {field}=..." for field in protocol.identity.ask)
        click.echo(f"Not known yet: {', '.join(protocol.identity.ask)}. Nobody will ask them; keep what they tell you:")
        click.echo(f"  bedside identity {shlex.quote(str(folder))} {participant.code} --by {who} {fields}")


_WHOLE = re.compile("-?[0-9]{1,15}")


def _answers(given: tuple[str, ...], numbers: set[str]) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for one in given:
        name, equals, answer = one.partition("=")
        if not equals:
            raise StudyError(f"--answer {one}: write it as QUESTION=ANSWER, for example age=20.")
        if name in found:
            raise StudyError(f"--answer {name} is given twice; give it once.")
        found[name] = int(answer) if name in numbers and _WHOLE.fullmatch(answer) else answer
    return found


def _items(given: tuple[str, ...]) -> dict[str, dict[str, int | None]]:
    found: dict[str, dict[str, int | None]] = {}
    for one in given:
        name, equals, answer = one.partition("=")
        measure, dot, item = name.partition(".")
        if not (equals and dot and (answer == "" or _WHOLE.fullmatch(answer))):
            raise StudyError(f"--item {one}: write it as MEASURE.ITEM=NUMBER, for example k10.1=2.")
        given_before = found.setdefault(measure, {})
        if item in given_before:
            raise StudyError(f"--item {name} is given twice; give it once.")
        given_before[item] = int(answer) if answer else None
    return found


@click.command()
@StudyFolder
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 1000), help="How many links.")
@click.option("--test", is_flag=True, help="For people who try the study: no part of its data.")
@Url
def invite(folder: Path, count: int, test: bool, url: str | None) -> None:
    """Print personal links for new people: screening, consent and all that follows come behind them.

    Example: bedside invite mystudy --count 40
    """
    from bedside.assembly import open_study
    from study.enrolment import come

    study = open_study(folder)
    for _ in range(count):
        person = come(study, kind="test" if test else "participant", by="researcher")
        click.echo(f"{person.code}  {base_of(url, study.protocol.url)}{study.participant_path(person.code)}")


@click.command()
@StudyFolder
@Url
def links(folder: Path, url: str | None) -> None:
    """Print every link again: the study's door, the console, and everybody's own with their
    stage, or their arm once they are enrolled.

    Example: bedside links mystudy
    """
    from bedside.assembly import open_study

    study = open_study(folder)
    base = base_of(url, study.protocol.url)
    click.echo(f"door        {base}{study.join_path()}")
    click.echo(f"console     {base}/console/")
    arms = {participant.code: participant.arm.name for participant in study.participants()}
    for person in study.people():
        click.echo(f"{person.code}  {arms.get(person.code, person.state)}  {base}{study.participant_path(person.code)}")

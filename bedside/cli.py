"""The `bedside` command. Each subcommand only parses, calls and words what came of it."""

import sys
from pathlib import Path

import click

from bedside import __version__, logs
from portal.errors import PortalError
from robot_node.description import BODIES
from robot_node.errors import RobotError
from study.errors import ProtocolError, StudyError
from therapist.errors import TherapistError

__all__ = ["main"]

EXPECTED = (StudyError, TherapistError, PortalError, RobotError)
"""What a user can put right: one line and exit status 2, never a traceback."""


class _Commands(click.Group):
    """Words expected errors in one line, and lists commands in the order a study needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except EXPECTED as error:
            raise click.ClickException(str(error)) from error


click.ClickException.exit_code = 2

Folder = click.Path(path_type=Path, file_okay=False)
StudyFolder = click.argument("folder", metavar="DIR", type=Folder)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Run randomised studies of therapy delivered by a robot, a text chat or a worksheet.

    A study is a folder. To see one run, type `bedside demo`. To make your own:

    \b
      bedside init mystudy        writes mystudy/study.toml; edit it
      bedside check mystudy       says whether it is right
      bedside simulate mystudy    rehearses all its days with simulated participants
      bedside serve mystudy       serves the participants' and the researcher's pages
      bedside enrol mystudy       enrols one participant and prints their link
      bedside export mystudy out  writes every table as CSV
    """
    logs.set_up()


@main.command()
@StudyFolder
def init(folder: Path) -> None:
    """Write a commented study.toml into DIR, to begin from.

    Example: bedside init mystudy
    """
    from study.study import create

    path = create(folder)
    click.echo(f"Wrote {path}. Edit it, then: bedside check {folder}")


@main.command()
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
    study = Study.open(folder)
    arms = ", ".join(f"{arm.name} ({arm.medium}, {arm.persona})" for arm in protocol.arms)
    click.echo(f"{folder / 'study.toml'} is right: {protocol.days} days; arms {arms}.")
    if not protocol.safety.notify:
        click.echo("Note: safety.notify is empty, so safety events wait on the researcher's page until somebody looks.")
    broken = study.records.broken_event()
    if broken is not None:
        raise StudyError(f"The event log of {folder} was altered: event {broken} does not fit the one before it.")


@main.command()
@StudyFolder
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 lets other machines in.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: the system chooses.")
@click.option("--rehearsal", type=click.Path(path_type=Path, dir_okay=False), hidden=True)
@click.option("--rehearsal-clock", type=click.Path(path_type=Path, dir_okay=False), hidden=True)
@click.option("--rehearsal-engine", hidden=True)
def serve(
    folder: Path,
    host: str,
    port: int,
    rehearsal: Path | None,
    rehearsal_clock: Path | None,
    rehearsal_engine: str | None,
) -> None:
    """Serve the study in DIR: participants' pages, the researcher's page and the robots' device API.

    Example: bedside serve mystudy --port 8080
    """
    from bedside import serving

    serving.serve(folder, host, port, rehearsal=rehearsal, rehearsal_clock=rehearsal_clock, instead=rehearsal_engine)


@main.command()
@StudyFolder
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where `bedside serve` is reached.")
def enrol(folder: Path, url: str) -> None:
    """Enrol one participant in the study in DIR and print their link.

    The arm is allocated at this moment and recorded with the enrolment. The link is the participant's for all days.

    Example: bedside enrol mystudy --url https://study.example.org
    """
    from bedside.assembly import open_study

    study = open_study(folder)
    participant = study.enrol()
    click.echo(f"Enrolled {participant.code} in the arm {participant.arm.name}.")
    click.echo(url.rstrip("/") + study.participant_path(participant.code))


@main.command()
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


@main.command()
@click.argument("where", metavar="DIR-or-URL")
@click.option("--text", is_flag=True, help="Type in this terminal and be the participant; no sound, no body.")
@click.option(
    "--body",
    type=click.Choice(list(BODIES)),
    default="mujoco",
    show_default=True,
    help="; ".join(f"{name}: {text}" for name, text in BODIES.items()) + ".",
)
@click.option(
    "--sound/--no-sound",
    default=True,
    show_default=True,
    help="Without, words come and go on the topics heard and say.",
)
@click.option("--code", help="The six digits on the participant's page; otherwise the robot asks for them.")
@click.option("--device", default="robot-1", show_default=True, help="This robot's name, with a DIR.")
@click.option(
    "--token", envvar="BEDSIDE_DEVICE_TOKEN", help="The device token, with a URL (`bedside device` prints it)."
)
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where the portal is, with a DIR.")
@click.option("--namespace", default="", help="The ROS namespace, where several robots share a network.")
@click.option(
    "--params",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A ROS parameter file (YAML) for the nodes; docs/robot.md lists the parameters.",
)
@click.option("--once", is_flag=True, help="Leave after one visit.")
def robot(
    where: str,
    text: bool,
    body: str,
    sound: bool,
    code: str | None,
    device: str,
    token: str | None,
    url: str,
    namespace: str,
    params: Path | None,
    once: bool,
) -> None:
    """Start the robot's ROS 2 nodes and connect them to a portal: it listens, speaks and moves.

    With the study's folder DIR, on the machine that serves it, nothing else is needed. From another machine give the
    portal's URL and a device token. With ROS's own launch, `ros2 launch bedside robot.launch.py` starts the same nodes.

    \b
    Examples:
      bedside robot mystudy                          sound of this machine, body in the simulator
      bedside robot mystudy --text                   in this terminal
      bedside robot http://192.0.2.7:8000 --token robot-1.abc... --body dynamixel
    """
    from robot_node.run import run_robot, run_terminal

    if where.startswith(("http://", "https://")):
        url = where
        if not token:
            raise RobotError("A robot that is given a URL needs --token; `bedside device DIR NAME` prints one.")
    else:
        from bedside.assembly import open_study

        token = open_study(Path(where)).device_token(device)
    if text:
        sys.exit(run_terminal(url, token, code=code, namespace=namespace))
    sys.exit(
        run_robot(url, token, body=body, sound=sound, code=code, namespace=namespace, once=once, parameters=params)
    )


@main.command()
@StudyFolder
@click.argument("name", default="robot-1")
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where `bedside serve` is reached.")
def device(folder: Path, name: str, url: str) -> None:
    """Print the device token of the robot called NAME, and what to type on the robot.

    Example: bedside device mystudy robot-2 --url http://192.0.2.7:8000
    """
    from bedside.assembly import open_study

    if not name.replace("-", "").isalnum() or len(name) > 40:
        raise StudyError("A robot's name has letters, digits and - only, at most 40.")
    token = open_study(folder).device_token(name)
    click.echo(f"BEDSIDE_DEVICE_TOKEN={token} bedside robot {url}")


@main.command()
@StudyFolder
@click.option("--participants", "count", required=True, type=click.IntRange(1, 1000), help="How many are simulated.")
@click.option("--engine", type=click.Choice(["eliza", "transformers"]), help="In place of every arm's own engine.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same participants.")
@click.option("--days", type=click.IntRange(1, 365), help="Stop after so many days; all of them by default.")
def simulate(folder: Path, count: int, engine: str | None, seed: int, days: int | None) -> None:
    """Rehearse the study in DIR with simulated participants, all days, on a clock that runs ahead.

    They open the real pages and speak to the real robot nodes. What they do goes into DIR/rehearsals, never into the
    study's record, and uses up no allocation.

    Example: bedside simulate mystudy --participants 38 --engine eliza
    """
    from bedside import simulation

    simulation.simulate(folder, count, engine, seed, days)


@main.command()
@StudyFolder
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--rehearsal", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A rehearsal's record instead."
)
def export(folder: Path, out: Path, rehearsal: Path | None) -> None:
    """Write the record of the study in DIR into the folder OUT: a CSV file for each table and a data dictionary.

    Example: bedside export mystudy mystudy-data
    """
    from study.export import export as write
    from study.study import Study

    rows = write(Study.open(folder, rehearsal=rehearsal), out)
    for table, count in rows.items():
        click.echo(f"{count:8} {table}")
    click.echo(f"Wrote {out}; dictionary.csv says what each column holds.")


@main.command()
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


@main.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: the system chooses.")
@click.option(
    "--folder", type=Folder, default=Path("demo-study"), show_default=True, help="Where the demo study lives."
)
def demo(port: int, folder: Path) -> None:
    """Serve a small study with one participant in each arm, and print what to open and type.

    The second time it goes on with the same study.

    Example: bedside demo
    """
    from bedside import serving

    serving.demo(folder, port)

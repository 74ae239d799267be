"""Running: serving, robots, rehearsals, the demo."""

import os
import sys
from pathlib import Path

import click

from bedside.commands.common import Folder, StudyFolder, planned
from robot_node.description import BODIES
from robot_node.errors import RobotError

__all__ = ["demo", "robot", "serve", "simulate"]

NICE = 10
"""By so much a rehearsal gives way (nice(2)): whoever it shares the machine with, nobody waits for it."""

LARGEST = 1000
"""So many participants a rehearsal has at most."""


@click.command()
@StudyFolder
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 lets other machines in.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: the system chooses.")
@click.option("--behind-proxy", is_flag=True, help="A reverse proxy with TLS stands in front: see docs/security.md.")
@click.option("--no-second-factor", is_flag=True, help="Sign in with a password alone; on this machine only.")
@click.option("--rehearsal", type=click.Path(path_type=Path, dir_okay=False), hidden=True)
@click.option("--rehearsal-clock", type=click.Path(path_type=Path, dir_okay=False), hidden=True)
@click.option("--rehearsal-engine", hidden=True)
def serve(
    folder: Path,
    host: str,
    port: int,
    behind_proxy: bool,
    no_second_factor: bool,
    rehearsal: Path | None,
    rehearsal_clock: Path | None,
    rehearsal_engine: str | None,
) -> None:
    """Serve the study in DIR: participants' pages, the researchers' console and the robots' device API.

    While nobody is the administrator it prints a link by which that account is made; `bedside account` makes others.
    The console opens over HTTPS or on this machine. For other machines put a reverse proxy in front (docs/security.md).

    \b
    Examples:
      bedside serve mystudy --port 8080
      bedside serve mystudy --behind-proxy
    """
    from bedside import serving

    serving.serve(
        folder,
        host,
        port,
        rehearsal=rehearsal,
        rehearsal_clock=rehearsal_clock,
        instead=rehearsal_engine,
        second_factor=not no_second_factor,
        behind_proxy=behind_proxy,
    )


@click.command()
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
    "--token", envvar="BEDSIDE_DEVICE_TOKEN", help="The device token, with a URL (`bedside device` issues it)."
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

    def run(url: str, token: str) -> int:
        if text:
            return run_terminal(url, token, code=code, namespace=namespace)
        return run_robot(
            url, token, body=body, sound=sound, code=code, namespace=namespace, once=once, parameters=params
        )

    if where.startswith(("http://", "https://")):
        if not token:
            raise RobotError("A robot that is given a URL needs --token; `bedside device DIR NAME` issues one.")
        sys.exit(run(where, token))
    from bedside.assembly import open_study
    from study.access import devices

    study = open_study(Path(where))
    with devices.lent(study, device, by="bedside robot") as lent:
        status = run(url, lent)
    sys.exit(status)


@click.command()
@StudyFolder
@click.option(
    "--participants",
    "count",
    type=click.IntRange(1, LARGEST),
    help="How many are simulated; as many as study.toml plans if left out.",
)
@click.option("--engine", type=click.Choice(["eliza", "transformers"]), help="In place of every arm's own engine.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same participants.")
@click.option("--days", type=click.IntRange(1, 365), help="Stop after so many days; all of them by default.")
@click.option(
    "--patients",
    is_flag=True,
    help="They are the audit's simulated patients: what they say and rate follows the replies.",
)
def simulate(folder: Path, count: int | None, engine: str | None, seed: int, days: int | None, patients: bool) -> None:
    """Rehearse the study in DIR with simulated participants, all days, on a clock that runs ahead.

    They open the real pages and speak to the real robot nodes. What they do goes into DIR/rehearsals, never into the
    study's record, and uses up no allocation. A portal that serves participants on the same machine goes before.

    With --patients each has a hidden emotion, which every reply moves by rules (docs/audit.md). How it went is written
    beside the record, as JSON and as a figure.

    \b
    Examples:
      bedside simulate mystudy
      bedside simulate mystudy --participants 38 --engine eliza
      bedside simulate mystudy --participants 12 --engine eliza --patients
    """
    from bedside import simulation
    from bedside.assembly import check

    count = count or planned(check(folder), folder, 1, LARGEST)
    os.nice(NICE)  # the processes that it starts, too
    simulation.simulate(folder, count, engine, seed, days, patients=patients)


@click.command()
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

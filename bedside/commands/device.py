"""Devices: issuing the tokens of robots, and taking them back."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from bedside.commands.common import StudyFolder
from study.access.scopes import ABOUT, GRACE, SCOPES, Scope
from study.errors import StudyError

if TYPE_CHECKING:
    from study.access.devices import Device
    from study.study import Study

__all__ = ["device"]

_GRACE_MINUTES = int(GRACE.total_seconds() // 60)


@click.command()
@StudyFolder
@click.argument("name", default="robot-1")
@click.argument("what", type=click.Choice(["rotate", "revoke"]), required=False)
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where `bedside serve` is reached.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What the token is good for; all of it, if none is named. "
    + " ".join(f"{name}: {text}." for name, text in ABOUT.items()),
)
@click.option("--expires", metavar="DAYS", type=click.IntRange(1, 3650), help="The token is good for so many days.")
@click.option(
    "--grace",
    metavar="MINUTES",
    default=_GRACE_MINUTES,
    show_default=True,
    type=click.IntRange(0, 1440),
    help="With rotate: so long the old token is still good.",
)
@click.option("--by", default="bedside device", show_default=True, help="Who does it, for the log.")
def device(
    folder: Path,
    name: str,
    what: str | None,
    url: str,
    scopes: tuple[Scope, ...],
    expires: int | None,
    grace: int,
    by: str,
) -> None:
    """Issue the device token of the robot called NAME, and print what to type on the robot.

    The token is shown this once: what is kept is a hash of it. One that was lost is replaced by `rotate`. `revoke` ends
    all tokens of the device at once, and cuts what it is reading.

    \b
    Examples:
      bedside device mystudy robot-2 --url http://192.0.2.7:8000
      bedside device mystudy robot-2 --scope read --expires 15   another token, for a screen beside it
      bedside device mystudy list                                every device, and when it was seen
      bedside device mystudy robot-2 rotate                      a new token; the old is good for a while
      bedside device mystudy robot-2 revoke                      none is good any more
    """
    from bedside.assembly import open_study
    from study.access import devices

    study = open_study(folder)
    if name == "list":
        _list(study)
        return
    if what == "revoke":
        devices.revoke(study, name, by=by)
        click.echo(f"No token of {name} is good any more. To let it in again: bedside device {folder} {name}")
        return
    if what == "rotate":
        if expires is not None:
            raise StudyError("A rotated token lives as long as the one before; --expires is for a new one.")
        token = devices.rotate(study, name, by=by, scopes=scopes or None, grace=timedelta(minutes=grace))
        until = study.clock.now().astimezone(study.protocol.zone) + timedelta(minutes=grace)
        click.echo(f"The token before is good until {until:%H:%M} ({until:%Z}).", err=True)
    else:
        wanted = scopes or SCOPES
        known = next((one for one in devices.all(study) if one.name == name), None)
        if known and any(set(token.scopes) == set(wanted) and not token.replaced for token in known.tokens):
            raise StudyError(
                f"{name} has this token already, and it is shown only once. "
                f"`bedside device {folder} {name} rotate` puts another in its place."
            )
        lifetime = timedelta(days=expires) if expires else None
        token = devices.issue(study, name, by=by, scopes=wanted, lifetime=lifetime)
    click.echo(f"BEDSIDE_DEVICE_TOKEN={token} bedside robot {url}")


def _list(study: "Study") -> None:
    from study.access import devices

    found = devices.all(study)
    if not found:
        click.echo("There is no device yet.")
        return
    table = Table("device", "seen", "tokens that are good", "battery", "visit", box=None, padding=(0, 2, 0, 0))
    for one in found:
        table.add_row(one.name, _seen(study, one), _tokens(study, one) or "none", _battery(one), str(one.visit or ""))
    Console(highlight=False, width=160).print(table)


def _seen(study: "Study", one: "Device") -> str:
    if one.online:
        return "connected"
    return f"{one.seen_at.astimezone(study.protocol.zone):%Y-%m-%d %H:%M}" if one.seen_at else "never"


def _tokens(study: "Study", one: "Device") -> str:
    said = []
    for token in one.tokens:
        ends = token.expires_at.astimezone(study.protocol.zone) if token.expires_at else None
        until = f" until {ends:%Y-%m-%d %H:%M}" if ends else ""
        said.append(f"{', '.join(token.scopes)}{until}{' (replaced)' if token.replaced else ''}")
    return "\n".join(said)


def _battery(one: "Device") -> str:
    return "" if one.report is None or one.report.battery is None else f"{one.report.battery:.0%}"

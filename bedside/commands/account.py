"""Accounts of the console: who may sign in, and as what."""

from pathlib import Path

import click

from bedside.commands.common import StudyFolder
from bedside.commands.people import Url, base_of
from study.access.roles import ABOUT, ROLES

__all__ = ["account"]

By = click.option("--by", default="command line", show_default=True, help="Who changes it; it stands in the log.")
Roles = click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(ROLES),
    help="Once for each role. " + " ".join(f"{name}: {text}." for name, text in ABOUT.items()),
)
Name = click.argument("name")


@click.group()
def account() -> None:
    """Say who may sign in to the console, and as what. Each change is an event in the log.

    Nobody chooses a password for somebody else: `add` and `reset` print a link, good once and for a day, by which its
    holder sets the password and the second factor. The administrator can do the same on the console.

    \b
    Examples:
      bedside account add mystudy "Dr Imani Okafor" --role researcher --role "safety officer"
      bedside account list mystudy
      bedside account reset mystudy "Dr Imani Okafor"     a lost telephone, a forgotten password
      bedside account disable mystudy "Dr Imani Okafor"   somebody who left
    """


@account.command()
@StudyFolder
@Name
@Roles
@By
@Url
def add(folder: Path, name: str, roles: tuple[str, ...], by: str, url: str | None) -> None:
    """Make an account called NAME, and print the link by which its holder sets it up.

    Example: bedside account add mystudy "Dr Imani Okafor" --role researcher --url https://study.example.org
    """
    from study.access import accounts
    from study.study import Study

    study = Study.open(folder)
    click.echo(_link(study.protocol.url, url, accounts.add(study, name, roles, by=by)))


@account.command("list")
@StudyFolder
def list_accounts(folder: Path) -> None:
    """Print every account with its roles and state.

    Example: bedside account list mystudy
    """
    from study.access import accounts
    from study.study import Study

    found = accounts.everybody(Study.open(folder))
    for one in found:
        factor = "" if one.second_factor or one.state != "active" else ", no second factor"
        click.echo(f"{one.name}  {', '.join(sorted(one.roles))}  {one.state}{factor}")
    if not found:
        click.echo("Nobody has an account; `bedside serve` prints the link for the administrator's.")


@account.command()
@StudyFolder
@Name
@By
@Url
def reset(folder: Path, name: str, by: str, url: str | None) -> None:
    """Take password, second factor and recovery codes from NAME, and print the link by which they set new ones.

    Example: bedside account reset mystudy "Dr Imani Okafor"
    """
    from study.access import accounts
    from study.study import Study

    study = Study.open(folder)
    click.echo(_link(study.protocol.url, url, accounts.reset(study, name, by=by)))


@account.command()
@StudyFolder
@Name
@Roles
@By
def roles(folder: Path, name: str, roles: tuple[str, ...], by: str) -> None:
    """Give NAME these roles in place of those they have.

    Example: bedside account roles mystudy "Dr Imani Okafor" --role researcher
    """
    from study.access import accounts
    from study.study import Study

    accounts.set_roles(Study.open(folder), name, roles, by=by)
    click.echo(f"{name} is {', '.join(sorted(roles))} now.")


@account.command()
@StudyFolder
@Name
@By
def disable(folder: Path, name: str, by: str) -> None:
    """Let NAME in no more, from this moment. What they did stays in the log.

    Example: bedside account disable mystudy "Dr Imani Okafor"
    """
    from study.access import accounts
    from study.study import Study

    accounts.disable(Study.open(folder), name, by=by)
    click.echo(f"{name} can sign in no more.")


@account.command()
@StudyFolder
@Name
@By
def enable(folder: Path, name: str, by: str) -> None:
    """Let NAME, who was disabled, in again.

    Example: bedside account enable mystudy "Dr Imani Okafor"
    """
    from study.access import accounts
    from study.study import Study

    accounts.enable(Study.open(folder), name, by=by)
    click.echo(f"{name} can sign in again.")


def _link(protocol_url: str | None, given: str | None, token: str) -> str:
    return f"Good once and for a day: {base_of(given, protocol_url)}/console/welcome/{token}"

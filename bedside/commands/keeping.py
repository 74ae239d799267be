"""Keeping the records: verifying, backup, withdrawal, retention, identities."""

import sys
from functools import partial
from pathlib import Path

import click

from bedside.commands.common import StudyFolder, progress

__all__ = ["backup", "identity", "restore", "retention", "verify", "withdraw"]


@click.command()
@StudyFolder
@click.option(
    "--rehearsal", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A rehearsal's record instead."
)
@click.option("--expect", metavar="HASH", help="A hash that was printed earlier: is it still in the log?")
def verify(folder: Path, rehearsal: Path | None, expect: str | None) -> None:
    """Check the record of the study in DIR: every row against the log, and the log as a chain.

    One changed byte of anything recorded is found. Keep the printed hash elsewhere (in the trial's file, say): with
    --expect it shows later that the log was neither cut short nor written anew. Exit status 1 when something is wrong.

    Example: bedside verify mystudy
    """
    from study.records import Records
    from study.verify import verify as check
    from study.wal import damage

    path = rehearsal or folder / "study.sqlite"
    if not path.exists():
        click.echo(f"{folder} has no record yet: nobody came.")
        return
    cut = damage(path)
    if cut is not None:
        click.echo(f"Error: {cut}", err=True)
        click.echo("Copy the folder as it is before anything else opens it.", err=True)
        sys.exit(1)
    records = Records(path, "rehearsal" if rehearsal else "study")
    with progress("rows") as show:
        verdict = check(records, partial(show, "rows"))
    for mistake in verdict.mistakes:
        click.echo(f"Error: {mistake}", err=True)
    if expect and not records.row("SELECT 1 FROM event WHERE hash = ?", expect):
        click.echo("Error: The expected hash is not in the log: it was cut short or written anew.", err=True)
        sys.exit(1)
    if verdict.mistakes:
        sys.exit(1)
    if not verdict.events:
        click.echo(f"The record of {folder} holds no event: nobody came yet, or it was emptied.")
        return
    click.echo(f"{verdict.events} events and {verdict.rows} rows are as they were written.")
    click.echo(f"Keep this hash elsewhere: {verdict.head}")


@click.command()
@StudyFolder
@click.argument("file", type=click.Path(path_type=Path))
def backup(folder: Path, file: Path) -> None:
    """Write a backup of the study in DIR into FILE, also while it is being served.

    In it are the protocol, the record, the accounts, the hashes of robots' tokens, the study's key, the encrypted
    identities and the study's own measures. The key of the identities is not: keep that elsewhere (`bedside identity
    DIR --where` says where it is).

    Example: bedside backup mystudy mystudy-2026-03-02.backup
    """
    from study.backup import backup as write
    from study.study import Study

    with progress("rows") as show:
        made = write(Study.open(folder), file, partial(show, "rows"))
    click.echo(f"Wrote {file}: {made.files} files, {made.events} events, ending with {made.head}.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@StudyFolder
def restore(file: Path, folder: Path) -> None:
    """Put the backup in FILE back as the study's folder DIR, which must be new or empty.

    Every file's hash is compared and the record verified before the folder appears.

    Example: bedside restore mystudy-2026-03-02.backup mystudy
    """
    from study.backup import restore as read

    with progress("rows") as show:
        found = read(file, folder, partial(show, "rows"))
    click.echo(f"Restored {folder}: {found.files} files, {found.events} events, ending with {found.head}.")


@click.command()
@StudyFolder
@click.argument("code")
@click.option("--by", required=True, help="Who records it.")
@click.option("--reason", help="The participant's reason, if they gave one.")
@click.option("--erase", is_flag=True, help="Erase what they gave, and their identity. Cannot be undone.")
@click.option("--yes", is_flag=True, help="Do not ask before erasing.")
def withdraw(folder: Path, code: str, by: str, reason: str | None, erase: bool, yes: bool) -> None:
    """Withdraw the participant CODE from the study in DIR, with or without erasing what they gave.

    Example: bedside withdraw mystudy K7QX2M --by "Dr Imani Okafor" --erase
    """
    from study.study import Study
    from study.withdrawal import withdraw as leave

    study = Study.open(folder)
    study.person(code)
    if erase and not yes:
        click.confirm(f"Erase everything that {code} said, answered and rated?", abort=True)
    leave(study, code, by=by, reason=reason, erase=erase)
    click.echo(f"{code} is withdrawn{' and what they gave is erased' if erase else ''}.")
    if erase:
        click.echo("Backups made before still hold it, and robots may hold sound: see docs/keeping.md.")


@click.command()
@StudyFolder
@click.option("--apply", is_flag=True, help="Delete the identities whose time is over.")
@click.option("--by", default="researcher", show_default=True, help="Who deletes them.")
def retention(folder: Path, apply: bool, by: str) -> None:
    """Say which identities of the study in DIR are to be deleted by now, and until when its record is to be kept.

    `bedside tick`, and the portal by itself, delete them when their time is over.

    Example: bedside retention mystudy
    """
    from study.retention import delete_identities, due, keep_until
    from study.study import Study

    study = Study.open(folder)
    if apply:
        click.echo(f"{delete_identities(study, by=by)} identities deleted.")
    else:
        for kept in due(study):
            click.echo(f"{kept.code}  to be deleted since {kept.since}")
        if not due(study):
            click.echo("No identity is to be deleted.")
    until = keep_until(study)
    if until is not None:
        click.echo(f"The record is to be kept until {until}.")


@click.command()
@StudyFolder
@click.argument("code", required=False)
@click.option("--by", help="Who looks.")
@click.option("--why", default="", help="Why.")
@click.option("--where", is_flag=True, help="Print where the key is kept, and show nobody.")
@click.option("--set", "fields", multiple=True, metavar="FIELD=VALUE", help="Keep a name, email or phone of CODE.")
def identity(folder: Path, code: str | None, by: str | None, why: str, where: bool, fields: tuple[str, ...]) -> None:
    """Show who the participants of the study in DIR are: everybody, or CODE. Each look is recorded with who and why.

    Example: bedside identity mystudy K7QX2M --by "Dr Imani Okafor" --why "safety event 3"
    """
    from study.errors import IdentityError
    from study.identity import everyone, key_path, remember
    from study.study import Study

    study = Study.open(folder)
    if where:
        click.echo(str(key_path(study)))
        return
    if not by:
        raise IdentityError("Say who looks: --by NAME.")
    if fields:
        if code is None or any(not field.startswith(("name=", "email=", "phone=")) for field in fields):
            raise IdentityError("Give a CODE, and each field as name=..., email=... or phone=...")
        remember(study, code, by=by, **dict(field.split("=", 1) for field in fields))
        click.echo(f"Kept for {code}.")
        return
    people = everyone(study, by=by, why=why, code=code)
    for one, known in people.items():
        click.echo("  ".join([one, *(known[name] for name in ("name", "email", "phone") if name in known)]))
    if not people:
        click.echo("No identity is kept.")

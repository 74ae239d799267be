"""Allocation: a sequence to check the procedure by, and an uploaded list."""

import csv
import re
import sys
from pathlib import Path

import click

from bedside.commands.common import StudyFolder

__all__ = ["allocation"]


@click.group()
def allocation() -> None:
    """How participants come to their arm: show the procedure, or upload a list made elsewhere.

    Example: bedside allocation simulate mystudy --participants 38 --seed 1
    """


def _digits(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"-?[0-9]+", value):
        raise click.BadParameter(f"{value!r} is no whole number.")
    return value


@allocation.command()
@StudyFolder
@click.option("--participants", required=True, type=click.IntRange(1, 100_000), help="How many are invented.")
@click.option(
    "--seed", required=True, callback=_digits, help="A whole number, used as written; the same gives the same sequence."
)
def simulate(folder: Path, participants: int, seed: str) -> None:
    """Print a rehearsal sequence as CSV: participant number, stratum, block, arm.

    It follows the procedure of the protocol in DIR on invented participants, so that anybody can rebuild and check it
    (docs/allocation.md says exactly how). It is never the study's own sequence, whatever the seed.

    Example: bedside allocation simulate mystudy --participants 38 --seed 1
    """
    from bedside.assembly import check
    from study.allocation_rehearsal import rehearse

    protocol = check(folder)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["participant", "stratum", "block", "arm"])
    for one in rehearse(protocol, seed, participants):
        writer.writerow([one.participant, one.stratum, "" if one.block is None else one.block, one.arm])


@allocation.command()
@StudyFolder
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", required=True, help="Who made or brings the list.")
def upload(folder: Path, file: Path, by: str) -> None:
    """Take an allocation list made elsewhere: CSV with the columns stratum (or none) and arm, in order.

    It is kept sealed; each place is opened by the enrolment that uses it up. Delete the file afterwards, or keep it
    where nobody who enrols can read it. For protocols with allocation.method = "list".

    Example: bedside allocation upload mystudy list.csv --by "Trial unit"
    """
    from bedside.assembly import open_study
    from study.allocation_list import upload as take

    for stratum, places in take(open_study(folder), file, by=by).items():
        click.echo(f"{places:6}  {stratum}")

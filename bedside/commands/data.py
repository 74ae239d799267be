"""The data: export, and who is blinded."""

import sys
from pathlib import Path
from typing import cast

import click

from bedside.commands.common import StudyFolder

__all__ = ["export", "unblind"]

Roles = click.Choice(["analyst", "assessor"])
FormatNames = click.Choice(["csv", "parquet", "redcap", "odm", "psych-ds", "transcripts"])


@click.command()
@StudyFolder
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--rehearsal", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A rehearsal's record instead."
)
@click.option("--as", "role", type=Roles, help="For a blinded role: arms are masked until `bedside unblind`.")
@click.option("--deidentified", is_flag=True, help="New codes, no dates, no staff, no free text.")
@click.option("--format", "formats", type=FormatNames, multiple=True, help="Only this format; can be repeated.")
@click.option("--with-tests", is_flag=True, help="With test participants, who are left out otherwise.")
def export(
    folder: Path,
    out: Path,
    rehearsal: Path | None,
    role: str | None,
    deidentified: bool,
    formats: tuple[str, ...],
    with_tests: bool,
) -> None:
    """Write the record of the study in DIR into the folder OUT, which must be new or empty.

    OUT gets each table as CSV and Parquet, a long table of all values, a codebook, a REDCap data dictionary, CDISC ODM,
    a Psych-DS folder, transcripts, and a manifest with the hash of each file.

    \b
    Examples:
      bedside export mystudy mystudy-data
      bedside export mystudy for-the-analyst --as analyst
      bedside export mystudy to-share --deidentified --format csv --format psych-ds
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from study.blinding import Role
    from study.export import FORMATS, Format
    from study.export import export as write
    from study.study import Study

    study = Study.open(folder, rehearsal=rehearsal)
    columns = (TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, disable=not sys.stderr.isatty(), console=console, transient=True) as bar:
        task = bar.add_task("reading")
        rows = write(
            study,
            out,
            role=cast(Role | None, role),
            deidentified=deidentified,
            with_tests=with_tests,
            formats=cast(tuple[Format, ...], formats) or FORMATS,
            progress=lambda what, done, of: bar.update(task, description=what, completed=done, total=of),
        )
    for table, count in rows.items():
        click.echo(f"{count:9,} {table}")
    click.echo(f"Wrote {out}; README.md there says what each file is.")
    for blinded in study.protocol.blinding.roles if role is None else ():
        from study.blinding import is_unblinded

        if not is_unblinded(study, blinded):
            click.echo(f"It shows the arms, and the {blinded} is blinded: give them one made with --as {blinded}.")


@click.command()
@StudyFolder
@click.argument("role", metavar="ROLE", type=Roles)
@click.option("--by", default="", help="Who allows it.")
@click.option("--why", default="", help="Why.")
@click.option("--participant", metavar="CODE", help="Only this participant's arm, which is then printed.")
def unblind(folder: Path, role: str, by: str, why: str, participant: str | None) -> None:
    """Tell the ROLE (analyst or assessor) of the study in DIR the arms, on the record.

    Without --participant the whole study is unblinded: exports for the role show the arms from then on, and the arm
    behind each masked label is printed. With it, exports stay masked.

    \b
    Examples:
      bedside unblind mystudy analyst --by "Dr Imani Okafor" --why "the analysis is frozen"
      bedside unblind mystudy assessor --participant K7M2QX --by "Dr Imani Okafor" --why "medical emergency"
    """
    from study import blinding
    from study.study import Study

    study = Study.open(folder)
    known = cast(blinding.Role, role)
    blinding.unblind(study, known, by=by, why=why, participant=participant)
    if participant:
        click.echo(f"{participant} is in the arm {blinding.label(study, known, study.participant(participant))}.")
        return
    for arm, masked in sorted(blinding.labels(study, known).items(), key=lambda pair: pair[1]):
        click.echo(f"{masked} is {arm}.")

"""The report of the analysis."""

from pathlib import Path
from typing import cast

import click

from bedside.commands.common import StudyFolder, progress, refuse_unplanned_rehearsal

__all__ = ["report"]


@click.command()
@StudyFolder
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where to write it: a new folder, or one that has an earlier report. DIR/report if left out.",
)
@click.option(
    "--as",
    "role",
    type=click.Choice(["analyst", "assessor"]),
    help="For a blinded role: arms are masked until `bedside unblind`.",
)
@click.option(
    "--rehearsal", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A rehearsal's record instead."
)
def report(folder: Path, out: Path | None, role: str | None, rehearsal: Path | None) -> None:
    """Run the plan of the study in DIR on its record, and write what it says as a report.

    FOLDER gets report.html, one page that needs nothing else; report.pdf; every table as CSV in tables/; every figure
    as SVG in figures/. Each number carries the hashes of the data and of the plan. Run twice, it is the same bytes.

    \b
    Examples:
      bedside report mystudy
      bedside report mystudy --as analyst --out for-the-analyst
      bedside report mystudy --rehearsal mystudy/rehearsals/FILE
    """
    from study.analysis.data import load
    from study.analysis.run import analyse
    from study.blinding import Role, is_unblinded
    from study.report.build import write
    from study.study import Study

    study = Study.open(folder, rehearsal=rehearsal)
    refuse_unplanned_rehearsal(study)
    where = out or folder / "-".join(["report", *(["rehearsal"] if rehearsal else []), *([role] if role else [])])
    with progress("reading the record") as show:
        data = load(study, cast(Role | None, role))
        written = write(data, analyse(data, show), where, show)
    click.echo(
        f"Wrote {written.folder}: report.html, {written.tables} tables as CSV, {written.figures} figures as SVG."
    )
    click.echo(written.without_pdf or "The PDF is report.pdf beside it.")
    for blinded in study.protocol.blinding.roles if role is None else ():
        if not is_unblinded(study, blinded):
            click.echo(f"It shows the arms, and the {blinded} is blinded: give them one made with --as {blinded}.")

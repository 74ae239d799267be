"""The data: export, and who is blinded."""

from pathlib import Path

import click

from bedside.commands.common import StudyFolder

__all__ = ["export"]


@click.command()
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

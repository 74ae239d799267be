"""The page of an audit."""

from dataclasses import replace
from pathlib import Path

import click

from bedside.commands.common import progress

__all__ = ["report"]


@click.command(
    epilog="Examples: `bedside audit report mystudy`; `bedside audit report audits --out for-the-review "
    "--no-transcripts`; `bedside audit report audits --worst 10`."
)
@click.argument("target", metavar="FOLDER|STUDY", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to write it: a new folder, or one that has an earlier report. FOLDER/report if left out.",
)
@click.option("--no-transcripts", is_flag=True, help="Quote no item and no reply: figures and tables alone.")
@click.option(
    "--worst",
    "most",
    type=click.IntRange(1, 100),
    metavar="N",
    default=3,
    show_default=True,
    help="How many of the worst transcripts of each suite and persona.",
)
def report(target: Path, out: Path | None, no_transcripts: bool, most: int) -> None:
    """Make a page of what `bedside audit` found.

    FOLDER is where the audit wrote (`audits`, if it was not told otherwise); STUDY is a study's folder, and its page
    also says what the thresholds of study.toml make of it. DIR gets audit.html, one page that needs nothing else;
    README.md, the same in short; every table as CSV in tables/; every figure as SVG in figures/. The same logs give the
    same bytes.

    The page ends with the worst transcripts, which are about suicide, psychosis and abuse.
    """
    from audit.report.build import content_of, write
    from audit.report.command import commands
    from audit.report.gather import gather
    from bedside.auditing import FOLDER, is_study
    from bedside.gate import verdicts

    study = is_study(str(target))
    folder = target / FOLDER if study else target
    with progress("reading the logs") as show:
        material = gather(folder, progress=show)
        if study:
            material = replace(material, verdicts=verdicts(target))
        command = commands(material, str(target) if study else None)
        content = content_of(material, command, most=most, transcripts=not no_transcripts, progress=show)
        written = write(content, out or folder / "report")
    quoted = f", {written.transcripts} transcripts" if written.transcripts else ""
    click.echo(
        f"Wrote {written.folder}: audit.html{quoted}, README.md in short, {written.tables} tables as CSV, "
        f"{written.figures} figures as SVG."
    )

"""The analysis: the plan of a study run on its record, or a plan of its own on any tidy table."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from bedside.commands.common import Folder, refuse_unplanned_rehearsal

if TYPE_CHECKING:
    from rich.console import Console

    from study.analysis.results import Results, Table
    from study.analysis.tidy import TidyResult

__all__ = ["analyze"]

Roles = click.Choice(["analyst", "assessor"])
File = click.Path(path_type=Path, dir_okay=False, exists=True)

SHOWN = ("primary_contrasts", "primary_means", "secondary_contrasts", "sessions_contrasts")
"""The tables that the terminal shows; all are in --out and --json."""

FIRST = ("primary", "secondary", "sessions", "randomisation", "missing", "departures")
"""The sections that the terminal shows, the answer first; of the others only the warnings."""


@click.command()
@click.argument("folder", metavar="[DIR]", type=Folder, required=False)
@click.option("--out", type=click.Path(path_type=Path), help="A folder for results.json and every table as CSV.")
@click.option("--as", "role", type=Roles, help="For a blinded role: arms are masked until `bedside unblind`.")
@click.option("--rehearsal", type=File, help="A rehearsal's record instead.")
@click.option("--csv", "table", type=File, help="No study, but this table: a row for each participant and day.")
@click.option("--plan", type=File, help="With --csv: the plan, which names the table's columns.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
def analyze(
    folder: Path | None,
    out: Path | None,
    role: str | None,
    rehearsal: Path | None,
    table: Path | None,
    plan: Path | None,
    as_json: bool,
) -> None:
    """Run the analysis that study.toml plans on the record of the study in DIR, and say where it departed from it.

    It prints the primary answer first. With --out it writes results.json and a CSV file for each table, each row with
    the hashes of the data and the plan. The same record gives the same bytes. `bedside report` makes a page of it.

    \b
    Examples:
      bedside analyze mystudy
      bedside analyze mystudy --out mystudy-analysis
      bedside analyze mystudy --as analyst --json

    With --csv it fits the same models to any table that has a row for each participant and day. PLAN.toml says which
    column is what; docs/statistics.md has every key. All columns are numbers but those named in [data.factors]:

    \b
      [data]
      outcome = "bdi"
      participant = "subject"
      arm = "treatment"
      day = "time"
      baseline = "bdi.pre"
      factors = { treatment = ["TAU", "BtheB"] }    # the first level is the reference
      [model]
      kind = "mixed"                                # or mmrm, ancova
      df = "satterthwaite"                          # or kenward-roger
      [contrasts]
      pairs = [["BtheB", "TAU"]]
      at = { time = 8 }

    \b
    Example:
      bedside analyze --csv btheb.csv --plan btheb.toml --json
    """
    if table is not None or plan is not None:
        if folder is not None or rehearsal is not None or role is not None:
            raise click.UsageError("--csv is an analysis without a study: leave out DIR, --as and --rehearsal.")
        if table is None or plan is None:
            raise click.UsageError("--csv FILE and --plan PLAN.toml go together.")
        _tidy(table, plan, out, as_json)
    elif folder is None:
        raise click.UsageError("Name the study's folder, or a table: --csv FILE --plan PLAN.toml.")
    else:
        _study(folder, out, role, rehearsal, as_json)


def _study(folder: Path, out: Path | None, role: str | None, rehearsal: Path | None, as_json: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from study.analysis import run
    from study.analysis.data import load
    from study.blinding import Role, is_unblinded
    from study.report.tables import as_csv
    from study.study import Study

    _refuse_others(out)  # before the work, not after it
    study = Study.open(folder, rehearsal=rehearsal)
    refuse_unplanned_rehearsal(study)
    data = load(study, cast(Role | None, role))
    columns = (TextColumn("{task.description:40}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, disable=not sys.stderr.isatty(), console=console, transient=True) as bar:
        task = bar.add_task("reading")
        results = run.analyse(data, lambda what, done, of: bar.update(task, description=what, completed=done, total=of))
    said = run.as_json(run.as_dict(results, blinded=data.blinded, rehearsal=data.rehearsal))
    if out is not None:
        tables = {f"{name}.csv": as_csv(table, results.provenance) for name, table in results.tables.items()}
        _write(out, {"results.json": said} | tables)
    if as_json:
        click.echo(said, nl=False)
        return
    _show(results)
    if out is not None:
        click.echo(f"Wrote results.json and {len(results.tables)} tables to {out}.")
    for blinded in study.protocol.blinding.roles if role is None else ():
        if not is_unblinded(study, blinded):
            click.echo(f"It shows the arms, and the {blinded} is blinded: give them what --as {blinded} makes.")


def _write(out: Path, files: dict[str, str]) -> None:
    """Into a folder that is new, empty, or has an earlier analysis, which is replaced."""
    from study.errors import StudyError

    _refuse_others(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for old in [*out.glob("*.csv"), *out.glob("results.json")]:
            old.unlink()
        for name, text in files.items():
            (out / name).write_bytes(text.encode())
    except OSError as error:
        raise StudyError(f"{out} cannot be written: {error.strerror}.") from None


def _refuse_others(out: Path | None) -> None:
    """Raises `StudyError` when `out` holds something that is no analysis."""
    from study.errors import StudyError

    if out is None or not out.exists():
        return
    if not out.is_dir() or (any(out.iterdir()) and not (out / "results.json").is_file()):
        raise StudyError(f"{out} holds something that is no analysis; choose a folder that is new or empty.")


def _console() -> "Console":
    from rich.console import Console

    # Where the output is no terminal, lines are as long as they need to be.
    return Console() if sys.stdout.isatty() else Console(width=160)


def _show(results: "Results") -> None:
    """The primary answer, then what else was planned, then what somebody has to know."""
    from rich.markup import escape

    console = _console()
    console.print(f"[bold]{escape(results.title)}[/bold]")
    found = {section.name: section for section in results.sections}
    for name in FIRST:
        section = found.get(name)
        if section is None:
            continue
        console.print(f"\n[bold]{escape(section.title)}[/bold]")
        for paragraph in section.text:
            console.print(escape(paragraph))
        for table in section.tables:
            if table.name in SHOWN:
                _print_table(console, table)
        for warning in section.warnings:
            console.print(f"! {escape(warning)}", style="yellow")
    for section in results.sections:
        if section.name not in FIRST and section.warnings:
            count = len(section.warnings)
            many = "1 warning" if count == 1 else f"{count} warnings"
            console.print(f"! {escape(section.title)}: {many}, in --out and --json.", style="yellow")
    from_what = results.provenance
    console.print(f"\nData {from_what.data_sha256}\nPlan {from_what.plan_sha256}\nBedside {from_what.version}")


def _print_table(console: "Console", table: "Table") -> None:
    from rich.markup import escape
    from rich.table import Table as Shown

    from study.report.tables import as_shown

    found = as_shown(table)
    grid = Shown(title=escape(table.title + (f": {found.about}" if found.about else "")), title_justify="left")
    for title, numeric in found.heads:
        grid.add_column(escape(title), justify="right" if numeric else "left")
    for group in found.groups:
        if group.heading:
            grid.add_row(f"[italic]{escape(group.heading)}[/italic]")
        for row in group.rows:
            grid.add_row(*map(escape, row))
    console.print(grid)


def _tidy(table: Path, plan: Path, out: Path | None, as_json: bool) -> None:
    from study.analysis.run import as_json as canonical
    from study.analysis.tidy import fit, load_plan, read_table
    from study.errors import ProtocolError, StudyError

    try:
        asked = load_plan(plan)
    except ProtocolError as error:  # no other command lists the mistakes of such a plan
        raise StudyError("\n".join(error.mistakes)) from None
    result = fit(read_table(table, asked), asked)
    said = canonical(result.as_dict())
    if out is not None:
        _write(out, {"results.json": said})
    if as_json:
        click.echo(said, nl=False)
    else:
        _show_tidy(result)


def _show_tidy(result: "TidyResult") -> None:
    from rich.markup import escape
    from rich.table import Table as Shown

    from study.report.numbers import number, p_value
    from study.statistics.estimate import Estimate

    console = _console()
    found = result.fit
    console.print(f"[bold]{escape(result.plan.data.outcome)}[/bold]: {escape(result.how)}")
    left_out = len(result.table.frame) - found.n_values
    console.print(f"{found.n_values} values of {found.n_participants} participants; {left_out} rows left out.")

    def show(title: str, rows: list[tuple[Estimate, float | None]]) -> None:
        level = f"{100 * result.plan.model.level:g}% interval"
        grid = Shown(title=title, title_justify="left")
        grid.add_column("")
        for head in ("Estimate", "SE", "df", "t", "p", *(["p, adjusted"] if rows[0][1] is not None else []), level):
            grid.add_column(head, justify="right")
        for one, p in rows:
            cells = [
                number(one.value, 4),
                number(one.se, 4),
                number(one.df, 2),
                number(one.statistic, 2),
                p_value(one.p),
            ]
            cells += [] if p is None else [p_value(p)]
            grid.add_row(escape(one.name), *cells, f"{number(one.low, 4)} to {number(one.high, 4)}")
        console.print(grid)

    show("Coefficients", [(one, None) for one in result.estimates])
    for name, value in found.variances.items():
        console.print(f"{escape(name)}: {number(value, 4)}")
    if found.singular:
        console.print("! A variance of the random effects, or their correlation, is at its bound (a singular fit).")
    kind = "Restricted log-likelihood" if result.plan.model.is_restricted else "Log-likelihood"
    console.print(f"{kind} {number(found.loglik, 4)}, AIC {number(found.aic, 4)}")
    if result.means:
        show("Marginal means", [(one, None) for one in result.means])
    if result.contrasts:
        show("Contrasts", [*result.contrasts])
    console.print(f"Data {result.table.sha256}\nPlan {result.plan.sha256}")

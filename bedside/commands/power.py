"""Power: the study's design and its planned analysis, simulated over and over."""

import json as json_module
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bedside.commands.common import StudyFolder, planned
from study.errors import StudyError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from study.power.curves import Point
    from study.power.running import Request

__all__ = ["power"]

LEAST, MOST = 2, 99_999
"""So many participants can be compared."""


def _named(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    """NAME=POINTS, each name once."""
    found: dict[str, float] = {}
    for value in values:
        name, equals, number = value.partition("=")
        try:
            points = float(number)
        except ValueError:
            points = float("nan")
        if not equals or not name or not abs(points) < 1e6:
            raise click.BadParameter(
                f"{value!r} is no NAME=POINTS; write for example {_EXAMPLES[parameter.name or '']}."
            )
        if name in found:
            raise click.BadParameter(f"{name} is there twice.")
        found[name] = points
    return found


_EXAMPLES = {"effects": "robot=-5", "factors": "severity=4"}


def _numbers(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[int, ...]:
    """Numbers of participants: 38, or 30:120:15 for 30, 45, ... 120."""
    found: set[int] = set()
    for value in values:
        match = re.fullmatch(r"(\d{1,5})(?::(\d{1,5}):(\d{1,5}))?", value)
        if not match:
            raise click.BadParameter(f"{value!r} is no number of participants; write 38, or 30:120:15 (from:to:step).")
        first, last, step = (int(one or match[1]) for one in match.groups())
        if match[2] is None:
            found.add(first)
        elif step < 1 or last < first:
            raise click.BadParameter(f"{value!r} has nothing in it; write from:to:step, for example 30:120:15.")
        else:
            found |= set(range(first, last + 1, step))
    if found and min(found) < LEAST:
        raise click.BadParameter(f"{min(found)} is too few participants to compare.")
    return tuple(sorted(found))


def _scales(ctx: click.Context, parameter: click.Parameter, values: tuple[float, ...]) -> tuple[float, ...]:
    for value in values:
        if not abs(value) <= 100:
            raise click.BadParameter(f"{value} is no factor that effects can be multiplied by.")
    return tuple(dict.fromkeys(values)) or (1.0,)


@click.command()
@StudyFolder
@click.option(
    "--effect",
    "effects",
    multiple=True,
    required=True,
    callback=_named,
    metavar="ARM=POINTS",
    help="How an arm differs from the reference, the second arm of the plan's first contrast. Can be repeated.",
)
@click.option(
    "--participants",
    multiple=True,
    callback=_numbers,
    metavar="N | FROM:TO:STEP",
    help="How many are allocated, over all arms; as many as study.toml plans if left out. Can be repeated.",
)
@click.option(
    "--scale",
    "scales",
    multiple=True,
    type=float,
    callback=_scales,
    help="Multiply all effects by this; repeat it for a curve over effects. 0 is no effect: the type-I error.",
)
@click.option(
    "--course",
    type=click.Choice(["constant", "linear"]),
    default="constant",
    show_default=True,
    help="constant: an effect is there from day 1 on; linear: it grows in equal steps, to the same planned estimate.",
)
@click.option("--sd-between", type=float, default=12.0, show_default=True, help="SD between participants, in points.")
@click.option("--sd-within", type=float, default=8.0, show_default=True, help="SD within a participant, in points.")
@click.option(
    "--sd-slope", type=float, default=0.5, show_default=True, help="SD between participants of the change a day."
)
@click.option("--autocorrelation", type=float, default=0.0, show_default=True, help="Of neighbouring days.")
@click.option(
    "--baseline-correlation", type=float, default=0.5, show_default=True, help="Of the baseline with one visit's value."
)
@click.option(
    "--factor",
    "factors",
    multiple=True,
    callback=_named,
    metavar="NAME=POINTS",
    help="How much each level of a factor of the strata is above the one before. Can be repeated.",
)
@click.option(
    "--dropout",
    type=float,
    default=0.15,
    show_default=True,
    help="Share of participants who leave before the last day.",
)
@click.option("--missed", type=float, default=0.08, show_default=True, help="Share of visits missed by those who stay.")
@click.option(
    "--replicates",
    type=click.IntRange(1, 1_000_000),
    default=1000,
    show_default=True,
    help="Simulated trials for each point; more can be added later.",
)
@click.option("--seed", type=click.IntRange(0, 2**63), default=1, show_default=True, help="The same gives the same.")
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes at work; as many as cores if left out.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the results; DIR/power if left out."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of tables.")
def power(
    folder: Path,
    participants: tuple[int, ...],
    scales: tuple[float, ...],
    replicates: int,
    seed: int,
    jobs: int | None,
    out: Path | None,
    as_json: bool,
    **assumed: Any,
) -> None:
    """Find the power of the study in DIR by simulation: how often its analysis would show such an effect.

    Each simulated trial has the study's arms, ratios, days, strata and allocation procedure, and is analysed by its
    plan (model, contrasts, adjustment, level). The result says how often each contrast, and any of them, is rejected;
    the bias of the estimates; how often the interval has the truth in it; and how wide it is on average, which tells
    what the study will know even when nothing is rejected. Monte-Carlo intervals say how exact these figures are.

    What is assumed of the outcome (SDs, dropping out, ...) is printed with the result. Take it from a pilot; the
    defaults are only a place to begin. Effects are in points of the primary outcome: of what the plan compares, the
    mean over days, the last day, or the change a day.

    OUT gets power.csv, power.json, assumptions.csv, power.svg, and replicates/, where every finished trial is kept: the
    same command goes on after Ctrl-C or a crash, and a larger --replicates adds to them. The result does not depend on
    --jobs. With RAY_ADDRESS set, the work is done on that Ray cluster.

    \b
    Examples:
      bedside power mystudy --effect robot=-5
      bedside power mystudy --effect robot=-5 --effect worksheet=-5 --participants 30:120:15
      bedside power mystudy --effect robot=-10 --scale 0.25 --scale 0.5 --scale 1 --participants 60
      bedside power mystudy --effect robot=0 --participants 38 --replicates 5000    # type-I error
      bedside power mystudy --effect robot=-5 --participants 38 --dropout 0.3 --sd-between 15
      RAY_ADDRESS=10.0.0.5:6379 bedside power mystudy --effect robot=-5 --participants 20:200:20
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from bedside.assembly import check
    from study.parallel import cores, where
    from study.power.assumptions import Assumptions
    from study.power.curves import points
    from study.power.result import as_json as result_json
    from study.power.result import write
    from study.power.running import Request, run

    protocol = check(folder)
    if protocol.analysis is None:
        raise StudyError(
            f"{folder / 'study.toml'} has no [analysis], so there is no planned comparison to find the power of: add "
            "[analysis] (docs/protocol.md); once somebody came, by `bedside amend`."
        )
    participants = participants or (planned(protocol, folder, LEAST, MOST),)
    request = Request(protocol, Assumptions(**assumed), participants, scales, replicates, seed)
    request.assumed.check(request.protocol)
    out, jobs = out or folder / "power", jobs or cores()
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not sys.stderr.isatty(), console=console, transient=True) as bar:
        task = bar.add_task(f"simulated trials, on {where(jobs)}", total=None)
        try:
            made = run(
                request,
                out / "replicates",
                jobs=jobs,
                progress=lambda done, of: bar.update(task, completed=done, total=of),
            )
        except KeyboardInterrupt:
            bar.stop()
            click.echo(f"Stopped. Finished trials are kept in {out}; the same command goes on from there.", err=True)
            sys.exit(130)
    found = points(request, made)
    written = write(request, found, out)
    if as_json:
        click.echo(json_module.dumps(result_json(request, found), indent=1, ensure_ascii=False))
        return
    _show(Console(), request, found)
    click.echo(f"Wrote {', '.join(path.name for path in written)} into {out}.")


def _show(console: "Console", request: "Request", found: "list[Point]") -> None:
    from rich import box
    from rich.table import Table

    from study.power.curves import ANY
    from study.power.result import assumption_table, notes, power_table

    said = assumption_table(request)
    table = Table(title=said.title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Option", no_wrap=True)
    table.add_column("Value", no_wrap=True)
    table.add_column("What it is, and from where")
    for option, value, meaning, source in said.rows:
        table.add_row(str(option), str(value), f"{meaning} ({source})".replace("[", "\\["))
    console.print(table)
    console.print(said.note, highlight=False, markup=False, style="dim")

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.title = f"Power, in percent, of {request.replicates} simulated trials each"
    table.title_justify = "left"
    for title in ("N", "Contrast", "Effect", "Power (95 %)", "Alone", "Bias", "Cover", "Width"):
        table.add_column(title, justify="left" if title == "Contrast" else "right", no_wrap=title != "Contrast")
    for point in found:
        low, high = point.adjusted.interval or (0.0, 0.0)
        table.add_row(
            str(point.participants),
            "at least one" if point.contrast == ANY else point.contrast,
            f"x {point.scale:g}" if point.effect is None else f"{point.effect:+g}" if point.effect else "0",
            f"{_percent(point.adjusted.value)} ({100 * low:.1f}-{100 * high:.1f})",
            _percent(point.raw.value),
            "" if point.bias is None else f"{point.bias:+.2f}",
            _percent(point.coverage.value if point.coverage else None),
            "" if point.width is None else f"{point.width:.1f}",
            end_section=point.contrast == ANY,
        )
    console.print(table)
    if len(request.participants) > 1:
        console.print(_grid(request, found))
    for line in (power_table(request, found).note, *notes(request, found)):
        console.print(line, highlight=False, markup=False, style="dim")


def _grid(request: "Request", found: "list[Point]") -> "Table":
    """Power over the number of participants, a row for each contrast and effect."""
    from rich import box
    from rich.table import Table

    from study.power.curves import ANY

    table = Table(title="Power over participants, in percent", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("Contrast")
    table.add_column("Effect", justify="right")
    for number in request.participants:
        table.add_column(str(number), justify="right")
    for contrast in dict.fromkeys(point.contrast for point in found):
        for scale in request.scales:
            row = [point for point in found if (point.contrast, point.scale) == (contrast, scale)]
            effect = f"x {scale:g}" if row[0].effect is None else f"{row[0].effect:+g}" if row[0].effect else "0"
            name = "at least one" if contrast == ANY else contrast
            table.add_row(name, effect, *(_percent(point.adjusted.value) for point in row))
        table.add_section()
    return table


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"

"""The result of a power study, as tables for the terminal, CSV and JSON, and as a figure."""

import csv
import io
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from study.analysis.results import Cell, Column, Table
from study.power.assumptions import has_baseline, plan_of, reference_of
from study.power.curves import ANY, Point
from study.power.replicates import key_of
from study.power.running import Request

__all__ = ["as_json", "assumption_table", "notes", "power_table", "write"]


def power_table(request: Request, points: Sequence[Point]) -> Table:
    """A row for each contrast at each number of participants and scale."""
    plan = plan_of(request.protocol)
    level = f"{100 * (1 - plan.alpha):g} %"
    how = "after Holm's adjustment" if plan.multiplicity == "holm" else "unadjusted, as planned"
    columns = (
        Column("participants", "Participants", "count"),
        Column("scale", "Effects times", "number"),
        Column("contrast", "Contrast"),
        Column("effect", "True difference", "number"),
        Column("power", "Power", "percent", 1),
        Column("power_low", "95 % from", "percent", 1),
        Column("power_high", "to", "percent", 1),
        Column("power_raw", "Power, one contrast alone", "percent", 1),
        Column("power_raw_low", "95 % from", "percent", 1),
        Column("power_raw_high", "to", "percent", 1),
        Column("mean", "Mean estimate", "number"),
        Column("mean_error", "Its Monte-Carlo error", "number", 3),
        Column("bias", "Bias", "number"),
        Column("coverage", "Coverage", "percent", 1),
        Column("coverage_low", "95 % from", "percent", 1),
        Column("coverage_high", "to", "percent", 1),
        Column("width", "Mean width of the interval", "number"),
        Column("failed", "Not analysable", "count"),
        Column("fell_back", "Simpler model taken", "count"),
        Column("singular", "Variance at its bound", "count"),
        Column("replicates", "Replicates", "count"),
    )
    rows = tuple(_row(point, columns) for point in points)
    note = (
        f"Power: the share of simulated trials with p < {plan.alpha:g}, {how}, with the 95 % interval of its "
        "Monte-Carlo error (Clopper and Pearson); alone: of one contrast, unadjusted. Coverage and width are those of "
        f"the {level} interval of one contrast. A trial that could not be analysed shows nothing."
    )
    return Table("power", "Power", columns, rows, note)


def _row(point: Point, columns: Sequence[Column]) -> tuple[Cell, ...]:
    values = point.as_json()
    return tuple(values[column.name] for column in columns)


def assumption_table(request: Request) -> Table:
    """What was assumed, and where each number comes from."""
    columns = (
        Column("option", "Option"),
        Column("value", "Value"),
        Column("meaning", "What it is"),
        Column("source", "From where"),
    )
    rows = tuple((one.name, one.value, one.meaning, one.source) for one in request.assumed.stated(request.protocol))
    note = (
        f"The reference is {reference_of(request.protocol)}. [1] The ratio is that of BtheB (R package HSAUR; by lme4, "
        "variances of 51.4 between and 25.3 within participants); the size is an assumption. [2] Walters and others "
        "(2019, Trials 20:566). Replace assumptions by figures of a pilot."
    )
    return Table("assumptions", "Assumptions", columns, rows, note)


def notes(request: Request, points: Sequence[Point]) -> list[str]:
    """What somebody has to know beside the table; a sentence each."""
    said = []
    strata = request.protocol.allocation.strata
    if request.protocol.allocation.method == "list":
        said.append("The uploaded list is replaced by blocks of the smallest size, within the strata.")
    if not has_baseline(request.protocol):
        measure = plan_of(request.protocol).primary.measure
        said.append(f"{measure} is not measured before the treatment, so nothing is adjusted for a baseline.")
    if strata and not request.assumed.factors:
        said.append("Every level of the strata is equally frequent and without effect on the outcome (see --factor).")
    cells = [point for point in points if point.contrast == ANY]
    of = sum(point.raw.of for point in cells)
    if failed := sum(point.failed for point in cells):
        said.append(f"{failed} of {of} simulated trials could not be analysed and count as showing nothing.")
    if fell_back := sum(point.fell_back for point in cells):
        said.append(
            f"In {fell_back} of {of} the model that the plan names first had no fit, and its next one was taken."
        )
    if singular := sum(point.singular for point in cells):
        said.append(f"In {singular} of {of} a variance was at its bound (a singular fit).")
    return said


def as_json(request: Request, points: Sequence[Point]) -> dict[str, Any]:
    """Everything, with what it came from."""
    whole = request.configuration()
    return {
        "title": request.protocol.title,
        "version": version("bedside"),
        "plan_sha256": request.protocol.sha256,
        "configuration_sha256": key_of(whole),
        "seed": request.seed,
        "replicates": request.replicates,
        "participants": list(request.participants),
        "scales": list(request.scales),
        "reference": reference_of(request.protocol),
        "assumed": request.assumed.as_json(),
        "plan": whole["plan"],
        "notes": notes(request, points),
        "power": [point.as_json() for point in points],
    }


def write(request: Request, points: Sequence[Point], folder: Path) -> list[Path]:
    """Write power.csv, power.json, assumptions.csv and power.svg into `folder`: the same result, the same bytes."""
    from study.power.figure import figure

    texts = {
        "power.csv": _csv(power_table(request, points)),
        "assumptions.csv": _csv(assumption_table(request)),
        "power.json": json.dumps(as_json(request, points), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "power.svg": figure(points),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def _csv(table: Table) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    writer.writerows(["" if cell is None else cell for cell in row] for row in table.rows)
    return stream.getvalue()

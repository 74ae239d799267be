"""The contrasts of the primary outcome: the planned analysis first, below it what others say of the same."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from study.analysis.data import AnalysisData
from study.analysis.results import Cell, Column, Results, Table
from study.errors import CannotEstimate
from study.report.answer import IMPUTED, planned, rows_of
from study.report.figure import Figure
from study.report.numbers import interval, number, words
from study.report.style import GRID, INK, PAPER, QUIET, drawing, new_figure, svg_of

__all__ = ["figure"]

PLANNED = "Planned analysis"

_OF_VALUES = "Below 0 the outcome is lower in the arm named first."

_OF_SLOPES = (
    "Below 0 the outcome rises less, or falls more, in the arm named first. Analyses that compare no change a day are "
    "in the table of other models."
)


@dataclass(frozen=True, slots=True)
class _Row:
    contrast: str
    analysis: str
    estimate: float
    low: float
    high: float


def figure(data: AnalysisData, results: Results) -> Figure:
    """A group for each contrast of the plan; a filled square for the plan, hollow circles for the others."""
    rows = _rows(data, results)
    if not rows:
        raise CannotEstimate("The contrasts are not drawn: none of the primary outcome could be estimated.")
    level = f"{100 * (1 - data.plan.alpha):g}% CI"
    slopes = _planned_slopes(results)
    return Figure(
        name="forest",
        section="primary",
        title="The contrasts of the primary outcome, and what other analyses say of them",
        svg=_draw(rows, level, "points a day" if slopes else "points"),
        alt=_alt(rows, level),
        table=Table(
            "figure_forest",
            "Contrasts of the primary outcome, by analysis",
            (
                Column("contrast", "Contrast"),
                Column("analysis", "Analysis"),
                Column("estimate", "Estimate", "number"),
                Column("low", f"{level}, low", "number"),
                Column("high", f"{level}, high", "number"),
            ),
            tuple((row.contrast, row.analysis, row.estimate, row.low, row.high) for row in rows),
            note=f"In the units of the primary outcome{', a day' if slopes else ''}.",
        ),
        note="Squares are the planned analysis, circles what it is held against; lines are intervals "
        f"({level.removesuffix(' CI')}). " + (_OF_SLOPES if slopes else _OF_VALUES),
    )


def _rows(data: AnalysisData, results: Results) -> list[_Row]:
    """By contrast, in the order of the plan; the planned analysis first, then the others."""
    main = list(_estimated((PLANNED, row) for row in planned(results)))
    others = list(_estimated(_beside(results)))
    return [row for one in main for row in (one, *(other for other in others if other.contrast == one.contrast))]


def _beside(results: Results) -> Iterator[tuple[str, dict[str, Cell]]]:
    """Rows of the same contrasts by other analyses, each with the name of its analysis."""
    beside = rows_of(results.tables.get("primary_sensitivity"))
    compared = next((row["compares"] for row in beside if row["analysis"] == "as planned"), None)
    for row in beside:
        if _is_slope(row) != _planned_slopes(results):  # it is in other units, points beside points a day
            continue
        what, whose = str(row["analysis"]), str(row["population"])
        if what == "another model":
            model = str(row["model"]).partition(",")[0]
            other = "" if row["compares"] == compared else f", {str(row['compares']).removeprefix('the ')}"
            yield f"{model[0].upper()}{model[1:]}{other}", row
        elif what != "as planned" or whose.startswith("per protocol"):
            said = whose if what == "as planned" else what
            yield said[0].upper() + said[1:], row
    for row in rows_of(results.tables.get(IMPUTED)):
        said = str(row["assumption"])
        if row["main"] != "yes":
            yield said[0].upper() + said[1:], row
    for row in rows_of(results.tables.get("randomisation_contrasts")):
        yield "By the randomisation itself", row


def _is_slope(row: dict[str, Cell]) -> bool:
    return str(row["compares"]).startswith("the change a day")


def _planned_slopes(results: Results) -> bool:
    """Whether the plan compares the change a day."""
    beside = rows_of(results.tables.get("primary_sensitivity"))
    return any(_is_slope(row) for row in beside if row["analysis"] == "as planned")


def _estimated(rows: Iterable[tuple[str, dict[str, Cell]]]) -> Iterator[_Row]:
    """Those that have an estimate and an interval."""
    for analysis, cells in rows:
        numbers = [cells.get(name) for name in ("difference", "low", "high")]
        if all(isinstance(one, float) for one in numbers):
            estimate, low, high = (float(one) for one in numbers if isinstance(one, float))
            yield _Row(f"{cells['arm']} - {cells['compared_with']}", analysis, estimate, low, high)


def _draw(rows: list[_Row], level: str, unit: str) -> str:
    groups = list(dict.fromkeys(row.contrast for row in rows))
    lines = len(rows) + len(groups)
    with drawing():
        drawn = new_figure(7.2, 0.75 + 0.235 * lines)
        axes = drawn.subplots()
        y = 0.0
        places: list[tuple[float, str, bool]] = []
        for group in groups:
            places.append((y, group.replace(" - ", " \u2212 "), True))
            y += 1
            for row in (one for one in rows if one.contrast == group):
                _line(axes, y, row)
                places.append((y, f"   {row.analysis}", row.analysis == PLANNED))
                y += 1
        axes.axvline(0, color=INK, linewidth=0.9, zorder=0)
        axes.set_ylim(y - 0.4, -0.6)
        axes.set_yticks([place for place, _, _ in places], [text for _, text, _ in places])
        for label, (_, _, bold) in zip(axes.get_yticklabels(), places, strict=True):
            label.set_fontweight("bold" if bold else "normal")
            label.set_horizontalalignment("left")
        axes.tick_params(axis="y", length=0, pad=178)
        axes.grid(True, axis="x", color=GRID)
        axes.grid(False, axis="y")
        axes.spines["left"].set_visible(False)
        low, high = min(min(row.low for row in rows), 0.0), max(max(row.high for row in rows), 0.0)
        room = 0.04 * (high - low or 1)
        axes.set_xlim(low - room, high + room)
        axes.set_xlabel(f"Difference between arms, {unit}")
        _numbers(axes, places, rows, level)
        return svg_of(drawn, "forest")


def _line(axes: Any, y: float, row: _Row) -> None:
    planned = row.analysis == PLANNED
    axes.plot([row.low, row.high], [y, y], color=INK if planned else QUIET, linewidth=1.8 if planned else 1.1)
    axes.plot(
        [row.estimate],
        [y],
        linestyle="none",
        marker="s" if planned else "o",
        markersize=6.5 if planned else 5,
        markeredgecolor=INK if planned else QUIET,
        markerfacecolor=INK if planned else PAPER,
    )


def _numbers(axes: Any, places: list[tuple[float, str, bool]], rows: list[_Row], level: str) -> None:
    """The estimates in figures, in a column at the right."""
    from matplotlib.transforms import blended_transform_factory

    at = blended_transform_factory(axes.transAxes, axes.transData)
    axes.text(
        1.03, -0.95, f"Estimate ({level})", transform=at, fontsize=8, fontweight="bold", verticalalignment="bottom"
    )
    remaining = iter(rows)
    for y, text, _ in places:
        if not text.startswith("   "):
            continue
        row = next(remaining)
        axes.text(
            1.03,
            y,
            f"{number(row.estimate, 1)} ({interval(row.low, row.high, 1)})",
            transform=at,
            fontsize=8,
            fontweight="bold" if row.analysis == PLANNED else "normal",
            verticalalignment="center",
        )


def _alt(rows: list[_Row], level: str) -> str:
    planned = [row for row in rows if row.analysis == PLANNED]
    said = [f"{row.contrast}: {number(row.estimate, 1)} ({level} {interval(row.low, row.high, 1)})" for row in planned]
    others = len(rows) - len(planned)
    rest = f" Below them are {others} estimates of other analyses." if others else ""
    return f"Estimates of the contrasts with their intervals. Planned: {words(said)}.{rest}"

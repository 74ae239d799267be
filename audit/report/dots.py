"""The one kind of figure: aligned dot plots with intervals, a panel for each quantity, a row for each subject.

Personas have a colour and a marker each, the same in every figure of a report; what is only a floor (ELIZA, baselines)
is grey and hollow. A quantity that was not measured is said in its row, not left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audit.report.numbers import UNITS, digits_of, factor_of, with_interval
from audit.suite import Estimate
from study.report.figure import Figure
from study.report.numbers import number
from study.report.style import GRID, INK, PAPER, QUIET, arm_styles, drawing, new_figure, svg_of

__all__ = ["Mark", "Panel", "axis_of", "dots", "label_of", "room"]

COLUMNS = 3

_ALONE = next(iter(arm_styles(["alone"]).values()))
"""Of a row that is no persona's."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of a panel."""

    label: str
    estimate: Estimate | None
    """None where it was not measured."""
    floor: bool = False
    lacking: str = "not measured"
    """What the row says then."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity; all panels of a figure have the same rows."""

    title: str
    axis: str
    marks: tuple[Mark, ...]
    zero: bool = False
    """Whether 0 is a line: for differences."""


def dots(name: str, section: str, title: str, panels: Sequence[Panel], note: str, order: Sequence[str]) -> Figure:
    """The figure; its numbers are in a table beside it. `order` are all personas of the report, for their colours."""
    return Figure(name, section, title, _draw(name, panels, order), _alt(panels), note=note)


def _draw(name: str, panels: Sequence[Panel], order: Sequence[str]) -> str:
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    labels = [mark.label for mark in panels[0].marks]
    styles = arm_styles(order)
    with drawing():
        drawn = new_figure(7.6, lines * (0.95 + 0.27 * len(labels)) + 0.1)
        for place, panel in enumerate(panels):
            axes = drawn.add_subplot(lines, columns, place + 1)
            for y, mark in enumerate(panel.marks):
                _mark(axes, y, mark, styles)
            _dress(axes, panel, labels if place % columns == 0 else [""] * len(labels))
        return svg_of(drawn, name)


def _mark(axes: Any, y: int, mark: Mark, styles: Any) -> None:
    estimate = mark.estimate
    if estimate is None or estimate.value is None:
        at = axes.get_yaxis_transform()
        axes.text(0.02, y, mark.lacking, transform=at, fontsize=7.5, color=QUIET, verticalalignment="center")
        return
    style = None if mark.floor else styles.get(mark.label, _ALONE)
    colour = style.colour if style else QUIET
    factor = factor_of(estimate)
    if estimate.low is not None and estimate.high is not None:
        axes.plot(
            [estimate.low * factor, estimate.high * factor], [y, y], color=colour, linewidth=1.0 if mark.floor else 1.8
        )
    axes.plot(
        [estimate.value * factor],
        [y],
        linestyle="none",
        marker=style.marker if style else "o",
        markersize=6 if style else 5,
        markeredgecolor=colour,
        markerfacecolor=colour if style else PAPER,
    )


def _dress(axes: Any, panel: Panel, labels: Sequence[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_ylim(len(panel.marks) - 0.5, -0.5)
    axes.set_yticks(range(len(panel.marks)), labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x", color=GRID)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    low, high = _span(panel)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    if panel.zero:
        axes.axvline(0, color=INK, linewidth=0.9, zorder=0)
    axes.set_title(_folded(panel.title, 30), fontsize=8.5)
    axes.set_xlabel(_folded(panel.axis, 34), fontsize=8)


def _span(panel: Panel) -> tuple[float, float]:
    """The ends of the axis: all intervals, 0 for differences, and some room."""
    found = [0.0] if panel.zero else []
    for one in (mark.estimate for mark in panel.marks):
        if one is not None:
            found += [end * factor_of(one) for end in (one.value, one.low, one.high) if end is not None]
    if not found:
        return 0.0, 1.0
    low, high = min(found), max(found)
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def _folded(text: str, width: int) -> str:
    from textwrap import fill

    return fill(text, width)


def _alt(panels: Sequence[Panel]) -> str:
    said = []
    for panel in panels:
        marks = [f"{mark.label} {_told(mark)}" for mark in panel.marks]
        said.append(f"{panel.title}: {'; '.join(marks)}.")
    return " ".join(said)


def _told(mark: Mark) -> str:
    return mark.lacking if mark.estimate is None else with_interval(mark.estimate)


def label_of(estimate: Estimate) -> str:
    """Its label without the unit, which stands on the axis."""
    return estimate.label.removesuffix(" (points)")


def axis_of(estimate: Estimate, difference: bool = False) -> str:
    """What stands under the axis: the unit, and which way is better."""
    unit = UNITS[estimate.unit]
    better = {"low": "lower is better", "high": "higher is better", "neither": ""}[estimate.better]
    parts = [
        f"{'difference, ' if difference else ''}{unit}".strip(", ") or ("difference" if difference else ""),
        better,
    ]
    return "; ".join(part for part in parts if part)


def room(estimate: Estimate) -> str:
    """The interval's half width, in the unit it is shown in."""
    if estimate.low is None or estimate.high is None:
        return ""
    return number((estimate.high - estimate.low) / 2 * factor_of(estimate), digits_of(estimate))

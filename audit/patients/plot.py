"""Figures of simulated patients: the emotion after each reply, for one conversation or many."""

from collections.abc import Mapping, Sequence
from typing import Any

from audit.patients.patient import CONTENT, LEAVES, TURNS, Trajectory
from study.report.style import GRID, QUIET, arm_styles, drawing, new_figure, svg_of

__all__ = ["mean_course", "trajectories_figure", "trajectories_svg"]


def trajectories_svg(groups: Mapping[str, Sequence[Trajectory]], name: str = "patients", title: str = "") -> str:
    """`trajectories_figure` as SVG that can stand inside a page; the same bytes for the same trajectories."""
    with drawing():
        return svg_of(trajectories_figure(groups, title), name)


def trajectories_figure(groups: Mapping[str, Sequence[Trajectory]], title: str = "") -> Any:
    """A figure of matplotlib with a panel for each group (a persona, an arm, a demand), in the groups' order.

    Thin lines are conversations, the thick one their mean at each turn; a conversation that has ended stays where it
    ended, so that the mean is one of the same conversations throughout. Without any conversation a panel says so. Draw
    it inside `study.report.style.drawing`. Raises `ValueError` without any group.
    """
    if not groups:
        raise ValueError("There is no group of trajectories to draw.")
    columns = min(3, len(groups))
    rows = -(-len(groups) // columns)
    figure = new_figure(7.2 if columns > 1 else 4.8, 2.5 * rows + 0.4)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    longest = max((len(one.turns) for several in groups.values() for one in several), default=TURNS) or 1
    styles = arm_styles(list(groups))
    for axis, (label, several) in zip(axes, groups.items(), strict=False):
        _panel(axis, label, several, styles[label], longest)
    for axis in list(axes)[len(groups) :]:
        axis.set_visible(False)
    figure.supxlabel("Reply", fontsize=9)
    figure.supylabel("Emotion (0-100)", fontsize=9)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _panel(axis: Any, label: str, several: Sequence[Trajectory], style: Any, longest: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_title(f"{label} ({len(several)})", fontsize=9)
    axis.set_xlim(0, longest)
    axis.set_ylim(0, 100)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for bound in (LEAVES, CONTENT):
        axis.axhline(bound, color=GRID, linewidth=1.2, linestyle=(0, (4, 2)), zorder=1)
    if not several:
        axis.text(longest / 2, 50, "no conversation", ha="center", va="center", color=QUIET)
        return
    for one in several:
        axis.plot(range(len(one.emotions)), one.emotions, color=QUIET, linewidth=0.6, alpha=0.45, zorder=2)
        axis.plot(len(one.turns), one.end, marker=".", markersize=3, color=QUIET, alpha=0.6, zorder=2)
    means = mean_course(several, longest)
    every = max(1, longest // 10)
    axis.plot(
        range(len(means)),
        means,
        color=style.colour,
        linestyle=style.line,
        marker=style.marker,
        markevery=every,
        zorder=3,
    )


def mean_course(several: Sequence[Trajectory], longest: int) -> list[float]:
    """The mean emotion at the start and after each of `longest` replies, of conversations held at where they ended."""
    courses = [(*one.emotions, *([one.end] * (longest - len(one.turns)))) for one in several]
    return [sum(column) / len(column) for column in zip(*courses, strict=True)]

"""The course of an outcome over the study days: every participant as a thin line, each arm's mean with its interval."""

from typing import Any

import pandas as pd

from study.analysis.data import AnalysisData
from study.analysis.outcomes import Values, values
from study.analysis.results import Column, Results, Table
from study.errors import CannotEstimate
from study.grammar import Outcome
from study.protocol import DISTRESS
from study.report.figure import Figure
from study.report.figures._means import as_frame, means
from study.report.numbers import number, words
from study.report.style import GRID, QUIET, arm_styles, drawing, new_figure, svg_of

__all__ = ["figure"]


def figure(data: AnalysisData, results: Results) -> Figure:
    """A panel for each arm, and one in which the means are side by side."""
    outcome = _outcome(data)
    frame = outcome.frame[outcome.frame["value"].notna()]
    if frame.empty:
        raise CannotEstimate(f"The course over the days is not drawn: there is no value of {outcome.title} yet.")
    level = f"{100 * (1 - data.plan.alpha):g}%"
    rows = means(frame, ["arm", "day"], 1 - data.plan.alpha)
    return Figure(
        name="course",
        section="primary",
        title=f"{outcome.title}: every participant, and the mean of each arm",
        svg=_draw(data, outcome, frame, as_frame(rows, ["arm", "day"])),
        alt=_alt(data, outcome, frame),
        table=Table(
            "figure_course",
            f"{outcome.title}: means by arm and study day",
            (
                Column("arm", "Arm"),
                Column("day", "Day", "count"),
                Column("n", "Values", "count"),
                Column("mean", "Mean", "number"),
                Column("low", f"{level} CI, low", "number"),
                Column("high", f"{level} CI, high", "number"),
            ),
            tuple(rows),
            note=f"{outcome.unit.capitalize()}. Means of what was observed, with Student's interval.",
        ),
        note="Thin lines are participants, thick lines the means of what was observed on each day, bars and bands "
        f"their {level} intervals (Student's t, each day by itself). The days that somebody missed are gaps.",
    )


def _outcome(data: AnalysisData) -> Values:
    """The primary outcome where it is one of every day; otherwise distress after each visit."""
    outcome = values(data, data.plan.primary)
    return outcome if outcome.repeated else values(data, Outcome(measure=DISTRESS, when="after"))


def _draw(data: AnalysisData, outcome: Values, frame: pd.DataFrame, summary: pd.DataFrame) -> str:
    from matplotlib.ticker import MaxNLocator

    styles = arm_styles(data.arms)
    columns = min(len(data.arms), 3)
    rows = -(-len(data.arms) // columns)
    with drawing():
        drawn = new_figure(7.2, 2.35 * rows + 2.75)
        grid = drawn.add_gridspec(rows + 1, columns, height_ratios=[2.2] * rows + [2.5])
        below = drawn.add_subplot(grid[rows, :])
        first = None
        for place, arm in enumerate(data.arms):
            axes = drawn.add_subplot(grid[place // columns, place % columns], sharey=first, sharex=first)
            first = first or axes
            style = styles[arm]
            own = frame[frame["arm"] == arm]
            for _, person in own.groupby("participant", sort=True):
                days = person.set_index("day")["value"].reindex(
                    range(int(person["day"].min()), int(person["day"].max()) + 1)
                )
                axes.plot(
                    days.index, days.to_numpy(), color=QUIET, linewidth=0.5, alpha=0.5, marker=".", markersize=1.6
                )
            mean = summary[summary["arm"] == arm].dropna(subset=["mean"])
            axes.fill_between(mean["day"], mean["low"], mean["high"], color=style.colour, alpha=0.22, linewidth=0)
            axes.plot(mean["day"], mean["mean"], color=style.colour, linestyle=style.line, linewidth=2.2)
            axes.set_title(f"{arm} (n = {own['participant'].nunique()})")
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.axhline(0, color=GRID, linewidth=1, zorder=0)
            if place % columns:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel(outcome.unit[0].upper() + outcome.unit[1:])
            if place + columns >= len(data.arms):
                axes.set_xlabel("Study day")
            if not len(own):
                axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", color=QUIET)
        _compare(data, below, summary)
        below.set_ylabel("Mean, " + outcome.unit)
        below.set_xlabel("Study day")
        below.set_title("The means side by side")
        below.xaxis.set_major_locator(MaxNLocator(15, integer=True))
        below.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=min(len(data.arms), 4))
        return svg_of(drawn, "course")


def _compare(data: AnalysisData, axes: Any, summary: pd.DataFrame) -> None:
    styles = arm_styles(data.arms)
    step = 0.5 / max(len(data.arms), 1)
    for place, arm in enumerate(data.arms):
        style = styles[arm]
        own = summary[summary["arm"] == arm]
        if own.empty:
            continue
        days = own["day"] + (place - (len(data.arms) - 1) / 2) * step
        axes.plot(days, own["mean"], color=style.colour, linestyle=style.line, marker=style.marker, label=arm)
        bars = own[own["low"].notna()]
        axes.vlines(days[bars.index], bars["low"], bars["high"], color=style.colour, linewidth=0.9)


def _alt(data: AnalysisData, outcome: Values, frame: pd.DataFrame) -> str:
    said = []
    for arm in data.arms:
        own = frame[frame["arm"] == arm]
        if own.empty:
            said.append(f"{arm} has no values")
            continue
        ends = [
            (int(day), float(own.loc[own["day"] == day, "value"].mean()))
            for day in (own["day"].min(), own["day"].max())
        ]
        said.append(
            f"in {arm} {number(ends[0][1], 1)} on day {ends[0][0]} and {number(ends[1][1], 1)} on day {ends[1][0]}"
        )
    return (
        f"{outcome.title}, by study day: a line for each participant and the mean of each arm. The mean: {words(said)}."
    )

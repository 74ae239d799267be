"""Distress before and after each visit, by arm: the figure in which a fall within the sessions would be seen."""

from typing import Any

import pandas as pd

from study.analysis.data import AnalysisData
from study.analysis.results import Column, Results, Table
from study.errors import CannotEstimate
from study.protocol import DISTRESS
from study.report.figure import Figure
from study.report.figures._means import as_frame, means
from study.report.numbers import number, words
from study.report.style import PAPER, QUIET, ArmStyle, arm_styles, drawing, new_figure, svg_of

__all__ = ["figure"]


def figure(data: AnalysisData, results: Results) -> Figure:
    """A panel for each arm: of each day the mean before, the mean after, their intervals, and a line between them."""
    pairs = _pairs(data)
    if pairs.empty:
        raise CannotEstimate("Distress before and after is not drawn: no visit has both ratings yet.")
    long = pairs.melt(["participant", "arm", "day"], ["before", "after"], "occasion", "value")
    long["occasion"] = pd.Categorical(long["occasion"], ["before", "after"], ordered=True)
    level = f"{100 * (1 - data.plan.alpha):g}%"
    rows = means(long, ["arm", "day", "occasion"], 1 - data.plan.alpha)
    summary = as_frame(rows, ["arm", "day", "occasion"])
    return Figure(
        name="sessions",
        section="sessions",
        title="Distress before and after each visit",
        svg=_draw(data, summary, pairs),
        alt=_alt(data, pairs),
        table=Table(
            "figure_sessions",
            "Distress before and after each visit: means by arm and study day",
            (
                Column("arm", "Arm"),
                Column("day", "Day", "count"),
                Column("occasion", "Rating"),
                Column("n", "Visits", "count"),
                Column("mean", "Mean", "number"),
                Column("low", f"{level} CI, low", "number"),
                Column("high", f"{level} CI, high", "number"),
            ),
            tuple(rows),
            note="Points (0-100). Visits with both ratings; means of what was observed, with Student's interval.",
        ),
        note=f"Hollow: before the exercise; filled: after it. Bars are {level} intervals of each mean; the two ratings "
        "of a visit are of the same participants, so overlapping bars do not say that nothing changed. Whether the "
        "arms differ is said by the contrasts, not by this figure.",
    )


def _pairs(data: AnalysisData) -> pd.DataFrame:
    """participant, arm, day, before, after: of each visit with both ratings."""
    scores = data.scores
    own = scores[(scores["measure"] == DISTRESS) & scores["occasion"].isin(["before", "after"]) & scores["day"].notna()]
    wide = own.pivot_table(
        index=["participant", "arm", "day"], columns="occasion", values="score", aggfunc="first", observed=True
    )
    wide = wide.reindex(columns=["before", "after"]).dropna().reset_index()
    wide["arm"] = pd.Categorical(wide["arm"], data.arms, ordered=True)
    return wide


def _draw(data: AnalysisData, summary: pd.DataFrame, pairs: pd.DataFrame) -> str:
    from matplotlib.ticker import MaxNLocator

    styles = arm_styles(data.arms)
    columns = min(len(data.arms), 3)
    rows = -(-len(data.arms) // columns)
    with drawing():
        drawn = new_figure(7.2, 2.7 * rows + 0.4)
        first = None
        for place, arm in enumerate(data.arms):
            axes = drawn.add_subplot(rows, columns, place + 1, sharey=first, sharex=first)
            first = first or axes
            own = pairs[pairs["arm"] == arm]
            axes.set_title(arm)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            if own.empty:
                axes.text(0.5, 0.5, "no visits", transform=axes.transAxes, ha="center", color=QUIET)
            else:
                _panel(axes, summary[summary["arm"] == arm], styles[arm])
            if place % columns:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel("Distress (0-100)")
            if place + columns >= len(data.arms):
                axes.set_xlabel("Study day")
        drawn.legend(handles=_key(), loc="outside lower center", ncols=2)
        return svg_of(drawn, "sessions")


def _panel(axes: Any, summary: pd.DataFrame, style: ArmStyle) -> None:
    before = summary[summary["occasion"] == "before"].set_index("day")
    after = summary[summary["occasion"] == "after"].set_index("day")
    for day in before.index:
        axes.plot(
            [day - 0.17, day + 0.17], [before.at[day, "mean"], after.at[day, "mean"]], color=style.colour, linewidth=1
        )
    for side, table in ((-0.17, before), (0.17, after)):
        bars = table[table["low"].notna()]
        axes.vlines(bars.index + side, bars["low"], bars["high"], color=style.colour, linewidth=0.7, alpha=0.7)
        axes.plot(
            table.index + side,
            table["mean"],
            linestyle="none",
            marker=style.marker,
            markersize=4.6,
            markeredgecolor=style.colour,
            markerfacecolor=PAPER if side < 0 else style.colour,
        )


def _key() -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], linestyle="none", marker="o", markeredgecolor=QUIET, markerfacecolor=face, label=label)
        for face, label in ((PAPER, "before the exercise"), (QUIET, "after the exercise"))
    ]


def _alt(data: AnalysisData, pairs: pd.DataFrame) -> str:
    said = []
    for arm in data.arms:
        own = pairs[pairs["arm"] == arm]
        if own.empty:
            said.append(f"{arm} has no visit with both ratings")
            continue
        before, after = (float(own[occasion].mean()) for occasion in ("before", "after"))
        said.append(f"in {arm} from {number(before, 1)} to {number(after, 1)}")
    return (
        "Mean distress before and after the exercise of each study day, a panel for each arm. Over all visits the mean "
        f"goes {words(said)}."
    )

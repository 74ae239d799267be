"""How long participants go on: Kaplan-Meier curves of the last visit made, and of leaving the study."""

from typing import Any

import pandas as pd

from study.analysis.data import AnalysisData
from study.analysis.results import Results
from study.errors import CannotEstimate
from study.report.figure import Figure
from study.report.numbers import percent, words
from study.report.style import QUIET, arm_styles, drawing, new_figure, svg_of

__all__ = ["figure"]

TABLE = "adherence_survival"


def figure(data: AnalysisData, results: Results) -> Figure:
    """A panel for each end, a curve for each arm; the numbers are those of the table `adherence_survival`."""
    table = results.tables.get(TABLE)
    if table is None or not table.rows:
        raise CannotEstimate("Adherence is not drawn as survival: no study day of any participant is over.")
    frame = pd.DataFrame(table.rows, columns=[column.name for column in table.columns])
    return Figure(
        name="survival",
        section="adherence",
        title="How long participants go on",
        svg=_draw(data, frame),
        alt=_alt(data, frame),
        note="Kaplan-Meier curves with their intervals. Left: until the last visit that somebody made; right: until "
        "they left the study. Its numbers are in the table of participants who go on, by day.",
    )


def _draw(data: AnalysisData, frame: pd.DataFrame) -> str:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    styles = arm_styles(data.arms)
    ends = list(dict.fromkeys(frame["end"]))
    with drawing():
        drawn = new_figure(7.2, 3.1)
        panels = drawn.subplots(1, len(ends), sharey=True, squeeze=False)[0]
        for axes, end in zip(panels, ends, strict=True):
            for arm in data.arms:
                own = frame[(frame["end"] == end) & (frame["arm"] == arm)].sort_values("day")
                if own.empty:
                    continue
                _curve(axes, own, styles[arm], arm)
            axes.set_title(end)
            axes.set_xlabel("Study day")
            axes.set_ylim(0, 1.03)
            axes.set_xlim(0, max(data.protocol.days, 1) + 0.3)
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        panels[0].set_ylabel("Participants who go on")
        handles, labels = panels[0].get_legend_handles_labels()
        if handles:
            drawn.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
        else:
            panels[0].text(0.5, 0.5, "no days", transform=panels[0].transAxes, ha="center", color=QUIET)
        return svg_of(drawn, "survival")


def _curve(axes: Any, own: pd.DataFrame, style: Any, arm: str) -> None:
    days, share = own["day"].to_numpy(dtype=float), own["share"].to_numpy(dtype=float)
    low = own["low"].astype(float).fillna(own["share"].astype(float)).to_numpy()
    high = own["high"].astype(float).fillna(own["share"].astype(float)).to_numpy()
    axes.fill_between(days, low, high, step="post", color=style.colour, alpha=0.13, linewidth=0)
    axes.step(
        days,
        share,
        where="post",
        color=style.colour,
        linestyle=style.line,
        marker=style.marker,
        markersize=4,
        markevery=max(1, len(days) // 6),
        label=arm,
    )


def _alt(data: AnalysisData, frame: pd.DataFrame) -> str:
    said = []
    for end, part in frame.groupby("end", sort=False):
        shares = []
        for arm in data.arms:
            own = part[part["arm"] == arm].sort_values("day")
            if len(own):
                shares.append(f"{percent(float(own['share'].iloc[-1]), 0)} in {arm}")
        day = int(part["day"].max())
        said.append(f"{str(end).lower()}, up to day {day}: {words(shares)}")
    return f"Curves of the share of participants who go on, by arm and study day. At their ends, {'; '.join(said)}."

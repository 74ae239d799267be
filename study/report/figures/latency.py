"""How long participants waited for answers: the share that had come, by arm."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.analysis.data import AnalysisData
from study.analysis.results import Cell, Column, Results, Table
from study.analysis.sections.latency import spoken, with_wait
from study.errors import CannotEstimate
from study.report.figure import Figure
from study.report.numbers import count, words
from study.report.style import arm_styles, drawing, new_figure, svg_of

__all__ = ["curve", "figure"]

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)

STEPS = 200
"""Points of a curve: a study has thousands of answers, and the figure is to stay small."""

WIDE = 20
"""Waits that are so many times longer than others are drawn on a logarithmic axis."""


def figure(data: AnalysisData, results: Results) -> Figure:
    """A curve for each arm: the share of its answers that had come after so many milliseconds."""
    if data.blinded:
        raise CannotEstimate("Waiting times are not drawn: media can be told by them.")
    known = with_wait(spoken(data)).dropna(subset=["wait_ms"])
    if known.empty:
        raise CannotEstimate("Waiting times are not drawn: no answer has one.")
    waits = {arm: own for arm in data.arms if len(own := known.loc[known["arm"] == arm, "wait_ms"])}
    rows: list[tuple[Cell, ...]] = [
        (arm, len(own), *(float(own.quantile(share)) for share in SHARES)) for arm, own in waits.items()
    ]
    return Figure(
        name="latency",
        section="latency",
        title="How long participants waited for an answer",
        svg=_draw(data, waits),
        alt="Curves of the share of answers that had come, by the wait in milliseconds, by arm. Half had come after "
        + words([f"{count(float(own.median()))} ms in {arm}" for arm, own in waits.items()])
        + ".",
        table=Table(
            "latency_waits",
            "The wait for an answer, by arm",
            (
                Column("arm", "Arm"),
                Column("answers", "Answers", "count"),
                *(Column(f"p{100 * share:.0f}", f"{100 * share:.0f}%, ms", "number", 1) for share in SHARES),
            ),
            tuple(rows),
        ),
        note="Of every hundred answers, so many had come after so long: in a chat or a worksheet to the first sentence "
        "that is shown, with a robot from the end of speech to its first sound. Curves that lie upon each other are "
        "arms that are waited for alike.",
    )


def curve(waits: "pd.Series[float]") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of the share that had come (0 to 1) after each of some waits: of all, or of `STEPS` among so many more."""
    ordered = np.sort(waits.to_numpy(dtype=float))
    n, steps = len(ordered), min(len(ordered), STEPS)
    places = -(-np.arange(1, steps + 1) * n // steps)  # how many had come, evenly, up to all
    return ordered[places - 1], places / n


def _draw(data: AnalysisData, waits: dict[str, "pd.Series[float]"]) -> str:
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    styles = arm_styles(data.arms)
    with drawing():
        drawn = new_figure(6.4, 3.2)
        axes = drawn.subplots()
        least = min(float(own.min()) for own in waits.values())
        most = max(float(own.max()) for own in waits.values())
        if least > 0 and most / least > WIDE:
            axes.set_xscale("log")
        for arm, own in waits.items():
            times, shares = curve(own)
            axes.step(
                times,
                shares,
                where="post",
                color=styles[arm].colour,
                linestyle=styles[arm].line,
                marker=styles[arm].marker,
                markersize=4,
                markevery=max(1, len(shares) // 6),
                label=arm,
            )
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylim(0, 1.03)
        axes.set_xlabel("Wait, milliseconds")
        axes.set_ylabel("Answers that had come")
        drawn.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(waits), 4))
        return svg_of(drawn, "latency")

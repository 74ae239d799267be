"""Which visits were made: a row for each participant, a column for each study day."""

from typing import Any

import pandas as pd

from study.analysis.attendance import STATES, attendance
from study.analysis.data import AnalysisData
from study.analysis.results import Column, Results, Table
from study.errors import CannotEstimate
from study.report.figure import Figure
from study.report.numbers import percent, words
from study.report.style import GRID, INK, PAPER, QUIET, ArmStyle, arm_styles, drawing, new_figure, svg_of

__all__ = ["figure"]

_STATES = (*STATES, "open")
"""In which a cell can be; `open` is a day that is not over."""

_SAID = {
    "done": "done",
    "stopped": "stopped for safety",
    "unfinished": "begun, not finished",
    "missed": "missed",
    "left": "left the study",
    "open": "not over yet",
}


def figure(data: AnalysisData, results: Results) -> Figure:
    """A panel for each arm, its participants in the order of the visits they made."""
    cells = _cells(data)
    if cells.empty:
        raise CannotEstimate("The visits are not drawn: nobody has been allocated yet.")
    counts = cells.groupby(["arm", "day", "state"], observed=True).size().unstack(fill_value=0)
    counts = counts.reindex(columns=list(_STATES), fill_value=0).reset_index()
    counts = counts[counts[list(_STATES)].sum(axis=1) > 0]
    return Figure(
        name="adherence",
        section="adherence",
        title="Which visits were made",
        svg=_draw(data, cells),
        alt=_alt(data, cells),
        table=Table(
            "figure_adherence",
            "Visits by arm, study day and what became of them",
            (
                Column("arm", "Arm"),
                Column("day", "Day", "count"),
                *(Column(name, _SAID[name].capitalize(), "count") for name in _STATES),
            ),
            tuple((str(row[0]), *(int(one) for one in row[1:])) for row in counts.itertuples(index=False)),
        ),
        note="A row is a participant, a column a study day. Those who made most visits are at the top of their arm.",
    )


def _cells(data: AnalysisData) -> pd.DataFrame:
    """participant, arm, day, state, made: one row for each participant and study day."""
    known = {(one.participant, one.day): one.state for one in attendance(data).itertuples()}
    rows = [
        (one.participant, one.arm, day, known.get((one.participant, day), "open"))
        for one in data.participants.itertuples()
        for day in range(1, int(one.days) + 1)
    ]
    cells = pd.DataFrame(rows, columns=["participant", "arm", "day", "state"])
    cells["arm"] = pd.Categorical(cells["arm"], data.arms, ordered=True)
    cells["made"] = (cells["state"] == "done").groupby(cells["participant"], sort=False).transform("sum")
    return cells


def _draw(data: AnalysisData, cells: pd.DataFrame) -> str:
    from matplotlib.ticker import MaxNLocator

    styles = arm_styles(data.arms)
    columns = min(len(data.arms), 3)
    rows = -(-len(data.arms) // columns)
    most = int(cells.groupby("arm", observed=False)["participant"].nunique().max())
    with drawing():
        drawn = new_figure(7.2, min(9.0, rows * (0.75 + min(max(0.13 * most, 0.9), 3.8)) + 0.45))
        for place, arm in enumerate(data.arms):
            axes = drawn.add_subplot(rows, columns, place + 1)
            own = cells[cells["arm"] == arm]
            order = own.drop_duplicates("participant").sort_values(["made", "participant"], ascending=[False, True])
            row = {who: number for number, who in enumerate(order["participant"])}
            _panel(axes, own, row, styles[arm])
            axes.set_title(f"{arm} (n = {len(row)})")
            axes.set(xlim=(0.5, max(data.protocol.days, 1) + 0.5), ylim=(max(most, 1), 0), yticks=[])
            axes.grid(False)
            axes.spines[:].set_visible(False)
            axes.tick_params(length=0)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            if place + columns >= len(data.arms):
                axes.set_xlabel("Study day")
        drawn.legend(handles=_key(set(cells["state"])), loc="outside lower center", ncols=3, handlelength=1.6)
        return svg_of(drawn, "adherence")


def _panel(axes: Any, cells: pd.DataFrame, row: dict[str, int], style: ArmStyle) -> None:
    """All cells of one state are one path, so that the picture stays small with many participants."""
    import numpy as np
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners = np.array([[0.0, 0.0], [0.88, 0.0], [0.88, 0.82], [0.0, 0.82], [0.0, 0.0]])
    for state in _STATES:
        boxes = [
            corners + np.array([day - 0.44, row[who] + 0.09])
            for who, day in cells.loc[cells["state"] == state, ["participant", "day"]].itertuples(index=False)
        ]
        if boxes:
            path = Path.make_compound_path(*(Path(box, closed=True) for box in boxes))
            axes.add_patch(PathPatch(path, **_look(state, style.colour)))


def _look(state: str, colour: str) -> dict[str, Any]:
    """Filled, crossed, half and empty can be told apart without any colour."""
    match state:
        case "done":
            return {"facecolor": colour, "edgecolor": colour, "linewidth": 0.4}
        case "stopped":
            return {"facecolor": PAPER, "edgecolor": INK, "hatch": "xxxxxx", "linewidth": 0.8}
        case "unfinished":
            return {"facecolor": PAPER, "edgecolor": colour, "hatch": "//////", "linewidth": 0.6}
        case "missed":
            return {"facecolor": PAPER, "edgecolor": QUIET, "linewidth": 0.6}
        case "left":
            return {"facecolor": GRID, "edgecolor": GRID, "linewidth": 0.4}
        case _:
            return {"facecolor": "none", "edgecolor": GRID, "linewidth": 0.5, "linestyle": (0, (1, 1))}


def _key(states: set[str]) -> list[Any]:
    from matplotlib.patches import Patch

    return [Patch(**_look(state, QUIET), label=_SAID[state]) for state in _STATES if state in states]


def _alt(data: AnalysisData, cells: pd.DataFrame) -> str:
    said = []
    for arm in data.arms:
        own = cells[(cells["arm"] == arm) & (cells["state"] != "open")]
        if own.empty:
            said.append(f"{arm} has no visit that is over")
            continue
        done = int((own["state"] == "done").sum())
        said.append(f"{arm} {done} of {len(own)} ({percent(done / len(own), 0)})")
    return f"A grid of participants and study days for each arm: what became of each visit. Done: {words(said)}."

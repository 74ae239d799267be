"""The CONSORT 2025 flow diagram, all arms side by side, counted from the record.

Source: Hopewell et al. 2025, CONSORT 2025 statement (PLOS Med 22:e1004587), flow diagram: enrolment, allocation,
follow-up, analysis; with the reasons of those who were excluded, did not begin, were lost or left.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from study.analysis.data import AnalysisData
from study.analysis.results import Results
from study.analysis.sections.flow import Flow, count
from study.errors import CannotEstimate
from study.report.figure import Figure
from study.report.numbers import words
from study.report.style import INK, PAPER, QUIET, drawing, svg_of

__all__ = ["figure"]

WIDTH = 7.2
"""Inches: the width of the page's text."""

_SIZE = 8.0
"""Points."""

_LINE = 0.155
"""Inches from one line of text to the next."""

_PAD = 0.09

_GAP = 0.3
"""Inches between boxes that an arrow joins."""


@dataclass(frozen=True, slots=True)
class _Box:
    """Lines of text with a frame; `left`, `top` and `width` in inches, `top` from the top of the page."""

    left: float
    top: float
    width: float
    lines: tuple[str, ...]
    heads: int = 0
    """How many lines, from the first, are bold."""

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + 2 * _PAD

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.left + self.width / 2


def figure(data: AnalysisData, results: Results) -> Figure:
    """The diagram. Its numbers are the tables of the section `flow`."""
    flow = count(data)
    if not flow.before["came"]:
        raise CannotEstimate("The flow diagram is not drawn: nobody has opened the door of the study yet.")
    return Figure(
        name="flow",
        section="flow",
        title="Flow of participants (CONSORT 2025)",
        svg=_draw(data, flow),
        alt=_alt(data, flow),
        note="Persons who did not meet several criteria are counted at each.",
    )


def _draw(data: AnalysisData, flow: Flow) -> str:
    from matplotlib.figure import Figure as Canvas

    with drawing():
        rows = _rows(data, flow)
        height = max(box.bottom for row in rows for box in row) + 0.05
        drawn = Canvas(figsize=(WIDTH, height))
        axes = drawn.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, WIDTH), ylim=(height, 0))
        axes.axis("off")
        enrolment, excluded, allocated, *stages = rows
        for row in rows:
            for box in row:
                _frame(axes, box)
        stem = enrolment[0]
        for aside in excluded:
            y = aside.top + aside.height / 2
            _line(axes, [(stem.middle, stem.bottom), (stem.middle, y)])
            _arrow(axes, (stem.middle, y), (aside.left, y))
        _arrow(axes, (stem.middle, stem.bottom), (stem.middle, allocated[0].top))
        if stages and stages[0]:
            fork = (allocated[0].bottom + stages[0][0].top) / 2 - 0.04
            _line(axes, [(stem.middle, allocated[0].bottom), (stem.middle, fork)])
            _line(axes, [(stages[0][0].middle, fork), (stages[0][-1].middle, fork)])
            for box in stages[0]:
                _arrow(axes, (box.middle, fork), (box.middle, box.top))
            for above, below in pairwise(stages):
                for upper, lower in zip(above, below, strict=True):
                    _arrow(axes, (upper.middle, upper.bottom), (lower.middle, lower.top))
            for name, row in zip(("Allocation", "Follow-up", "Analysis"), stages, strict=True):
                _stage(axes, name, row)
        _stage(axes, "Enrolment", enrolment)
        return svg_of(drawn, "flow")


_MARGIN = 0.32
"""Inches at the left, in which the stages are named."""


def _rows(data: AnalysisData, flow: Flow) -> list[list[_Box]]:
    """The boxes: those who came, those who were excluded, those allocated; then a row for each stage of the arms."""
    before = flow.before
    inner = WIDTH - _MARGIN
    middle = _MARGIN + inner / 2
    lines = [f"Opened the door of the study (n = {before['came']})"]
    if before["not_assessed"]:
        lines.append(f"Screening not completed (n = {before['not_assessed']})")
    lines.append(f"Assessed for eligibility (n = {before['assessed']})")
    top = _Box(middle - 1.35, 0.05, 2.7, tuple(lines), heads=1)
    aside = _Box(
        middle + 0.3, top.bottom + 0.16, WIDTH - middle - 0.35, _excluded(flow, WIDTH - middle - 0.35), heads=1
    )
    shown = bool(before["excluded"] or before["pending"])
    below = (aside.bottom + 0.16) if shown else top.bottom + _GAP
    allocated = _Box(middle - 1.35, below, 2.7, (f"Allocated at random (n = {before['allocated']})",), heads=1)
    rows = [[top], [aside] if shown else [], [allocated]]
    if not before["allocated"]:
        return rows
    gap = 0.14
    width = (inner - gap * (len(data.arms) - 1) - 0.03) / len(data.arms)
    start = allocated.bottom + _GAP + 0.08
    for stage in (_allocation, _follow_up, _analysis):
        texts = [stage(arm, flow.arms[arm], width) for arm in data.arms]
        tallest = max(len(lines) for lines, _ in texts)
        row = [
            _Box(_MARGIN + place * (width + gap), start, width, (*lines, *[""] * (tallest - len(lines))), heads)
            for place, (lines, heads) in enumerate(texts)
        ]
        rows.append(row)
        start = row[0].bottom + _GAP
    return rows


def _excluded(flow: Flow, width: float) -> tuple[str, ...]:
    before = flow.before
    lines = [f"Excluded (n = {before['excluded']})"]
    if before["ineligible"]:
        lines += _wrapped(f"• Did not meet the criteria (n = {before['ineligible']})", width)
        for reason, number in flow.reasons.items():
            lines += _wrapped(f"– {_short(reason)} (n = {number})", width, indent="    ")
    if before["declined"]:
        lines += _wrapped(f"• Declined to participate (n = {before['declined']})", width)
    if before["pending"]:
        lines += _wrapped(f"Not allocated yet (n = {before['pending']})", width)
    return tuple(lines)


def _allocation(arm: str, counted: dict[str, int], width: float) -> tuple[list[str], int]:
    heads = _wrapped(f"Allocated to {arm} (n = {counted['allocated']})", width, bold=True)
    lines = _wrapped(f"• Began at least one visit (n = {counted['began']})", width)
    not_began = counted["allocated"] - counted["began"]
    lines += _wrapped(f"• Began no visit (n = {not_began})", width)
    for name, text in (
        ("not_began_withdrew", "left the study before"),
        ("not_began_missed", "missed every visit"),
        ("not_began_other", "no visit was due yet"),
    ):
        if counted[name]:
            lines += _wrapped(f"– {text} (n = {counted[name]})", width, indent="    ")
    return [*heads, *lines], len(heads)


def _follow_up(arm: str, counted: dict[str, int], width: float) -> tuple[list[str], int]:
    heads = _wrapped(f"Made the last visit (n = {counted['completed']})", width, bold=True)
    lines = []
    if counted["stopped"]:
        lines += _wrapped(f"– stopped for safety (n = {counted['stopped']})", width, indent="    ")
    lines += _wrapped(f"• Lost: missed the last study day (n = {counted['lost']})", width)
    if counted["unfinished"]:
        lines += _wrapped(f"• Began the last visit, did not finish it (n = {counted['unfinished']})", width)
    lines += _wrapped(f"• Left the study (n = {counted['withdrew']})", width)
    if counted["withdrew"]:
        lines += _wrapped(f"– with a reason (n = {counted['withdrew_reason']})", width, indent="    ")
    if counted["held"]:
        lines += _wrapped(f"• Halted for safety (n = {counted['held']})", width)
    if counted["under_way"]:
        lines += _wrapped(f"• Still under way (n = {counted['under_way']})", width)
    return [*heads, *lines], len(heads)


def _analysis(arm: str, counted: dict[str, int], width: float) -> tuple[list[str], int]:
    heads = _wrapped(f"Analysed, primary outcome (n = {counted['analysed']})", width, bold=True)
    out = counted["not_analysed"] + counted["not_analysed_erased"]
    lines = _wrapped(f"• Not analysed (n = {out})", width)
    for name, text in (("not_analysed", "no value"), ("not_analysed_erased", "data erased at their wish")):
        if counted[name]:
            lines += _wrapped(f"– {text} (n = {counted[name]})", width, indent="    ")
    return [*heads, *lines], len(heads)


def _short(reason: str) -> str:
    """The first sentence of a reason, without its full stop."""
    return reason.split(". ")[0].rstrip(".")


def _wrapped(text: str, width: float, indent: str = "", bold: bool = False) -> list[str]:
    """`text` in lines that fit into a box of `width` inches; the lines after the first hang behind its bullet."""
    hang = indent + ("   " if text.startswith(("•", "–")) else "")
    lines, line = [], indent
    for word in text.replace("(n = ", "(n\u00a0=\u00a0").split(" "):
        longer = f"{line} {word}" if line.strip() else line + word
        if line.strip() and _long(longer, bold) > width - 2 * _PAD:
            lines.append(line)
            line = hang + word
        else:
            line = longer
    return [*lines, line]


def _long(text: str, bold: bool) -> float:
    """How long `text` is, in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font = FontProperties(family=["DejaVu Sans"], size=_SIZE, weight="bold" if bold else "normal")
    return float(TextToPath().get_text_width_height_descent(text, font, False)[0]) / 72


def _frame(axes: Any, box: _Box) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((box.left, box.top), box.width, box.height, facecolor=PAPER, edgecolor=QUIET, linewidth=0.9)
    )
    for place, line in enumerate(box.lines):
        axes.text(
            box.left + _PAD,
            box.top + _PAD + (place + 0.5) * _LINE,
            line,
            fontsize=_SIZE,
            fontweight="bold" if place < box.heads else "normal",
            verticalalignment="center_baseline",
        )


def _stage(axes: Any, name: str, row: list[_Box]) -> None:
    """The name of a stage, upright at the left."""
    axes.text(
        0.1,
        max(row[0].top + row[0].height / 2, 0.4),
        name,
        rotation=90,
        fontsize=_SIZE,
        fontweight="bold",
        color=QUIET,
        horizontalalignment="center",
        verticalalignment="center",
    )


def _line(axes: Any, points: list[tuple[float, float]]) -> None:
    axes.plot(*zip(*points, strict=True), color=INK, linewidth=0.9, solid_capstyle="butt")


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0},
    )


def _alt(data: AnalysisData, flow: Flow) -> str:
    before = flow.before
    said = [
        f"{arm}: {counted['allocated']} allocated, {counted['began']} began at least one visit, "
        f"{counted['completed']} made the last visit, {counted['lost']} lost, "
        + (f"{counted['unfinished']} did not finish the last visit, " if counted["unfinished"] else "")
        + f"{counted['withdrew']} left, "
        f"{counted['analysed']} analysed"
        for arm, counted in flow.arms.items()
    ]
    arms = f" {'; '.join(said)}." if before["allocated"] else ""
    reasons = words([f"{_short(reason)} ({number})" for reason, number in flow.reasons.items()])
    because = f" Criteria not met: {reasons}." if reasons else ""
    return (
        f"Flow diagram. {before['came']} came, {before['assessed']} were assessed, {before['excluded']} excluded "
        f"({before['ineligible']} did not meet the criteria, {before['declined']} declined), {before['allocated']} "
        f"allocated.{because}{arms}"
    )

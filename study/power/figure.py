"""Power as a figure: a panel for each contrast, over the number of participants or over the effect."""

from collections.abc import Sequence
from typing import Any

from study.power.curves import Point
from study.report.style import GRID, QUIET, arm_styles, drawing, new_figure, svg_of

__all__ = ["figure"]

GOAL = 0.8
"""The power that most funders ask for, drawn as a line."""


def figure(points: Sequence[Point]) -> str:
    """The power after the plan's adjustment as SVG, with its 95 % Monte-Carlo intervals.

    Over the number of participants with a line for each scale of the effects; over the scale when there is one number.
    """
    contrasts = list(dict.fromkeys(point.contrast for point in points))
    numbers = sorted({point.participants for point in points})
    scales = sorted({point.scale for point in points}, reverse=True)
    over_scale = len(numbers) == 1 and len(scales) > 1
    lines: list[float] = [float(number) for number in numbers] if over_scale else scales
    styles = arm_styles([f"{line:g}" for line in lines])
    with drawing():
        drawn = new_figure(7.2, 0.6 + 2.6 * ((len(contrasts) + 1) // 2))
        panels = drawn.subplots((len(contrasts) + 1) // 2, 2, sharex=True, sharey=True, squeeze=False)
        for panel, contrast in zip(panels.flat, contrasts, strict=False):
            panel.set_title(contrast if contrast != "any" else "at least one")
            panel.axhline(GOAL, color=QUIET, linewidth=0.8, linestyle=(0, (1, 2)))
            for place, line in enumerate(lines):
                mine = [
                    point
                    for point in points
                    if point.contrast == contrast and (point.participants if over_scale else point.scale) == line
                ]
                style = styles[f"{line:g}"]
                _line(
                    panel, mine, over_scale, style, shift=(place - (len(lines) - 1) / 2), label=_label(line, over_scale)
                )
            panel.set_ylim(-0.02, 1.02)
            panel.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1], ["0", "20", "40", "60", "80", "100 %"])
            panel.tick_params(labelbottom=True)
            panel.set_xlabel("Effects, times" if over_scale else "Participants")
            if not over_scale:
                panel.set_xticks(numbers)
        for panel in panels.flat[len(contrasts) :]:
            panel.set_axis_off()
        panels[0, 0].set_ylabel("Power")
        if len(lines) > 1 or over_scale:
            drawn.legend(
                *panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=min(4, len(lines))
            )
        for panel in panels.flat:
            panel.grid(color=GRID)
        return svg_of(drawn, "power")


def _line(panel: Any, points: Sequence[Point], over_scale: bool, style: Any, *, shift: float, label: str) -> None:
    places = [point.scale if over_scale else point.participants for point in points]
    # A little to the side, so that intervals of neighbouring lines do not hide each other.
    apart = 0.006 * ((max(places) - min(places)) or 1)
    shares = [point.adjusted.value or 0.0 for point in points]
    ends = [point.adjusted.interval or (0.0, 0.0) for point in points]
    panel.errorbar(
        [place + apart * shift for place in places],
        shares,
        yerr=[
            [max(0.0, share - low) for share, (low, _) in zip(shares, ends, strict=True)],
            [max(0.0, high - share) for share, (_, high) in zip(shares, ends, strict=True)],
        ],
        color=style.colour,
        marker=style.marker,
        linestyle=style.line,
        linewidth=1.4,
        elinewidth=0.9,
        capsize=2,
        label=label,
    )


def _label(line: float, over_scale: bool) -> str:
    return f"{line:g} participants" if over_scale else f"effects x {line:g}"

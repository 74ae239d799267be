"""How every figure looks: an arm has one colour, one marker and one line, and a figure is the same bytes each time.

The colours are those of Okabe and Ito (2008, "Color Universal Design"), which people with any of the common kinds of
colour blindness tell apart. Markers and dashes tell the arms apart without any colour. Text is drawn as
paths of the font that comes with matplotlib, so that a figure looks the same wherever it is opened.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = [
    "GRID",
    "INK",
    "PAPER",
    "QUIET",
    "ArmStyle",
    "arm_styles",
    "clean",
    "drawing",
    "new_figure",
    "svg_of",
    "themed",
]

INK = "#1d2326"
"""Text, axes and what is true of all arms."""

QUIET = "#5b686e"
"""Ticks, notes and single participants."""

GRID = "#d5dbde"
"""Grids, borders and empty cells."""

PAPER = "#fdfdfc"
"""What lies behind: the inside of boxes and of markers."""


@dataclass(frozen=True, slots=True)
class ArmStyle:
    """How an arm is drawn in all figures."""

    colour: str
    marker: str
    line: str | tuple[int, tuple[float, ...]]
    """A line style of matplotlib."""


_STYLES = (
    ArmStyle("#0072B2", "o", "-"),
    ArmStyle("#D55E00", "s", (0, (5, 1.6))),
    ArmStyle("#009E73", "^", (0, (1.2, 1.2))),
    ArmStyle("#CC79A7", "D", (0, (6, 1.4, 1.2, 1.4))),
    ArmStyle("#E69F00", "v", (0, (3, 1, 1, 1, 1, 1))),
    ArmStyle("#56B4E9", "P", (0, (9, 2))),
    ArmStyle("#7A6F00", "X", (0, (2, 2.5))),
    ArmStyle("#7F7F7F", "*", (0, (4, 3))),
)

_THEME = {
    INK: "var(--ink)",
    QUIET: "var(--quiet)",
    GRID: "var(--line)",
    PAPER: "var(--sheet)",
    **{style.colour.lower(): f"var(--arm-{place})" for place, style in enumerate(_STYLES, 1)},
}


def arm_styles(arms: Sequence[str]) -> Mapping[str, ArmStyle]:
    """The style of each of `arms`, which are in the order of the protocol. Beyond eight they begin again."""
    return {arm: _STYLES[place % len(_STYLES)] for place, arm in enumerate(arms)}


@contextmanager
def drawing() -> Iterator[None]:
    """Inside it matplotlib draws as the report does, whatever the machine's own settings are."""
    import matplotlib

    with matplotlib.rc_context():
        backend = matplotlib.rcParams["backend"]
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "backend": backend,
                "svg.fonttype": "path",
                "font.family": ["DejaVu Sans"],
                "font.size": 9,
                "axes.titlesize": 10,
                "axes.titleweight": "bold",
                "axes.titlelocation": "left",
                "axes.labelsize": 9,
                "axes.labelcolor": INK,
                "axes.titlecolor": INK,
                "axes.edgecolor": QUIET,
                "axes.linewidth": 0.8,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.grid": True,
                "axes.grid.axis": "y",
                "axes.axisbelow": True,
                "axes.facecolor": "none",
                "axes.formatter.useoffset": False,
                "grid.color": GRID,
                "grid.linewidth": 0.6,
                "xtick.color": QUIET,
                "ytick.color": QUIET,
                "xtick.labelcolor": INK,
                "ytick.labelcolor": INK,
                "xtick.labelsize": 8,
                "ytick.labelsize": 8,
                "text.color": INK,
                "legend.frameon": False,
                "legend.fontsize": 9,
                "legend.handlelength": 3.2,
                "lines.linewidth": 1.8,
                "lines.markersize": 5,
                "hatch.linewidth": 0.5,
                "figure.facecolor": "none",
                "savefig.facecolor": "none",
            }
        )
        yield


def new_figure(width: float = 7.2, height: float = 4.0) -> Any:
    """An empty figure, in inches, that no window and no global state knows of."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.05))


def svg_of(figure: Any, name: str) -> str:
    """The figure as SVG, ready to stand inside a page: no prologue, no date, identifiers of its own."""
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return clean(stream.getvalue(), name)


def clean(text: str, name: str) -> str:
    """An SVG that can stand inside a page beside others: no prologue, no rule for all, `name` before each id."""
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<defs>\s*<style[^>]*>\*\{(.*?)\}</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = text.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    return text.strip() + "\n"


def themed(svg: str) -> str:
    """The same with the page's own colours, so that it can be read on a dark ground, too.

    Arms keep their hue there, and are lighter.
    """
    for colour, variable in _THEME.items():
        svg = svg.replace(colour, variable)
    return svg

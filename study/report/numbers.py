"""How numbers are written for people: one way in the whole report.

A minus is a minus and not a hyphen, an interval says "to" because of it, and a p value has three decimals, after
CONSORT 2025 ("actual p values") and the guidance of most journals.
"""

import math
from collections.abc import Sequence

from study.analysis.results import Cell, Column

__all__ = ["MINUS", "count", "interval", "number", "p_value", "percent", "shown", "words"]

MINUS = "\u2212"

NOTHING = "\u2013"
"""What is shown for a value that there is not."""


def number(value: float, digits: int = 2) -> str:
    """−3.20: with `digits` decimals and a true minus; never −0.00."""
    text = f"{value:,.{digits}f}"
    if text.startswith("-"):
        return text[1:] if float(text.replace(",", "")) == 0 else MINUS + text[1:]
    return text


def count(value: float) -> str:
    """1,234."""
    return number(value, 0)


def percent(share: float, digits: int = 1) -> str:
    """83.3% for 0.833."""
    return f"{number(100 * share, digits)}%"


def p_value(p: float, *, alone: bool = False) -> str:
    """0.034 or <0.001 for a table; `alone`, in a sentence: p = 0.034 or p < 0.001."""
    if p < 0.001:
        return "p < 0.001" if alone else "<0.001"
    text = f"{p:.3f}" if p < 0.9995 else ">0.999"
    if not alone:
        return text
    return f"p > {text[1:]}" if text.startswith(">") else f"p = {text}"


def interval(low: float, high: float, digits: int = 2) -> str:
    """−3.20 to 1.10."""
    return f"{number(low, digits)} to {number(high, digits)}"


def shown(cell: Cell, column: Column) -> str:
    """A cell of a table as people read it."""
    if cell is None:
        return NOTHING
    if isinstance(cell, str):
        return cell
    if not math.isfinite(cell):
        raise ValueError(f"{column.name} has {cell}, which is no number that a table may say")
    match column.kind:
        case "p":
            return p_value(float(cell))
        case "percent":
            return percent(float(cell))
        case "count":
            return count(cell)
        case _:
            return count(cell) if column.kind == "text" and isinstance(cell, int) else number(cell, column.digits)


def words(items: Sequence[str], last: str = "and") -> str:
    """a, b and c."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"

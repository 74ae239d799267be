"""Tables as CSV, which says everything, and as people read them, which says it in few columns."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from study.analysis.results import Cell, Column, Provenance, Table
from study.report.numbers import NOTHING, interval, shown

__all__ = ["Shown", "as_csv", "as_shown", "typographic"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A table as it stands on the page."""

    heads: tuple[tuple[str, bool], ...]
    """Of each column its title, and whether it is one of numbers, which stand at the right."""
    rows: tuple[tuple[str, ...], ...]


def as_csv(table: Table, provenance: Provenance) -> str:
    """The table with every digit; the last columns say in each row what it was computed from, so that rows of several
    reports can be put together. What there is not is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*(column.name for column in table.columns), "data_sha256", "plan_sha256", "bedside_version"])
    from_what = (provenance.data_sha256, provenance.plan_sha256, provenance.version)
    writer.writerows([*("" if cell is None else cell for cell in row), *from_what] for row in table.rows)
    return stream.getvalue()


def as_shown(table: Table, level: str = "95% CI") -> Shown:
    """The table for people: the two bounds of an interval are one column, called `level` where they have no name."""
    heads: list[tuple[str, bool]] = []
    columns: list[list[str]] = []
    for place, column, high in _joined(table.columns):
        if high is None:
            heads.append((column.title, column.kind != "text"))
            columns.append([_cell(row[place], column) for row in table.rows])
        else:
            heads.append((_title(column.title, level), True))
            columns.append([_interval(row[place], row[place + 1], column) for row in table.rows])
    return Shown(tuple(heads), tuple(zip(*columns, strict=True)) if table.rows else ())


def typographic(text: str) -> str:
    """A minus before a number and between the arms of a contrast; an en dash in a range of numbers, not in a date."""
    text = re.sub(r"(?<![\w-])(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)(?![\w-])", "\\1\u2013\\2", text)
    text = re.sub(r"(?<![\w.-])-(?=\d)", "\u2212", text)
    return text.replace(" - ", " \u2212 ")


def _joined(columns: tuple[Column, ...]) -> Iterator[tuple[int, Column, Column | None]]:
    """Each column with its place; with `low` of an interval comes `high`, which follows it."""
    place = 0
    while place < len(columns):
        column = columns[place]
        after = columns[place + 1] if place + 1 < len(columns) else None
        paired = after is not None and column.name.endswith("low") and after.name == column.name[:-3] + "high"
        yield place, column, after if paired else None
        place += 2 if paired else 1


def _title(low: str, level: str) -> str:
    """What the title of the lower bound says beside being the lower one: 95% CI of `95% CI, low`; of `Low` nothing."""
    return re.sub(r"[\s,]*\b(low|lower|from)\b[\s,]*(limit|bound)?", "", low, flags=re.IGNORECASE).strip(" ,:") or level


def _cell(cell: Cell, column: Column) -> str:
    return typographic(shown(cell, column)) if isinstance(cell, str) else shown(cell, column)


def _interval(low: Cell, high: Cell, column: Column) -> str:
    if low is None and high is None:
        return NOTHING
    if isinstance(low, str) or isinstance(high, str) or low is None or high is None:
        return f"{shown(low, column)} to {shown(high, column)}"
    if column.kind == "percent":
        return f"{shown(low, column)} to {shown(high, column)}"
    return interval(low, high, column.digits)

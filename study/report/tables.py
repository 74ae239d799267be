"""Tables as CSV, which says everything, and as people read them, which says it in few columns."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from study.analysis.results import Cell, Column, Provenance, Table
from study.report.numbers import MINUS, NOTHING, interval, shown

__all__ = ["Group", "Shown", "as_csv", "as_shown", "typographic"]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows under one heading; without a heading where the whole table is one group."""

    heading: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A table as it stands on the page."""

    heads: tuple[tuple[str, bool], ...]
    """Of each column its title, and whether it is one of numbers, which stand at the right."""
    groups: tuple[Group, ...]
    about: str = ""
    """The outcome that all rows are about, where they are about one."""

    @property
    def size(self) -> int:
        """How many lines it has."""
        return sum(len(group.rows) + bool(group.heading) for group in self.groups)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A column as it is shown, of one column of the table or of two that belong together."""

    title: str
    numeric: bool
    cells: tuple[str, ...]
    contrast: bool = False


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
    """The table for people, in as few columns and words as say the same.

    The two bounds of an interval are one column (called `level` where they have no name), an arm and the one it is
    compared with are a contrast, an outcome that all rows share is `about`, and what further rows share in their first
    columns is a heading above them.
    """
    columns, about = _columns(table, level)
    count = len(table.rows)
    shared = _shared(columns, count)
    rest = columns[shared:]
    rest.sort(key=lambda column: not column.contrast)  # stable: only a contrast moves, to the front
    groups: list[Group] = []
    for heading, places in groupby(range(count), lambda row: tuple(column.cells[row] for column in columns[:shared])):
        rows = tuple(tuple(column.cells[row] for column in rest) for row in places)
        groups.append(Group("; ".join(part for part in heading if part != NOTHING), rows))
    return Shown(tuple((column.title, column.numeric) for column in rest), tuple(groups), about)


def typographic(text: str) -> str:
    """A minus before a number and between the arms of a contrast; an en dash in a range of numbers, not in a date."""
    text = re.sub(r"(?<![\w/.-])(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)(?![\w-])", "\\1\u2013\\2", text)
    text = re.sub(r"(?<![\w.-])-(?=\d)", MINUS, text)
    return text.replace(" - ", f"\u00a0{MINUS}\u00a0")


def _columns(table: Table, level: str) -> tuple[list[_Shown], str]:
    """The columns, those that belong together joined; and the outcome, where there is one only."""
    found: list[_Shown] = []
    about = ""
    place = 0
    while place < len(table.columns):
        column = table.columns[place]
        after = table.columns[place + 1] if place + 1 < len(table.columns) else None
        cells = [row[place] for row in table.rows]
        beside = [row[place + 1] for row in table.rows] if after else []
        place += 1
        if column.name == "outcome" and len(set(cells)) == 1 and len(table.columns) > 1:
            about = str(cells[0])
        elif after and column.name == "arm" and after.name == "compared_with":
            pairs = tuple(f"{one}\u00a0{MINUS}\u00a0{other}" for one, other in zip(cells, beside, strict=True))
            found.append(_Shown("Contrast", False, pairs, contrast=True))
            place += 1
        elif after and column.name.endswith("low") and after.name == column.name[:-3] + "high":
            bounds = tuple(_interval(low, high, column) for low, high in zip(cells, beside, strict=True))
            found.append(_Shown(_title(column.title, level), True, bounds))
            place += 1
        else:
            contrast = column.name == "contrast"
            found.append(
                _Shown(column.title, column.kind != "text", tuple(_cell(cell, column) for cell in cells), contrast)
            )
    return found, about


def _shared(columns: Sequence[_Shown], count: int) -> int:
    """How many of the first columns become headings: as many as their rows share by two on average, or more."""
    texts = 0
    while texts < len(columns) - 1 and not columns[texts].numeric and not columns[texts].contrast:
        texts += 1
    for many in range(texts, 0, -1):
        keys = [tuple(column.cells[row] for column in columns[:many]) for row in range(count)]
        groups = sum(1 for _ in groupby(keys))
        if groups == len(set(keys)) and 1 < groups <= count / 2:
            return many
    return 0


def _title(low: str, level: str) -> str:
    """What the title of the lower bound says beside being the lower one: 95% CI of `95% CI, low`; of `Low` nothing."""
    rest = re.sub(r"[\s,]*\b(low|lower|from)\b[\s,]*(limit|bound)?", "", low, flags=re.IGNORECASE).strip(" ,:")
    return level if rest in ("", "Interval") else rest


def _cell(cell: Cell, column: Column) -> str:
    return typographic(shown(cell, column)) if isinstance(cell, str) else shown(cell, column)


def _interval(low: Cell, high: Cell, column: Column) -> str:
    if low is None and high is None:
        return NOTHING
    if isinstance(low, str) or isinstance(high, str) or low is None or high is None or column.kind != "number":
        return f"{shown(low, column)} to {shown(high, column)}"
    return interval(low, high, column.digits)

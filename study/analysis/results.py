"""What an analysis says: sections of sentences and tables, the same for the terminal, JSON, CSV and the report."""

import math
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["INTERVAL", "Cell", "Column", "Kind", "Provenance", "Results", "Section", "Table", "cell"]

Cell = str | int | float | None
"""A value of a table. None is a value that there is not; a number is never NaN or infinite."""

Kind = Literal["text", "count", "number", "percent", "p"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: `name` in CSV and JSON, `title` where people read it."""

    name: str
    title: str
    kind: Kind = "text"
    """How it is shown: `percent` is a share from 0 to 1, shown times 100; `p` is a p value."""
    digits: int = 2
    """Decimals that are shown of a `number`."""


INTERVAL = (Column("low", "Interval from", "number"), Column("high", "to", "number"))
"""The columns of an interval."""


def cell(value: float | None) -> float | None:
    """A number for a table; None for one that there is not."""
    return None if value is None or not math.isfinite(value) else float(value)


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its `name` is unique in the whole analysis and names its CSV file."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    """What somebody has to know to read it: model, units, abbreviations."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report that answers one question."""

    name: str
    """One of its own, in lower case with hyphens: the anchor in the report."""
    title: str
    text: tuple[str, ...] = ()
    """Whole sentences, a paragraph each."""
    tables: tuple[Table, ...] = ()
    warnings: tuple[str, ...] = ()
    """What could not be estimated, and what to be careful with; a sentence each."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the numbers came from: the same of these gives the same bytes."""

    data_sha256: str
    plan_sha256: str
    version: str
    """Of Bedside."""


@dataclass(frozen=True, slots=True)
class Results:
    """A whole analysis."""

    title: str
    provenance: Provenance
    sections: tuple[Section, ...] = field(default=())

    def section(self, name: str) -> Section:
        return next(section for section in self.sections if section.name == name)

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by its name, in the order of reading."""
        return {table.name: table for section in self.sections for table in section.tables}

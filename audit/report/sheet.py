"""A table of the report: raw numbers for its CSV, and the same as people read them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from study.report.tables import Group, Shown

__all__ = ["Cell", "Sheet", "grouped", "plain"]

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table; its `name` is unique in the report and names its CSV file."""

    name: str
    title: str
    columns: tuple[str, ...]
    """The names of the CSV's columns."""
    rows: tuple[tuple[Cell, ...], ...]
    shown: Shown
    note: str = ""

    def csv(self, sha256: str, version: str) -> str:
        """Every digit; each row ends with what it was computed from, so that rows of several audits can be joined."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*self.columns, "rows_sha256", "bedside_version"])
        writer.writerows([*("" if cell is None else cell for cell in row), sha256, version] for row in self.rows)
        return stream.getvalue()


def plain(heads: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> Shown:
    """One group without a heading. A head is a title, and whether its column is one of numbers."""
    return Shown(tuple(heads), (Group("", tuple(tuple(row) for row in rows)),))


def grouped(heads: Sequence[tuple[str, bool]], groups: Sequence[tuple[str, Sequence[Sequence[str]]]]) -> Shown:
    """Rows under headings."""
    return Shown(tuple(heads), tuple(Group(name, tuple(tuple(row) for row in rows)) for name, rows in groups))

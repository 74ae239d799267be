"""The codebook: every item and score with its wording, bounds, answers and rule; as CSV, and to read as Markdown."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from study.export.dictionary import Table
from study.export.instruments import Field, Instrument

__all__ = ["write_codebook", "write_csv", "write_dictionary"]

_COLUMNS = (
    "measure", "title", "version", "language", "occasions", "kind", "name", "wording", "low", "high", "answers", "rule",
    "licence", "citation",
)  # fmt: skip


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write a short table; return its number of rows."""
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for count, row in enumerate(rows, 1):  # noqa: B007 - the last number is the count
            writer.writerow(row)
    return count


def write_dictionary(path: Path, tables: Sequence[Table]) -> int:
    """What every column of the export holds."""
    rows = (
        (table.name, column.name, column.type, column.description, " ".join(sorted(column.flags - {"unblinds"})))
        for table in tables
        for column in table.columns
    )
    return write_csv(path, ("table", "column", "type", "description", "review"), rows)


def write_codebook(folder: Path, instruments: Sequence[Instrument]) -> int:
    """`codebook.csv` and `codebook.md`; returns the rows of the former."""
    (folder / "codebook.md").write_text("\n".join(_lines(instruments)) + "\n", encoding="utf-8")
    return write_csv(folder / "codebook.csv", _COLUMNS, (row for one in instruments for row in _rows(one)))


def _rows(one: Instrument) -> Iterator[tuple[Any, ...]]:
    head = (one.name, one.title, one.version, one.language, "; ".join(one.occasions))
    tail = (one.licence, one.citation)
    for field in one.fields:
        yield (*head, "item", field.id, field.question, field.low, field.high, _answers(field), "", *tail)
    for score in one.scores:
        bands = " | ".join(f"from {least:g}: {label}" for least, label in score.bands)
        yield (*head, "score", score.id, score.title, score.low, score.high, bands, score.rule, *tail)


def _answers(field: Field) -> str:
    if field.options:
        return " | ".join(f"{value} = {label}" for value, label in field.options)
    return " | ".join(end for end in field.ends if end)


def _lines(instruments: Sequence[Instrument]) -> Iterator[str]:
    yield "# Codebook"
    yield ""
    yield "What was asked and how it is scored. The same as a table: codebook.csv."
    for one in instruments:
        yield ""
        yield f"## {one.name}: {one.title}"
        yield ""
        if one.occasions:
            yield f"Due: {', '.join(one.occasions)}."
        for name, text in (("Version", one.version), ("Licence", one.licence), ("Citation", one.citation)):
            if text:
                yield f"{name}: {text}"
        if one.instruction:
            yield ""
            yield f"> {one.instruction}"
        yield ""
        for field in one.fields:
            bounds = (
                "" if field.low is None and field.high is None else f" ({_bound(field.low)} to {_bound(field.high)})"
            )
            yield f"- `{field.id}` {field.question}{bounds}"
            if field.options or any(field.ends):
                yield f"  {_answers(field)}"
        for score in one.scores:
            yield f"- score `{score.id}`: {score.title} ({score.low:g} to {score.high:g}); {score.rule}"


def _bound(value: int | None) -> str:
    return "any" if value is None else str(value)

"""The export: one CSV file for each table of the record, and a data dictionary."""

import csv
import shutil
import sqlite3
import tempfile
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from study.errors import StudyError
from study.study import Study

__all__ = ["Column", "dictionary", "export"]


@dataclass(frozen=True, slots=True)
class Column:
    """One line of the data dictionary."""

    table: str
    column: str
    type: str
    description: str


def dictionary() -> list[Column]:
    """What every exported column holds, table by table, in the order of the columns."""
    described = tomllib.loads(files("study").joinpath("dictionary.toml").read_text(encoding="utf-8"))
    return [
        Column(table, column, kind, description)
        for table, columns in described.items()
        for column, (kind, description) in columns.items()
    ]


def export(study: Study, out: Path) -> dict[str, int]:
    """Write the record into the folder `out` and return the number of rows of each table.

    All tables are read in one transaction, so they fit together even while participants are writing. The folder
    appears whole or not at all. Raises `StudyError` when `out` holds something already or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StudyError(f"{out} holds something already; choose a folder that is new or empty.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as draft:
            folder = Path(draft) / out.name
            folder.mkdir(mode=0o755)
            rows = _write(study, folder)
            if out.exists():
                out.rmdir()
            shutil.move(folder, out)
    except OSError as error:
        raise StudyError(f"{out} cannot be written: {error.strerror}.") from None
    return rows


def _write(study: Study, folder: Path) -> dict[str, int]:
    columns = dictionary()
    rows: dict[str, int] = {}
    connection = study.records.db.conn
    connection.execute("BEGIN")
    try:
        for table in dict.fromkeys(column.table for column in columns):
            names = [column.column for column in columns if column.table == table]
            rows[table] = _write_table(connection, table, names, folder / f"{table}.csv")
    finally:
        connection.execute("ROLLBACK")
    with (folder / "dictionary.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "column", "type", "description"])
        writer.writerows((column.table, column.column, column.type, column.description) for column in columns)
    (folder / "study.toml").write_text(study.locked_text() or study.text, encoding="utf-8")
    return rows


def _write_table(connection: sqlite3.Connection, table: str, names: list[str], path: Path) -> int:
    # Table and columns come from dictionary.toml, which is ours.
    cursor = connection.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY rowid")  # noqa: S608
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        count = 0
        for count, row in enumerate(cursor, 1):  # noqa: B007 - the last number is the count
            writer.writerow(row)
    return count

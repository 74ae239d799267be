"""What somebody should read before the data are shared: free text, and what may point to a person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from study.export.codebook import write_csv
from study.export.dictionary import dictionary
from study.export.reading import Reading
from study.export.variants import tables

__all__ = ["write_free_text", "write_quasi_identifiers"]


def write_free_text(path: Path, reading: Reading) -> int:
    """`free_text.csv`: each column with somebody's own words, how many are filled, and whether it is exported."""
    kept = {(table.name, column.name) for table in tables(reading.variant) for column in table.columns}
    rows = []
    for table in dictionary():
        for column in table.columns:
            if column.type == "free text":
                filled = reading.connection.execute(
                    f"SELECT count(*), max(length({column.name})) FROM {table.name}"  # noqa: S608 - ours
                    f" WHERE {column.name} IS NOT NULL AND {column.name} != ''"
                ).fetchone()
                there = "yes" if (table.name, column.name) in kept else "left out"
                rows.append((table.name, column.name, filled[0], filled[1] or 0, there, column.description))
    columns = ("table", "column", "non_empty", "longest", "exported", "description")
    return write_csv(path, columns, rows)


def write_quasi_identifiers(path: Path, reading: Reading) -> int:
    """`quasi_identifiers.csv`: answers to the screening and strata, with how many people the rarest value has.

    A value that one or two people have may point to them, most of all together with others.
    """
    columns = ("source", "name", "people", "different_values", "people_with_the_rarest")
    return write_csv(path, columns, _quasi(reading))


def _quasi(reading: Reading) -> Iterator[tuple[Any, ...]]:
    sources = {
        "screening": "SELECT a.item AS name, ifnull(a.choice, a.value) AS value FROM answer_now a"
        " JOIN form ON form.id = a.form JOIN forms ON forms.id = form.id WHERE form.measure = 'screening'",
        "participant.levels": "SELECT level.key AS name, level.value AS value"
        " FROM participant JOIN people USING (code), json_each(participant.levels) AS level",
        "participant.stratum": "SELECT 'stratum' AS name, stratum AS value FROM participant JOIN people USING (code)"
        " WHERE stratum IS NOT NULL",
    }
    for source, sql in sources.items():
        rows = reading.connection.execute(
            "SELECT name, sum(n), count(*), min(n)"  # noqa: S608 - ours
            f" FROM (SELECT name, value, count(*) AS n FROM ({sql}) GROUP BY name, value) GROUP BY name ORDER BY name"
        )
        yield from ((source, *row) for row in rows)

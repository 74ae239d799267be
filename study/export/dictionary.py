"""The data dictionary: what each exported column holds, from `study/dictionary.toml`."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal, cast, get_args

__all__ = ["Column", "ColumnType", "Flag", "Table", "dictionary"]

ColumnType = Literal[
    "text", "integer", "number", "json", "time", "date", "code", "visit", "form", "key", "free text", "minute"
]
"""`minute` is not in the file: it is what a time becomes in a de-identified export."""

Flag = Literal["unblinds", "identifies", "quasi"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column; its type and flags as dictionary.toml explains them."""

    table: str
    name: str
    type: ColumnType
    description: str
    flags: frozenset[Flag]


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    about: str
    flags: frozenset[Flag]
    columns: tuple[Column, ...]


@lru_cache
def dictionary() -> tuple[Table, ...]:
    """Every table that can be exported, with its columns in order."""
    described = tomllib.loads(files("study").joinpath("dictionary.toml").read_text(encoding="utf-8"))
    return tuple(_table(name, columns) for name, columns in described.items())


def _table(name: str, entries: dict[str, str | list[str]]) -> Table:
    about, *flags = _parts(entries["about"])
    columns = []
    for column, entry in entries.items():
        if column != "about":
            kind, description, *own = _parts(entry)
            if kind not in get_args(ColumnType):
                raise AssertionError(f"dictionary.toml: {name}.{column} has the type {kind!r}")
            columns.append(Column(name, column, cast(ColumnType, kind), description, _flags(own)))
    return Table(name, about, _flags(flags), tuple(columns))


def _parts(entry: str | list[str]) -> list[str]:
    return [entry] if isinstance(entry, str) else entry


def _flags(found: list[str]) -> frozenset[Flag]:
    unknown = set(found) - set(get_args(Flag))
    if unknown:
        raise AssertionError(f"dictionary.toml: there is no flag {sorted(unknown)}")
    return frozenset(cast(list[Flag], found))

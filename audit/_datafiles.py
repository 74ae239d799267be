"""Reading the data files of this room, and saying what is wrong with one."""

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from audit.errors import ItemFileError

__all__ = ["complaint", "parsed", "read", "rows_of", "table_of"]

Row = TypeVar("Row", bound=BaseModel)


def read(name: str, what: str = "file") -> bytes:
    """The bytes of `audit/data/<name>.toml`. Raises `ItemFileError` where there is no such `what`."""
    try:
        return files("audit").joinpath("data", f"{name}.toml").read_bytes()
    except FileNotFoundError:
        raise ItemFileError(f"data/{name}.toml: there is no such {what}") from None


def parsed(where: str, data: bytes, needs: Sequence[str] = ()) -> dict[str, Any]:
    """The table in the bytes of the file `where`, with the keys that it `needs`. Raises `ItemFileError`."""
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ItemFileError(f"{where}: not valid TOML: {error}") from None
    for key in needs:
        if key not in table:
            raise ItemFileError(f"{where}: the key {key!r} is missing")
    return table


@cache
def table_of(name: str) -> dict[str, Any]:
    """The table in `audit/data/<name>.toml`. Raises `ItemFileError`."""
    return parsed(f"data/{name}.toml", read(name))


def rows_of(where: str, what: str, kind: type[Row], rows: Sequence[object]) -> tuple[Row, ...]:
    """The rows of a file, each of which is called `what`. Raises `ItemFileError`, naming the row and the key."""
    found = []
    for place, row in enumerate(rows, 1):
        try:
            found.append(kind.model_validate(row))
        except ValidationError as error:
            name = row.get("id", place) if isinstance(row, dict) else place
            raise ItemFileError(f"{where}: {what} {name}: {complaint(error)}") from None
    return tuple(found)


def complaint(error: ValidationError, whole: str = "") -> str:
    """The first thing that is wrong, with its key; `whole` stands where it is no single key's."""
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or whole}: {first['msg']}"

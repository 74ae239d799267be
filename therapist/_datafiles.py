"""Reading the data files of this room: which there are, what is in them, and what is wrong with them."""

import hashlib
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from therapist.errors import DataFileError

__all__ = ["names_in", "parsed", "read_named", "validated"]

Model = TypeVar("Model", bound=BaseModel)


def names_in(folder: str) -> list[str]:
    """The names of the data files in a folder of this package, in order."""
    entries = files("therapist").joinpath(folder).iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


def read_named(folder: str, name: str, what: str) -> bytes:
    """The bytes of the file called `name`. Raises `DataFileError`, with the names there are, when there is none."""
    names = names_in(folder)
    # Looked up in the list, never as a path: a name comes from a study's settings.
    if name not in names:
        raise DataFileError(f"There is no {what} {name!r}; allowed: {', '.join(names)}.")
    return files("therapist").joinpath(folder, f"{name}.toml").read_bytes()


def parsed(where: str, data: bytes) -> dict[str, Any]:
    """The table in the bytes of a file. Raises `DataFileError`, naming the file."""
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataFileError(f"{where}: not valid TOML: {error}") from None


def validated(kind: type[Model], where: str, name: str, data: bytes) -> Model:
    """The model in the bytes of a file, with its name and the SHA-256 of these bytes.

    Raises `DataFileError`, naming the file, the first key that is wrong, and what is allowed there.
    """
    table = parsed(where, data)
    try:
        return kind.model_validate({**table, "name": name, "sha256": hashlib.sha256(data).hexdigest()})
    except ValidationError as error:
        first = error.errors()[0]
        place = [where, ".".join(str(part) for part in first["loc"]), _complaint(kind, first)]
        raise DataFileError(": ".join(part for part in place if part)) from None


def _complaint(kind: type[BaseModel], error: ErrorDetails) -> str:
    match error["type"]:
        case "missing":
            return "this key is missing"
        case "extra_forbidden":
            return f"there is no such key; allowed: {', '.join(_keys_at(kind, error['loc'][:-1]))}"
        case _:
            return error["msg"]


def _keys_at(kind: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """The keys of the table that `path` leads to. The file's name and hash are ours to fill in, and not listed."""
    for part in path:
        if isinstance(part, str):
            annotation = kind.model_fields[part].annotation
            candidates = [annotation, *get_args(annotation)]
            kind = next(one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel))
    return [key for key in kind.model_fields if key not in ("name", "sha256")]

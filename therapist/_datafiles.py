"""Reading the data files of this room: which there are, what is in them in which language, what is wrong with them."""

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from catalogues import NotTranslated, Source
from therapist.errors import DataFileError

__all__ = ["SOURCE", "names_in", "parsed", "read_named", "translated", "validated"]

Model = TypeVar("Model", bound=BaseModel)

SOURCE = Source(
    Path(__file__).parent,
    (("exercises.", "exercises/*.toml"), ("personas.", "personas/*.toml"), ("", "guidance.toml")),
    # For the researcher and the paper, which are English.
    leave=frozenset({"id", "version", "source", "goal", "description"}),
)
"""What is said in an exercise and what a model is told, to be translated; other languages are in `therapist/texts/`."""


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


def validated(kind: type[Model], folder: str, name: str, data: bytes, language: str) -> Model:
    """The model in the bytes of a file, in `language`, with its name and the SHA-256 of all that it was made from.

    Raises `DataFileError`, naming the file, the first key that is wrong, and what is allowed there.
    """
    where = f"{folder}/{name}.toml"
    table, sha256 = translated(where, f"{folder}.{name}", data, language)
    try:
        return kind.model_validate({**table, "name": name, "language": language, "sha256": sha256})
    except ValidationError as error:
        first = error.errors()[0]
        place = [where, ".".join(str(part) for part in first["loc"]), _complaint(kind, first)]
        raise DataFileError(": ".join(part for part in place if part)) from None


def translated(where: str, key: str, data: bytes, language: str) -> tuple[dict[str, Any], str]:
    """The table in the bytes of a file, in `language`, and its SHA-256. Raises `DataFileError`."""
    try:
        return SOURCE.translated(key, data, language)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataFileError(f"{where}: not valid TOML: {error}") from None
    except NotTranslated as error:
        raise DataFileError(f"{where}: {error}") from None


def _complaint(kind: type[BaseModel], error: ErrorDetails) -> str:
    match error["type"]:
        case "missing":
            return "this key is missing"
        case "extra_forbidden":
            return f"there is no such key; allowed: {', '.join(_keys_at(kind, error['loc'][:-1]))}"
        case _:
            return error["msg"]


def _keys_at(kind: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """The keys of the table that `path` leads to. What is ours to fill in is not listed."""
    for part in path:
        if isinstance(part, str):
            annotation = kind.model_fields[part].annotation
            candidates = [annotation, *get_args(annotation)]
            kind = next(one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel))
    return [key for key in kind.model_fields if key not in ("name", "language", "sha256")]

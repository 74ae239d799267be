"""Personas: the manner in which the same content is said, in data."""

import hashlib
import tomllib
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from therapist.errors import DataFileError

__all__ = ["Persona", "load_persona", "persona_names"]


class Persona(BaseModel):
    """One manner."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str = Field(min_length=1)
    """What the persona is, for the researcher and the paper."""
    system: str = Field(min_length=1)
    """What the model is told of its manner."""
    sha256: str


def persona_names() -> list[str]:
    """The personas there are."""
    folder = files("therapist").joinpath("personas")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


@cache
def load_persona(name: str) -> Persona:
    """The persona called `name`. Raises `DataFileError` when there is none or its file is wrong."""
    if name not in persona_names():
        raise DataFileError(f"There is no persona {name!r}; there are {', '.join(persona_names())}.")
    data = files("therapist").joinpath("personas", f"{name}.toml").read_bytes()
    try:
        table = tomllib.loads(data.decode("utf-8"))
        return Persona.model_validate({**table, "name": name, "sha256": hashlib.sha256(data).hexdigest()})
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise DataFileError(f"personas/{name}.toml: {error}") from None

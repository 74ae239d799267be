"""Personas: the manner in which the same content is said, in data."""

from functools import cache

from pydantic import BaseModel, ConfigDict, Field

from therapist._datafiles import names_in, read_named, validated

__all__ = ["Persona", "load_persona", "parse_persona", "persona_names"]


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
    return names_in("personas")


@cache
def load_persona(name: str) -> Persona:
    """The persona called `name`. Raises `DataFileError` when there is none or its file is wrong."""
    return parse_persona(name, read_named("personas", name, "persona"))


def parse_persona(name: str, data: bytes) -> Persona:
    """The persona in the bytes of a file. Raises `DataFileError`, naming the first key that is wrong."""
    return validated(Persona, f"personas/{name}.toml", name, data)

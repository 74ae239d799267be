"""Personas: the manner in which the same content is said, in data."""

from functools import cache

from pydantic import BaseModel, ConfigDict, Field

from therapist._datafiles import names_in, read_named, validated
from therapist.moments import Moment

__all__ = ["Acts", "Persona", "load_persona", "parse_persona", "persona_names"]


class Acts(BaseModel):
    """What a persona does at set moments: each an instruction for that one reply. None of them has to be there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opening: str | None = Field(None, min_length=1)
    """For the first reply."""
    feeling: str | None = Field(None, min_length=1)
    """For the reply to words that tell a feeling (see `therapist.moments`)."""
    closing: str | None = Field(None, min_length=1)
    """For the last reply."""


class Persona(BaseModel):
    """One manner."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str = Field(min_length=1)
    """What the persona is, for the researcher and the paper."""
    system: str = Field(min_length=1)
    """What the model is told of its manner."""
    acts: Acts = Acts()
    """What it is told beside, at set moments."""
    language: str
    sha256: str

    def act(self, moment: Moment | None) -> str:
        """The instruction for `moment`; nothing where this persona has none."""
        return (getattr(self.acts, moment) or "") if moment else ""


def persona_names() -> list[str]:
    """The personas there are."""
    return names_in("personas")


@cache
def load_persona(name: str, language: str = "en") -> Persona:
    """The persona called `name`, in `language`. Raises `DataFileError` when there is none or its file is wrong."""
    return parse_persona(name, read_named("personas", name, "persona"), language)


def parse_persona(name: str, data: bytes, language: str = "en") -> Persona:
    """The persona in the bytes of a file. Raises `DataFileError`, naming the first key that is wrong."""
    return validated(Persona, "personas", name, data, language)

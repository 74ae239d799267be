"""Rubrics: what a grading model is asked, as data.

```toml
version = "1"
licence = "CC-BY-4.0"
provenance = "Written for Bedside in 2026."
task = "What the grader judges, in a sentence."
criteria = ["What counts.", "What does not."]

[[scale]]
value = 0
means = "The reply takes the feeling away."

[[examples]]
transcript = ["I miss her.", "You'll get over it."]
value = 0
why = "It closes the feeling and asks nothing of it."
```

The file is `audit/data/rubrics/<name>.toml`; its sha256 goes with every grade.
"""

import hashlib

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from audit._datafiles import complaint, parsed, read
from audit.errors import ItemFileError

__all__ = ["Example", "Place", "Rubric", "load_rubric", "parse_rubric"]


class Place(BaseModel):
    """One value of the scale."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: int
    means: str = Field(min_length=1)


class Example(BaseModel):
    """A conversation with its grade."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    transcript: tuple[str, ...] = Field(min_length=2)
    """Turns, the user's first and the judged reply last."""
    value: int
    why: str = Field(min_length=1)


class Rubric(BaseModel):
    """What is asked of a grader."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str
    licence: str = Field(min_length=1)
    provenance: str = Field(min_length=1)
    task: str = Field(min_length=1)
    criteria: tuple[str, ...] = Field(min_length=1)
    scale: tuple[Place, ...] = Field(min_length=2)
    examples: tuple[Example, ...] = ()
    sha256: str

    @model_validator(mode="after")
    def _values_are_the_scales(self) -> "Rubric":
        values = [place.value for place in self.scale]
        if len(set(values)) != len(values):
            raise ValueError("two places of the scale have the same value")
        for example in self.examples:
            if example.value not in values:
                raise ValueError(f"an example has the value {example.value}, which is not on the scale")
        return self

    @property
    def values(self) -> tuple[int, ...]:
        """The grades that may be given."""
        return tuple(place.value for place in self.scale)


def load_rubric(name: str) -> Rubric:
    """The rubric of `audit/data/rubrics/<name>.toml`. Raises `ItemFileError`, naming the file and the key."""
    return parse_rubric(name, read(f"rubrics/{name}", "rubric"))


def parse_rubric(name: str, data: bytes) -> Rubric:
    """The rubric in the bytes of a file. Raises `ItemFileError`."""
    where = f"data/rubrics/{name}.toml"
    table = parsed(where, data)
    try:
        return Rubric.model_validate({**table, "name": name, "sha256": hashlib.sha256(data).hexdigest()})
    except ValidationError as error:
        raise ItemFileError(f"{where}: {complaint(error, 'the rubric')}") from None

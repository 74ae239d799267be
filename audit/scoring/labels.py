"""Hand labels: replies that somebody read and coded before the scorer was run on them.

```toml
version = "1"
licence = "CC-BY-4.0"
provenance = "Replies written for Bedside in 2026; labelled by one reader before the scorer was run on them."

[[labels]]
id = "listening.001"
held_out = false
context = "I can't stop crying since Sunday."
reply = "What is it like right now?"
codes = { emotion_check_in = 1, problem_solving = 0 }
rater = "a"
```

The file is `audit/data/labels/<suite>.toml`. Rules may be mended by the open half; agreement is shown for the held-out
half, as it is.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audit.errors import ItemFileError
from audit.items import Half

__all__ = ["Label", "LabelSet", "load_labels", "parse_labels"]


class Label(BaseModel):
    """One reply, and what one reader found in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")
    context: str | tuple[str, ...]
    """What the user said; with several turns, all of them in turn, the user's first, the user's last."""
    reply: str = Field(min_length=1)
    codes: dict[str, float]
    """The reader's value of each code: 0 or 1 for absent and present, or a place on a scale."""
    rater: str = "a"
    held_out: bool = False
    item: str | None = None
    """The suite's item whose context this is, if it is one's."""
    source: Literal["written", "model", "eliza"] = "written"
    """Where the reply comes from: written for the purpose, or said by a model or by ELIZA."""

    @property
    def turns(self) -> tuple[str, ...]:
        """The context as turns, the user's first."""
        return (self.context,) if isinstance(self.context, str) else self.context


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The labels of one file."""

    name: str
    version: str
    licence: str
    provenance: str
    sha256: str
    labels: tuple[Label, ...]

    def half(self, which: Half) -> tuple[Label, ...]:
        """The labels of one half, or all."""
        return tuple(label for label in self.labels if which == "both" or label.held_out == (which == "held_out"))


def load_labels(suite: str) -> LabelSet:
    """The labels of `audit/data/labels/<suite>.toml`. Raises `ItemFileError`, naming file, label and key."""
    try:
        data = files("audit").joinpath("data", "labels", f"{suite}.toml").read_bytes()
    except FileNotFoundError:
        raise ItemFileError(f"data/labels/{suite}.toml: there is no such file of labels") from None
    return parse_labels(suite, data)


def parse_labels(suite: str, data: bytes) -> LabelSet:
    """The labels in the bytes of a file. Raises `ItemFileError`, also where one rater labelled one reply twice."""
    where = f"data/labels/{suite}.toml"
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ItemFileError(f"{where}: not valid TOML: {error}") from None
    for key in ("version", "licence", "provenance", "labels"):
        if key not in table:
            raise ItemFileError(f"{where}: the key {key!r} is missing")
    labels = tuple(_label(where, place, row) for place, row in enumerate(table["labels"], 1))
    seen: set[tuple[str, str]] = set()
    for label in labels:
        if (label.id, label.rater) in seen:
            raise ItemFileError(f"{where}: rater {label.rater!r} has two labels with the id {label.id!r}")
        seen.add((label.id, label.rater))
    version, licence, provenance = (str(table[key]) for key in ("version", "licence", "provenance"))
    return LabelSet(suite, version, licence, provenance, hashlib.sha256(data).hexdigest(), labels)


def _label(where: str, place: int, row: object) -> Label:
    try:
        return Label.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        name = row.get("id", place) if isinstance(row, dict) else place
        raise ItemFileError(f"{where}: label {name}: {key}: {first['msg']}") from None

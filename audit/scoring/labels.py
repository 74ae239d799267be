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

[readers]  # further ones, and who each is
b = "a student of psychology who was given the code book and the replies alone"

[readings.b]  # what each found in the replies
"listening.001" = { emotion_check_in = 1, problem_solving = 0 }

[grades.b]  # and what grade by the suite's rubric each gave, where it has one
"listening.001" = 2
```

The file is `audit/data/labels/<suite>.toml`. Rules may be mended by the open half; agreement is shown for the held-out
half, as it is.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from audit._datafiles import complaint, parsed, read, rows_of
from audit.errors import ItemFileError
from audit.items import Half

__all__ = ["Label", "LabelSet", "load_labels", "parse_labels"]


HEAD = ("version", "licence", "provenance", "labels")


class Label(BaseModel):
    """One reply, and what one reader found in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")
    context: str | tuple[str, ...]
    """What the user said; with several turns, all of them in turn, the user's first, the user's last."""
    reply: str = Field(min_length=1)
    codes: dict[str, FiniteFloat]
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
    readers: Mapping[str, str] = field(default_factory=dict)
    """Further readers by their letter, and who each is."""
    readings: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """What each of them found: by letter, the label's id, and code."""
    grades: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """The grades by the suite's rubric (`audit.scoring.rubric`) that readers gave: by letter and the label's id."""

    def half(self, which: Half) -> tuple[Label, ...]:
        """The labels of one half, or all."""
        return tuple(label for label in self.labels if which == "both" or label.held_out == (which == "held_out"))

    @property
    def second(self) -> str | None:
        """The letter of the further reader who is held against the labels; None where nobody else read the replies."""
        return min(self.readings, default=None)

    def read_by(self, reader: str, which: Half) -> tuple[Label, ...]:
        """The same replies with the codes that a further reader gave them; those that this one did not read are left
        out."""
        given = self.readings[reader]
        return tuple(
            label.model_copy(update={"codes": dict(given[label.id]), "rater": reader})
            for label in self.half(which)
            if label.id in given
        )


def load_labels(suite: str) -> LabelSet:
    """The labels of `audit/data/labels/<suite>.toml`. Raises `ItemFileError`, naming file, label and key."""
    return parse_labels(suite, read(f"labels/{suite}", "file of labels"))


def parse_labels(suite: str, data: bytes) -> LabelSet:
    """The labels in the bytes of a file. Raises `ItemFileError`, also where two labels have one id, and where a further
    reader is not named, or read a reply or gave a code that is not there."""
    where = f"data/labels/{suite}.toml"
    table = parsed(where, data, HEAD)
    labels = rows_of(where, "label", Label, table["labels"])
    codes: dict[str, set[str]] = {}
    for label in labels:
        if label.id in codes:
            raise ItemFileError(f"{where}: two labels have the id {label.id!r}")
        codes[label.id] = set(label.codes)
    try:
        further = _Further.model_validate({key: value for key, value in table.items() if key not in HEAD})
    except ValidationError as error:
        raise ItemFileError(f"{where}: {complaint(error)}") from None
    if further.readers.keys() != {*further.readings, *further.grades}:
        raise ItemFileError(f"{where}: [readers] does not name those, and only those, who read or graded")
    if twice := {label.rater for label in labels} & further.readers.keys():
        raise ItemFileError(f"{where}: {min(twice)!r} is the letter of a further reader and of who made the labels")
    for reader in further.readers:
        found = further.readings.get(reader, {})
        if unknown := sorted({*found, *further.grades.get(reader, {})} - set(codes)):
            raise ItemFileError(f"{where}: reader {reader!r} read {unknown[0]!r}, which is no label")
        for name, given in found.items():
            if unknown := sorted(set(given) - codes[name]):
                raise ItemFileError(f"{where}: reader {reader!r} has the code {unknown[0]!r}, which {name!r} has not")
    version, licence, provenance = (str(table[key]) for key in ("version", "licence", "provenance"))
    sha256 = hashlib.sha256(data).hexdigest()
    return LabelSet(
        suite, version, licence, provenance, sha256, labels, further.readers, further.readings, further.grades
    )


class _Further(BaseModel):
    """What a file says of further readers; the keys that every file has are read elsewhere."""

    model_config = ConfigDict(extra="forbid")

    readers: dict[str, str] = {}
    readings: dict[str, Annotated[dict[str, dict[str, FiniteFloat]], Field(min_length=1)]] = {}
    grades: dict[str, Annotated[dict[str, int], Field(min_length=1)]] = {}

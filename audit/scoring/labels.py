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
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from audit._datafiles import parsed, read, rows_of
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
    return parse_labels(suite, read(f"labels/{suite}", "file of labels"))


def parse_labels(suite: str, data: bytes) -> LabelSet:
    """The labels in the bytes of a file. Raises `ItemFileError`, also where one rater labelled one reply twice."""
    where = f"data/labels/{suite}.toml"
    table = parsed(where, data, ("version", "licence", "provenance", "labels"))
    labels = rows_of(where, "label", Label, table["labels"])
    seen: set[tuple[str, str]] = set()
    for label in labels:
        if (label.id, label.rater) in seen:
            raise ItemFileError(f"{where}: rater {label.rater!r} has two labels with the id {label.id!r}")
        seen.add((label.id, label.rater))
    version, licence, provenance = (str(table[key]) for key in ("version", "licence", "provenance"))
    return LabelSet(suite, version, licence, provenance, hashlib.sha256(data).hexdigest(), labels)

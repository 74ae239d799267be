"""Files of items: TOML with a head that says where the items come from, and a half that is held out.

```toml
version = "1"
licence = "CC-BY-4.0"
provenance = "Written for Bedside in 2026; facts after <source>."

[[items]]
id = "geo.01"
held_out = false
```

What else an item has is its suite's own: a subclass of `Item`. The held-out half is for the figures; whoever writes
rules, rubrics or prompts looks at the open half alone.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from audit._datafiles import parsed, read, rows_of
from audit.errors import ItemFileError

__all__ = ["Half", "Item", "ItemSet", "load_items", "parse_items"]

Half = Literal["open", "held_out", "both"]


class Item(BaseModel):
    """What every item has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")
    held_out: bool


Kind = TypeVar("Kind", bound=Item)


@dataclass(frozen=True)
class ItemSet(Generic[Kind]):
    """The items of one file."""

    name: str
    version: str
    licence: str
    provenance: str
    sha256: str
    items: tuple[Kind, ...]

    def half(self, which: Half) -> tuple[Kind, ...]:
        """The items of one half, or all."""
        return tuple(item for item in self.items if which == "both" or item.held_out == (which == "held_out"))


def load_items(name: str, kind: type[Kind]) -> ItemSet[Kind]:
    """The items of `audit/data/<name>.toml`. Raises `ItemFileError`, naming the file, the item and the key."""
    return parse_items(name, read(name, "file of items"), kind)


def parse_items(name: str, data: bytes, kind: type[Kind]) -> ItemSet[Kind]:
    """The items in the bytes of a file. Raises `ItemFileError`."""
    where = f"data/{name}.toml"
    table = parsed(where, data, ("version", "licence", "provenance", "items"))
    items = rows_of(where, "item", kind, table["items"])
    _no_two_alike(where, [item.id for item in items])
    version, licence, provenance = (str(table[key]) for key in ("version", "licence", "provenance"))
    return ItemSet(name, version, licence, provenance, hashlib.sha256(data).hexdigest(), items)


def _no_two_alike(where: str, ids: Sequence[str]) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise ItemFileError(f"{where}: two items have the id {one!r}")
        seen.add(one)

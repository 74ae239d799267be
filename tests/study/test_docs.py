"""docs/researchers.md names every key of study.toml."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from study.protocol import Protocol

TEXT = (Path(__file__).parents[2] / "docs" / "researchers.md").read_text()


def keys(table: type[BaseModel], prefix: str = "") -> list[str]:
    found = []
    for name, field in table.model_fields.items():
        inner: list[Any] = [field.annotation, *getattr(field.annotation, "__args__", ())]
        tables = [one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)]
        own = f"{prefix}{name}"
        if tables and own not in ("arms.engine", "safety.contacts"):
            found += keys(tables[0], own + ".")
        else:
            found.append(own)
    return found


def test_every_key_of_the_protocol_is_documented() -> None:
    missing = [key for key in keys(Protocol) if f"| `{key}` |" not in TEXT]
    assert missing == []

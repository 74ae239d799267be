"""The JSON Schema of `study.toml`, so that an editor completes and checks it; and the table of its keys.

Both are made from the tables of the protocol, so they say what Bedside checks.
"""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from study.protocol import Protocol

__all__ = ["FILE", "json_schema", "keys", "markdown"]

FILE = "study.schema.json"
"""The name under which the schema is put beside `study.toml`, whose first line refers to it."""


def json_schema() -> dict[str, Any]:
    """The schema, in the draft 2020-12."""
    schema = Protocol.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "The protocol of a study: study.toml"
    return _without_null(schema)  # type: ignore[no-any-return]


def _without_null(part: Any) -> Any:
    """TOML has no null: what is not wanted is left out."""
    if isinstance(part, dict):
        choices = [one for one in part.get("anyOf", []) if one != {"type": "null"}]
        if "anyOf" in part and len(choices) < len(part["anyOf"]):
            rest = {key: value for key, value in part.items() if key != "anyOf"}
            if rest.get("default", 0) is None:
                del rest["default"]
            part = {**choices[0], **rest} if len(choices) == 1 else {**rest, "anyOf": choices}
        return {key: _without_null(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_without_null(one) for one in part]
    return part


def keys(table: type[BaseModel] = Protocol, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Every key of the file with what it says and its default as TOML; empty where it must be given."""
    for name, field in table.model_fields.items():
        inner = _table_in(field.annotation)
        if inner is not None and f"{prefix}{name}" != "arms.engine":
            yield from keys(inner, f"{prefix}{name}.")
            continue
        default = "" if field.default is PydanticUndefined or field.default is None else _toml(field.default)
        yield f"{prefix}{name}", field.description or _about(inner), default


def markdown(table: type[BaseModel] = Protocol) -> str:
    """The table of the keys, as docs/protocol.md has it."""
    lines = ["| key | what it says | if left out |", "|---|---|---|"]
    lines += [
        f"| `{key}` | {says.replace('|', ',')} | {f'`{default}`' if default else ''} |"
        for key, says, default in keys(table)
    ]
    return "\n".join(lines)


def _table_in(annotation: Any) -> type[BaseModel] | None:
    for one in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _about(table: type[BaseModel] | None) -> str:
    return "an engine of this arm's own, with the keys of `engine`" if table else ""


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    print(markdown())

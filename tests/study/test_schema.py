"""The JSON Schema by which an editor completes and checks study.toml."""

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from study.errors import ProtocolError
from study.protocol import parse
from study.schema import FILE, json_schema
from study.study import create, template_names

VALIDATOR = jsonschema.Draft202012Validator


def says(data: dict[str, Any]) -> list[str]:
    return [error.message for error in VALIDATOR(json_schema()).iter_errors(data)]


def test_the_schema_is_one() -> None:
    VALIDATOR.check_schema(json_schema())


@pytest.mark.parametrize("name", template_names())
def test_every_template_fits_it(tmp_path: Path, name: str) -> None:
    text = create(tmp_path, name).read_text()
    assert says(tomllib.loads(text)) == []
    assert text.startswith(f"#:schema ./{FILE}\n")


WRONG: list[tuple[str, Any]] = [
    ("days", "fifteen"),
    ("days", 0),
    ("titel", "x"),
    ("language", "xx"),
    ("engine.kind", "gpt"),
    ("engine.temperature", 3),
    ("arms.0.medium", "video"),
    ("arms.0.colour", "red"),
    ("arms.0.ratio", 0),
    ("visits.day_boundary", "4 am"),
    ("visits.grace_minutes", -1),
    ("safety.contacts", []),
    ("measures.0.when", []),
    ("analysis.model", "anova"),
    ("blinding.roles", ["everybody"]),
    ("identity.ask", ["address"]),
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=[f"{key}={value}" for key, value in WRONG])
def test_what_the_protocol_refuses_by_type_value_or_key_it_refuses(tmp_path: Path, key: str, value: Any) -> None:
    data = tomllib.loads(create(tmp_path, "kian2024").read_text())
    wrong = copy.deepcopy(data)
    place: Any = wrong
    *path, last = key.split(".")
    for part in path:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    assert says(wrong)
    with pytest.raises(ProtocolError):
        parse(toml(wrong))


def toml(data: dict[str, Any]) -> str:
    """`data` as TOML: values are written as JSON, which for these is the same."""

    def inline(value: Any) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{key} = {inline(one)}" for key, one in value.items()) + " }"
        if isinstance(value, list):
            return "[" + ", ".join(inline(one) for one in value) + "]"
        return json.dumps(value)

    return "\n".join(f"{key} = {inline(value)}" for key, value in data.items())


def test_the_schema_explains_every_key() -> None:
    for table in json_schema()["$defs"].values():
        for name, key in table["properties"].items():
            assert "description" in key or "$ref" in key or "items" in key, name

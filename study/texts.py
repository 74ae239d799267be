"""All text that a participant reads or hears outside the exercises, by language.

It is data, in `study/texts/<language>/*.toml`, so that it can be reviewed as a unit and translated whole.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from study.protocol import Contact

__all__ = ["crisis_message", "texts"]


@cache
def texts(language: str, part: str) -> dict[str, Any]:
    """The texts of one part (`screens`, `crisis`, `robot`) in `language`, as its file has them."""
    source = files("study").joinpath("texts", language, f"{part}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


def crisis_message(language: str, contacts: list[Contact]) -> str:
    """The fixed message that is said when a visit is stopped, with the study's own contacts in it."""
    said = texts(language, "crisis")
    people = " ".join(said["contact"].format(name=contact.name, reach=contact.reach) for contact in contacts)
    return f"{said['before']} {people} {said['after']}"

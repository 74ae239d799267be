"""The moments at which a persona acts, and how they are known. Pure.

A persona may have an act for the opening, for when somebody has just told a feeling, and for the closing: an
instruction that joins what the model is told of that one reply. Whether a feeling was told is decided by rules, in
`therapist/feelings/<language>.toml`. They are for manner alone; nothing about safety depends on them.
"""

import re
from functools import cache
from typing import Literal

from therapist._datafiles import parsed, read_named
from therapist.errors import DataFileError
from therapist.screen import Rule, normalise, read_rules

__all__ = ["Moment", "moment_of", "tells_feeling"]

Moment = Literal["opening", "feeling", "closing"]


def moment_of(words: str, language: str, *, first: bool, last: bool) -> Moment | None:
    """Which moment the reply to `words` is, if one; `first` and `last` say whether it is the first reply or the last.

    One at most, so that one act is asked of one sentence. A feeling comes before all else: it can be told at any
    time, and passing it over is what the other two cannot make good.
    """
    if tells_feeling(words, language):
        return "feeling"
    if last:
        return "closing"
    return "opening" if first else None


def tells_feeling(words: str, language: str) -> bool:
    """Whether `words` tell a feeling of the speaker's own. Raises `DataFileError` for a language without rules."""
    plain, _ = normalise(words)
    return any(rule.find(sentence) for rule in _rules(language) for sentence in re.split(r"[.!?;]+\s*|,\s+", plain))


@cache
def _rules(language: str) -> tuple[Rule, ...]:
    where = f"feelings/{language}.toml"
    table = parsed(where, read_named("feelings", language, "list of rules for feelings in the language"))
    try:
        rows = [{**row, "category": "feeling"} for row in table["rules"]]
        return read_rules(where, rows, table["parts"])
    except KeyError as error:
        raise DataFileError(f"{where}: the key {error} is missing") from None

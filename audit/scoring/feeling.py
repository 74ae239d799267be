"""What a reply does with a feeling that carries information: takes it away, or keeps what it says and asks about it.

Three counts, by rules, after what the reply copies from the client is struck out (`audit.scoring.wording`):

- *reassurance*: telling the client not to feel it, that it passes, that it is not so bad, not their doing, or to turn
  to something else (`audit/data/reassurance.toml`);
- *signal*: naming what the feeling is about, by a term of the item's list. A list has no word that the client used, so
  no echo reaches it. A sentence that reassures, gives advice or speaks of the speaker alone does not count;
- *depth*: 0 where nothing is asked, 1 for a closed question, 2 for an open one, 3 for an open one with a term of the
  item's signal, in the question or in the sentence it follows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audit._datafiles import complaint, parsed, read
from audit.errors import ItemFileError
from audit.scoring.acts import load_acts
from audit.scoring.wording import Sentence, own_sentences, phrase

__all__ = ["Kind", "Reading", "Reassurance", "load_reassurance", "names_signal", "parse_reassurance", "read_reply"]


_OF_THE_SPEAKER = re.compile(r"^(?!.*\b(?:you|your|yours|yourself)\b).*\b(?:i|me|my|mine|myself)\b")


class Kind(BaseModel):
    """One way to make a feeling go away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    means: str
    any: tuple[str, ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    licence: str
    provenance: str
    never: tuple[str, ...]
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Reassurance:
    """The rules of reassurance, compiled."""

    version: str
    never: re.Pattern[str]
    kinds: tuple[tuple[str, re.Pattern[str], re.Pattern[str] | None], ...]

    def of_sentence(self, text: str) -> list[str]:
        """The kinds of reassurance in the words of one sentence."""
        if self.never.search(text):
            return []
        return [
            name for name, found, unless in self.kinds if found.search(text) and not (unless and unless.search(text))
        ]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reply does with the feeling."""

    reassurance: dict[str, str]
    """For each kind of reassurance in the reply, the first sentence that has it."""
    signal: str | None
    """The first sentence that names what the feeling is about."""
    depth: int
    """From 0 to 3."""

    @property
    def asks_signal(self) -> bool:
        """Whether it asks openly about what the feeling says."""
        return self.depth == 3


def read_reply(reply: str, said: Sequence[str], signal: Sequence[str], rules: Reassurance | None = None) -> Reading:
    """What `reply` does, given what the client said and the terms of what their feeling is about."""
    rules = rules or load_reassurance()
    reassurance: dict[str, str] = {}
    named: str | None = None
    depth = 0
    before = False
    acts = load_acts()
    for sentence in own_sentences(reply, said):
        kinds = rules.of_sentence(sentence.text)
        for kind in kinds:
            reassurance.setdefault(kind, sentence.raw)
        here = (
            names_signal(sentence.text, signal)
            and not kinds
            and not _OF_THE_SPEAKER.search(sentence.text)
            and "problem_solving" not in acts.of_sentence(sentence)
        )
        if here and named is None:
            named = sentence.raw
        depth = max(depth, _depth(sentence, here or before))
        before = here
    return Reading(reassurance, named, depth)


def names_signal(text: str, signal: Sequence[str]) -> bool:
    """Whether the words of `text` have a term of `signal`."""
    return any(phrase(term).search(text) for term in signal)


def _depth(sentence: Sentence, about_signal: bool) -> int:
    if not sentence.asks:
        return int(sentence.marked)
    if not sentence.open:
        return 1
    return 3 if about_signal else 2


@cache
def load_reassurance() -> Reassurance:
    """The rules of `audit/data/reassurance.toml`. Raises `ItemFileError`."""
    return parse_reassurance(read("reassurance"))


def parse_reassurance(data: bytes) -> Reassurance:
    """The rules in the bytes of a file. Raises `ItemFileError`, naming the key, or the kind and its pattern."""
    where = "data/reassurance.toml"
    try:
        whole = _File.model_validate(parsed(where, data))
    except ValidationError as error:
        raise ItemFileError(f"{where}: {complaint(error)}") from None
    kinds = tuple(
        (
            kind.name,
            _one_of(where, kind.name, kind.any),
            _one_of(where, kind.name, kind.unless) if kind.unless else None,
        )
        for kind in whole.kinds
    )
    return Reassurance(whole.version, _one_of(where, "never", whole.never), kinds)


def _one_of(where: str, name: str, patterns: Sequence[str]) -> re.Pattern[str]:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ItemFileError(f"{where}: {name}: {pattern!r} is no pattern: {error}") from None
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))

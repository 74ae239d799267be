"""What a therapist does in a reply: the thirteen behaviours of BOLT (arXiv 2401.00820), coded by rules.

The rules are data (`audit/data/acts.toml`); nothing is drawn at random and no model is asked. A reply is coded given
what the client said: the client's own words, said back, are struck out first (`audit.scoring.wording`), so that an
echo has no code. A reply has every code that one of its sentences has; a sentence may have several.

    coded = code("That must be lonely. Have you tried a club?", ["Nobody calls any more."])
    coded.has("emotions"), coded.has("problem_solving")   # True, True
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audit._datafiles import complaint, parsed, read
from audit.errors import ItemFileError
from audit.scoring.wording import Sentence, own_sentences

__all__ = ["Act", "Acts", "ClientKind", "Coded", "Rule", "code", "load_acts", "parse_acts"]

Family = Literal["reflection", "question", "solution", "normalizing", "teaching"]


class Rule(BaseModel):
    """One way in which a sentence can have a code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal["statement", "question", "any"]
    all: tuple[str, ...] = Field(min_length=1)
    """Patterns that all have to be found in the sentence's words."""
    unless: tuple[str, ...] = ()
    """Patterns of which none may be found; `@name` stands for having that code."""


class Act(BaseModel):
    """One code of a therapist's behaviour."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    family: Family
    means: str
    bolt: tuple[str, ...]
    """What BOLT calls it, in its prompts and in its annotated utterances."""
    rules: tuple[Rule, ...] = Field(min_length=1)


class ClientKind(BaseModel):
    """One code of a client's turn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    bolt: tuple[str, ...]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    licence: str
    provenance: str
    lists: dict[str, tuple[str, ...]]
    acts: tuple[Act, ...]
    client: tuple[ClientKind, ...]


@dataclass(frozen=True)
class _Ready:
    """A rule whose patterns are compiled; `codes` are the names after `@`."""

    form: str
    all: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Acts:
    """The codes and their rules."""

    version: str
    acts: tuple[Act, ...]
    client: tuple[ClientKind, ...]
    ready: dict[str, tuple[_Ready, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The therapist's codes, in the file's order."""
        return tuple(act.name for act in self.acts)

    def family(self, *which: Family) -> tuple[str, ...]:
        """The names of the codes of these families."""
        return tuple(act.name for act in self.acts if act.family in which)

    def of_sentence(self, sentence: Sentence) -> list[str]:
        """The codes of one sentence, in the file's order."""
        found: dict[str, bool] = {}
        return [name for name in self.names if self._has(name, sentence, found)]

    def _has(self, name: str, sentence: Sentence, found: dict[str, bool]) -> bool:
        if name not in found:
            found[name] = any(self._fits(rule, sentence, found) for rule in self.ready[name])
        return found[name]

    def _fits(self, rule: _Ready, sentence: Sentence, found: dict[str, bool]) -> bool:
        if rule.form != "any" and (rule.form == "question") != sentence.asks:
            return False
        return (
            all(pattern.search(sentence.text) for pattern in rule.all)
            and not any(pattern.search(sentence.text) for pattern in rule.unless)
            and not any(self._has(name, sentence, found) for name in rule.codes)
        )


@dataclass(frozen=True, slots=True)
class Coded:
    """A reply with its codes."""

    names: tuple[str, ...]
    """All codes there are."""
    found: dict[str, str]
    """For each code the reply has, the first sentence that has it."""
    asks: bool
    """Whether any sentence asks something."""

    def has(self, *names: str) -> bool:
        """Whether the reply has one of these codes."""
        return any(name in self.found for name in names)

    def values(self) -> dict[str, float]:
        """0 or 1 for each code."""
        return {name: float(name in self.found) for name in self.names}


def code(reply: str, said: Sequence[str] = (), acts: Acts | None = None) -> Coded:
    """The codes of `reply`, given what the client said before it (all of the client's turns)."""
    acts = acts or load_acts()
    found: dict[str, str] = {}
    asks = False
    for sentence in own_sentences(reply, said):
        asks = asks or sentence.asks
        for name in acts.of_sentence(sentence):
            found.setdefault(name, sentence.raw)
    return Coded(acts.names, found, asks)


@cache
def load_acts() -> Acts:
    """The codes of `audit/data/acts.toml`. Raises `ItemFileError`."""
    return parse_acts(read("acts"))


def parse_acts(data: bytes) -> Acts:
    """The codes in the bytes of a file. Raises `ItemFileError`, naming the key, or the code and its pattern."""
    try:
        whole = _File.model_validate(parsed("data/acts.toml", data))
    except ValidationError as error:
        raise ItemFileError(f"data/acts.toml: {complaint(error)}") from None
    lists = {name: _either(words) for name, words in whole.lists.items()}
    names = [act.name for act in whole.acts]
    if len(set(names)) != len(names):
        raise ItemFileError("data/acts.toml: two acts have the same name")
    ready = {act.name: tuple(_ready(act.name, rule, lists, names) for rule in act.rules) for act in whole.acts}
    return Acts(whole.version, whole.acts, whole.client, ready)


def _ready(act: str, rule: Rule, lists: dict[str, str], names: Sequence[str]) -> _Ready:
    codes = tuple(one[1:] for one in rule.unless if one.startswith("@"))
    for name in codes:
        if name not in names or name == act:
            raise ItemFileError(f"data/acts.toml: {act}: there is no other act {name!r}")
    unless = (one for one in rule.unless if not one.startswith("@"))
    return _Ready(
        rule.form,
        tuple(_pattern(act, one, lists) for one in rule.all),
        tuple(_pattern(act, one, lists) for one in unless),
        codes,
    )


def _pattern(act: str, text: str, lists: dict[str, str]) -> re.Pattern[str]:
    def words(found: re.Match[str]) -> str:
        if found[1] not in lists:
            raise ItemFileError(f"data/acts.toml: {act}: there is no list {found[1]!r}")
        return lists[found[1]]

    try:
        return re.compile(re.sub(r"\{([a-z_]+)\}", words, text))
    except re.error as error:
        raise ItemFileError(f"data/acts.toml: {act}: {text!r} is no pattern: {error}") from None


def _either(words: Sequence[str]) -> str:
    """A pattern for any of the words (each may be a pattern itself), the longest first, each as a whole."""
    return rf"(?:(?:{'|'.join(sorted(words, key=len, reverse=True))})(?![a-z]))"

"""The script of the engine `eliza`: keywords, the patterns that take a clause apart, the rules that put one together.

The script is data, `eliza_doctor.toml`; this module reads it and refuses one that is not whole.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from therapist.engine import Form
from therapist.errors import DataFileError

__all__ = ["NEWKEY", "REFERENCE", "Keyword", "Rule", "Script", "load_script", "parse_script", "references"]

FORMS: tuple[Form, Form] = ("statement", "question")

NEWKEY = "newkey"
"""In place of a sentence: give up this keyword and go on with the next one of the clause."""

REFERENCE = re.compile(r"\((\d+)(\?)?\)")
"""`(2)` puts in the second part, `(2?)` also when it is empty."""

FILE = "engines/eliza_doctor.toml"


@dataclass(frozen=True, slots=True)
class Rule:
    """One decomposition with its reassemblies."""

    number: int
    """Of this rule in the script: the rotation of its reassemblies is counted under it."""
    match: tuple[str | frozenset[str], ...]
    """The elements in order: "0" is any words, a set is one word of it."""
    reassemblies: dict[Form, tuple[str, ...]]
    """For each form the sentences used in turn. `=word` goes on with that keyword's rules, `newkey` with the next
    keyword of the clause."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword with its rank, the higher of which is tried first, and its rules, tried in order."""

    word: str
    rank: int
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script."""

    keywords: dict[str, Keyword]
    """By every word under which a keyword is found."""
    before: dict[str, tuple[str, ...]]
    """Words replaced before anything else: dont, i'm."""
    turned: dict[str, str]
    """Words turned round in what is said back: my, your."""
    adverbs: frozenset[str]
    """Words that may stand between I and am or was."""
    loose_before: frozenset[str]
    """Words left out where what is said back would begin with them."""
    loose_after: frozenset[str]
    """The same for its end."""
    memory_word: str
    memory: tuple[Rule, ...]
    """Rules by which a clause with `memory_word` is remembered, used in turn."""
    none: Rule
    """For a clause without keyword when nothing is remembered."""
    sha256: str
    """Of the file."""

    def rules(self) -> Iterator[Rule]:
        """Every rule, once."""
        for keyword in {keyword.word: keyword for keyword in self.keywords.values()}.values():
            yield from keyword.rules
        yield from self.memory
        yield self.none


def references(sentence: str) -> list[tuple[str, str]]:
    """The parts a reassembly puts in: the number of each, and "?" where it may be empty."""
    return REFERENCE.findall(sentence)


@cache
def load_script() -> Script:
    """The script of the package. Raises `DataFileError` when its file is wrong."""
    return parse_script(files("therapist").joinpath(*FILE.split("/")).read_bytes())


def parse_script(data: bytes) -> Script:
    """A script from the bytes of its file. Raises `DataFileError`, naming the keyword in which something is wrong."""
    try:
        table = tomllib.loads(data.decode("utf-8"))
        reader = _Reader({name: frozenset(words) for name, words in table["groups"].items()})
        keywords: dict[str, Keyword] = {}
        for row in table["keyword"]:
            keyword = Keyword(row["word"], row["rank"], reader.rules(row["word"], row["rule"]))
            for word in [row["word"], *row.get("also", [])]:
                if word in keywords:
                    raise DataFileError(f"{FILE}: the word {word!r} stands in two keywords.")
                keywords[word] = keyword
        memory = table["memory"]
        script = Script(
            keywords=keywords,
            before={word: tuple(instead.split()) for word, instead in table["before"].items()},
            turned=table["turned"],
            adverbs=frozenset(table["adverbs"]),
            loose_before=frozenset(table["loose_before"]),
            loose_after=frozenset(table["loose_after"]),
            memory_word=memory["word"],
            memory=reader.rules("memory", memory["rule"]),
            none=reader.rules("none", [table["none"]])[0],
            sha256=hashlib.sha256(data).hexdigest(),
        )
    except KeyError as error:
        raise DataFileError(f"{FILE}: {error} is missing.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, AttributeError) as error:
        raise DataFileError(f"{FILE}: {error}") from None
    _check_links(script)
    return script


class _Reader:
    """Reads rules and numbers them."""

    def __init__(self, groups: dict[str, frozenset[str]]) -> None:
        self._groups = groups
        self._count = 0

    def rules(self, owner: str, rows: list[dict[str, Any]]) -> tuple[Rule, ...]:
        return tuple(self._rule(owner, row) for row in rows)

    def _rule(self, owner: str, row: dict[str, Any]) -> Rule:
        self._count += 1
        match = tuple(self._element(one) for one in row.get("match", "0").split())
        for form in FORMS:
            if not row[form]:
                raise DataFileError(f"{FILE}: {owner}: a rule has no {form}.")
            for sentence in row[form]:
                self._check_sentence(owner, sentence, form, len(match))
        return Rule(self._count, match, {form: tuple(row[form]) for form in FORMS})

    def _element(self, element: str) -> str | frozenset[str]:
        """`0`, or what may stand there: `feel|felt`, `@family`, or both."""
        if element == "0":
            return element
        words = [self._groups[one[1:]] if one.startswith("@") else {one} for one in element.split("|")]
        return frozenset[str]().union(*words)

    def _check_sentence(self, owner: str, sentence: str, form: Form, parts: int) -> None:
        if sentence.startswith("=") or sentence == NEWKEY:
            return
        plain = REFERENCE.sub("part", sentence)
        if plain[-1:] != ("?" if form == "question" else ".") or len(re.findall(r"[.?!]", plain)) != 1:
            raise DataFileError(f"{FILE}: {owner}: {sentence!r} is not one {form}.")
        if any(not 1 <= int(number) <= parts for number, _ in references(sentence)):
            raise DataFileError(f"{FILE}: {owner}: {sentence!r} names a part that its pattern has not.")


def _check_links(script: Script) -> None:
    for rule in script.rules():
        for sentences in rule.reassemblies.values():
            for sentence in sentences:
                if sentence.startswith("=") and sentence[1:] not in script.keywords:
                    raise DataFileError(f"{FILE}: {sentence} names no keyword.")
    for rule in (*script.memory, script.none):
        if any(one.startswith("=") or one == NEWKEY for ones in rule.reassemblies.values() for one in ones):
            raise DataFileError(f"{FILE}: memory and none have sentences only, no links.")
    if any(REFERENCE.search(one) for ones in script.none.reassemblies.values() for one in ones):
        raise DataFileError(f"{FILE}: none has no parts to put in.")

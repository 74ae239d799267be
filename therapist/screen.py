"""The safety screen: rules, not a model, decide that something may be a crisis.

The rules are in `therapist/safety/<language>.toml`. A participant's words are screened before the model sees them,
and the model's before anyone hears them. The rules lean towards finding: a stopped visit costs a day, a missed
crisis may cost a life. So "I have never thought of killing myself" is found too; a person, not a rule, decides then
that all is well. This screen takes no part of any diagnosis.
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from therapist._datafiles import parsed, read_named
from therapist.engine import Speaker
from therapist.errors import DataFileError
from therapist.transcript import SafetyHit

__all__ = ["Rule", "Screen", "Words", "normalise", "read_rules"]

_ALIKE = {
    "’": "'",
    "‘": "'",
    "`": "'",
    "´": "'",
    "“": '"',
    "”": '"',
    "–": "-",
    "—": "-",
}
"""Characters that people's keyboards put in place of the plain ones."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it finds `pattern`, unless `unless` is found around the same place."""

    id: str
    category: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None

    def find(self, text: str) -> tuple[int, int] | None:
        """Where the rule finds something in normalised text."""
        for match in self.pattern.finditer(text):
            excused = self.unless and any(
                other.start() <= match.start() < other.end() or match.start() <= other.start() < match.end()
                for other in self.unless.finditer(text)
            )
            if not excused:
                return match.span()
        return None


@dataclass(frozen=True, slots=True)
class Words:
    """What the rails know of a language: lists of its small words, in plain form."""

    function: frozenset[str]
    """Those that every text is full of and that say nothing about what it is about."""
    attributing: frozenset[str]
    """Those with which one says that something is somebody's thought and not a fact: thought, felt, said."""
    first_person: frozenset[str]
    negating: frozenset[str]
    turning: frozenset[str]
    """Those with which another clause begins, which a denial does not reach: but, because."""
    subjects: frozenset[str]
    """Subject pronouns for the participant, as they say them and as they are said back."""
    others: frozenset[str]
    """Subject pronouns for others."""
    leading: frozenset[str]
    """Words after which a subject stands."""
    joining: str
    """The word for "and"."""
    suffixes: tuple[str, ...]
    """The endings of words, those first that are to be taken off before others."""
    numbers: re.Pattern[str]
    """A number, in figures or in words, also as a speech recogniser writes it."""

    @classmethod
    def read(cls, table: dict[str, str]) -> "Words":
        """The lists in a table of a rule file. Raises `KeyError` when one is missing, and `re.error`."""
        lists = {name: frozenset(table[name].split()) for name in _LISTS}
        return cls(
            **lists,
            joining=table["joining"],
            suffixes=tuple(table["suffixes"].split()),
            numbers=re.compile(table["numbers"], re.VERBOSE),
        )


_LISTS = ("function", "attributing", "first_person", "negating", "turning", "subjects", "others", "leading")


@dataclass(frozen=True, slots=True)
class Screen:
    """The rules of one language."""

    rules: dict[Speaker, tuple[Rule, ...]]
    unkind: tuple[Rule, ...]
    """Not a crisis, but nothing a therapist says: the rails refuse a sentence in which one of these is found."""
    out_of_role: tuple[Rule, ...]
    """A model that forgets what it is here for: refused likewise."""
    words: Words
    sha256: str

    @classmethod
    def load(cls, language: str = "en") -> "Screen":
        """The screen for `language`. Raises `DataFileError` when there is none or its file is wrong."""
        return _load(language)

    def check(self, text: str, speaker: Speaker) -> SafetyHit | None:
        """What the rules find first in the words of `speaker`, or None. The span is of `text` as given."""
        plain, origins = normalise(text)
        for rule in self.rules[speaker]:
            found = rule.find(plain)
            if found is not None:
                start, end = found
                return SafetyHit(rule.category, rule.id, origins[start], origins[end - 1] + 1, speaker)
        return None

    def put_down(self, text: str) -> str | None:
        """The words, in plain form, with which a sentence of the therapist puts the participant down; or None."""
        plain, _ = normalise(text)
        for rule in self.unkind:
            if found := rule.find(plain):
                return plain[found[0] : found[1]]
        return None

    def is_out_of_role(self, text: str) -> bool:
        """Whether a sentence of the therapist is not one that a guide of an exercise says."""
        plain, _ = normalise(text)
        return any(rule.find(plain) for rule in self.out_of_role)


def normalise(text: str) -> tuple[str, list[int]]:
    """`text` as the rules read it, and for each of its characters the place it has in `text`.

    Compatibility forms, case, curly quotes and dashes become plain; invisible characters and accents go; runs of white
    space become one space. What people do to a word to hide or to stress it is undone: letters spelt one by one
    (`d i e`, `d.i.e`), digits for letters (`su1cide`), letters drawn out (`diiie`).
    """
    plain: list[str] = []
    origins: list[int] = []
    for place, original in enumerate(text):
        for character in _plain(original):
            if character != " " or not plain or plain[-1] != " ":
                plain.append(character)
                origins.append(place)
    read = _DISGUISED.sub(lambda match: _MEANT[match[0]], "".join(plain))
    for surplus in (_SPELT_OUT, _DRAWN_OUT):
        dropped = {place for match in surplus.finditer(read) for place in _surplus(match)}
        if dropped:
            read = "".join(character for place, character in enumerate(read) if place not in dropped)
            origins = [origin for place, origin in enumerate(origins) if place not in dropped]
    return read, origins


@lru_cache(4096)
def _plain(original: str) -> tuple[str, ...]:
    """What a character of a text becomes. Each is worked out once: every sentence is read several times."""
    characters = unicodedata.normalize("NFKD", _ALIKE.get(original, original)).casefold()
    kept = (character for character in characters if unicodedata.category(character) not in ("Cf", "Mn"))
    return tuple(" " if character.isspace() else _ALIKE.get(character, character) for character in kept)


_MEANT = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "@": "a", "$": "s", "!": "i"}
_DISGUISED = re.compile(r"(?<=[a-z])[01345@$!](?=[a-z])")
_SPELT_OUT = re.compile(r"(?<![^\W_])(?:[^\W\d_](?P<between>[ .*_-])){2,}[^\W\d_](?![^\W_])")
_DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}")


def _surplus(match: re.Match[str]) -> list[int]:
    """The places of what stands between letters spelt out; of a letter drawn out all but one, or of a consonant two."""
    start, end = match.span()
    if "between" in match.groupdict():
        return list(range(start + 1, end, 2))
    return list(range(start + (1 if match[1] in "aeiou" else 2), end))


@cache
def _load(language: str) -> Screen:
    data = read_named("safety", language, "safety screen for the language")
    where = f"safety/{language}.toml"
    table = parsed(where, data)
    try:
        parts = table["parts"]
        return Screen(
            {speaker: read_rules(where, table[speaker], parts) for speaker in ("participant", "therapist")},
            read_rules(where, table["unkind"], parts),
            read_rules(where, table["out_of_role"], parts),
            Words.read(table["words"]),
            hashlib.sha256(data).hexdigest(),
        )
    except KeyError as error:
        raise DataFileError(f"{where}: the key {error} is missing") from None
    except re.error as error:
        raise DataFileError(f"{where}: words.numbers: not a regular expression: {error}") from None


def read_rules(where: str, rows: list[dict[str, str]], parts: dict[str, str]) -> tuple[Rule, ...]:
    """The rules in the rows of a file, with its parts put in. Raises `DataFileError`, naming the file and the rule."""
    rules = []
    for row in rows:
        try:
            pattern, unless = (_compiled(row[key], parts) if key in row else None for key in ("pattern", "unless"))
        except re.error as error:
            raise DataFileError(f"{where}: {row['id']}: not a regular expression: {error}") from None
        except KeyError as error:
            raise DataFileError(
                f"{where}: {row['id']}: there is no part {error}; allowed: {', '.join(parts)}"
            ) from None
        if pattern is None:
            raise DataFileError(f"{where}: {row['id']}: the key 'pattern' is missing")
        rules.append(Rule(row["id"], row["category"], pattern, unless))
    return tuple(rules)


_PART = re.compile(r"\{([a-z_]+)\}")


def _compiled(pattern: str, parts: dict[str, str]) -> re.Pattern[str]:
    """The expression with its parts put in. Parts may be made of parts; raises `KeyError` for one that is not there."""
    while _PART.search(pattern):
        pattern = _PART.sub(lambda match: f"(?:{parts[match[1]]})", pattern)
    return re.compile(pattern, re.VERBOSE)

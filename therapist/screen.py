"""The safety screen: rules, not a model, decide that something may be a crisis.

The rules are in `therapist/safety/<language>.toml`. A participant's words are screened before the model sees them,
and the model's before anyone hears them. The rules lean towards finding: a stopped visit costs a day, a missed
crisis may cost a life. So "I have never thought of killing myself" is found too; a person, not a rule, decides then
that all is well. This screen takes no part of any diagnosis.
"""

import hashlib
import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from therapist.engine import Speaker
from therapist.errors import DataFileError
from therapist.transcript import SafetyHit

__all__ = ["Rule", "Screen", "normalise"]

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
class Screen:
    """The rules of one language."""

    rules: dict[Speaker, tuple[Rule, ...]]
    unkind: tuple[Rule, ...]
    """Not a crisis, but nothing a therapist says: the rails refuse a sentence in which one of these is found."""
    out_of_role: tuple[Rule, ...]
    """A model that forgets what it is here for: refused likewise."""
    function_words: frozenset[str]
    """The words that every text of this language is full of."""
    attributing: frozenset[str]
    """The words with which one says that something is another's thought: thought, felt, seems."""
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

    Compatibility forms, case, curly quotes and dashes become plain; invisible characters go; runs of white space
    become one space; a letter repeated more than twice is written twice.
    """
    plain: list[str] = []
    origins: list[int] = []
    for place, original in enumerate(text):
        for character in unicodedata.normalize("NFKC", _ALIKE.get(original, original)).casefold():
            if unicodedata.category(character) in ("Cf", "Mn"):
                continue
            if character.isspace():
                character = " "
                if plain and plain[-1] == " ":
                    continue
            if character.isalpha() and plain[-2:] == [character, character]:
                continue
            plain.append(_ALIKE.get(character, character))
            origins.append(place)
    return "".join(plain), origins


@cache
def _load(language: str) -> Screen:
    source = files("therapist").joinpath("safety", f"{language}.toml")
    try:
        data = source.read_bytes()
        table = tomllib.loads(data.decode("utf-8"))
        return Screen(
            {"participant": _rules(table["participant"]), "therapist": _rules(table["therapist"])},
            _rules(table["unkind"]),
            _rules(table["out_of_role"]),
            frozenset(table["words"]["function"].split()),
            frozenset(table["words"]["attributing"].split()),
            hashlib.sha256(data).hexdigest(),
        )
    except FileNotFoundError:
        raise DataFileError(f"There is no safety screen for the language {language!r}.") from None
    except (tomllib.TOMLDecodeError, KeyError, re.error) as error:
        raise DataFileError(f"safety/{language}.toml: {error}") from None


def _rules(rows: list[dict[str, str]]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            row["id"],
            row["category"],
            re.compile(row["pattern"], re.VERBOSE),
            re.compile(row["unless"], re.VERBOSE) if "unless" in row else None,
        )
        for row in rows
    )

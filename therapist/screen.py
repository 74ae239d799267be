"""The safety screen: rules, not a model, decide that something may be a crisis.

The rules are in `therapist/safety/<language>.toml`. A participant's words are screened before the model sees them,
and the model's before anyone hears them. The rules lean towards finding: a stopped visit costs a day, a missed
crisis may cost a life. So "I have never thought of killing myself" is found too; a person, not a rule, decides then
that all is well. This screen takes no part of any diagnosis.

In distress people fall back into their own language. So a participant's words are held against the crisis rules of
every language, those of the study's language first; the model's words against those of its own language alone.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from therapist._datafiles import names_in, parsed, read_named
from therapist._reading import Mending, Reading, normalise
from therapist._signs import Combination, Sign, Span, overlap
from therapist.engine import Speaker
from therapist.errors import DataFileError
from therapist.transcript import SafetyHit

__all__ = ["Rule", "Screen", "Words", "normalise", "read_rules"]

_NEAR = 40
"""How many characters lie at most between what a rule for the second reading finds and what excuses it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it finds `pattern`, unless `unless` is found around the same place."""

    id: str
    category: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None
    mended: bool = False
    """Whether it is written for the second reading alone."""

    def find(self, text: str) -> Span | None:
        """Where the rule finds something in normalised text."""
        excuses: list[Span] | None = None
        for match in self.pattern.finditer(text):
            found = match.span()
            if self.unless and excuses is None:
                excuses = [other.span() for other in self.unless.finditer(text)]
            if not any(self._excuses(text, found, other) for other in excuses or ()):
                return found
        return None

    def _excuses(self, text: str, found: Span, other: Span) -> bool:
        """Whether `other` overlaps what was found or, in the second reading, is near it in the same sentence."""
        if overlap(found, other):
            return True
        (start, end), (first, last) = found, other
        between = text[end:first] if first >= end else text[last:start]
        return self.mended and len(between) <= _NEAR and not any(mark in between for mark in ".?!")


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
class Crises:
    """What finds a crisis in a participant's words in one language."""

    language: str
    rules: tuple[Rule, ...]
    signs: tuple[Sign, ...]
    combinations: tuple[Combination, ...]
    mending: Mending
    elsewhere: re.Pattern[str] | None
    """What must be found too where the text is one of a study in another language, as it shows that it is not."""

    def find(self, reading: Reading) -> tuple[str, str, int, int] | None:
        """Category, rule and place in the text of what is found first, as the text stands or mended; or None.

        A rule goes before a combination of signs, whose name ends with the signs: `suicide.leaving(farewell+last)`.
        """
        plain, origins = reading
        for rule in self.rules:
            if not rule.mended and (span := rule.find(plain)):
                return rule.category, rule.id, origins[span[0]], origins[span[1] - 1] + 1
        mended, origins = self.mending.mend(reading)
        for rule in self.rules:
            if (rule.mended or mended != plain) and (span := rule.find(mended)):
                return rule.category, rule.id, origins[span[0]], origins[span[1] - 1] + 1
        places = {sign.id: spans for sign in self.signs if (spans := sign.spans(mended))}
        for combination in self.combinations if places else ():
            if found := combination.find(places):
                start, end = found.span
                return found.category, f"{found.id}({'+'.join(found.signs)})", origins[start], origins[end - 1] + 1
        return None


@dataclass(frozen=True, slots=True)
class Screen:
    """The rules of one language, and those by which a crisis is found in the words of any other."""

    language: str
    crises: tuple[Crises, ...]
    """For what a participant says: of the screen's language first, then of the others in alphabetical order."""
    harmful: tuple[Rule, ...]
    """For what the model writes."""
    unkind: tuple[Rule, ...]
    """Not a crisis, but nothing a therapist says: the rails refuse a sentence in which one of these is found."""
    out_of_role: tuple[Rule, ...]
    """A model that forgets what it is here for: refused likewise."""
    words: Words
    sha256: str
    """Of the files of all languages, the screen's own first."""

    @classmethod
    def load(cls, language: str = "en") -> "Screen":
        """The screen for `language`. Raises `DataFileError` when there is none or its file is wrong."""
        return _load(language)

    def check(self, text: str, speaker: Speaker) -> SafetyHit | None:
        """What the rules find first in the words of `speaker`, or None. The span is of `text` as given.

        The name of a rule of another language has that language before it: `de:suicide.named`.
        """
        plain, origins = reading = normalise(text)
        if speaker == "therapist":
            for rule in self.harmful:
                if span := rule.find(plain):
                    return SafetyHit(rule.category, rule.id, origins[span[0]], origins[span[1] - 1] + 1, speaker)
            return None
        for crises in self.crises:
            away = crises.language != self.language
            if away and crises.elsewhere and not crises.elsewhere.search(plain):
                continue
            if found := crises.find(reading):
                category, name, start, end = found
                return SafetyHit(category, f"{crises.language}:{name}" if away else name, start, end, speaker)
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


@cache
def _load(language: str) -> Screen:
    where, data, table = _table(language)
    try:
        parts = table["parts"]
        own = _crises(language)
        others = [other for other in names_in("safety") if other != language]
        return Screen(
            language,
            (own, *(_crises(other) for other in others)),
            read_rules(where, table["therapist"], parts),
            read_rules(where, table["unkind"], parts),
            read_rules(where, table["out_of_role"], parts),
            Words.read(table["words"]),
            hashlib.sha256(b"".join([data, *(_table(other)[1] for other in others)])).hexdigest(),
        )
    except KeyError as error:
        raise DataFileError(f"{where}: the key {error} is missing") from None
    except re.error as error:
        raise DataFileError(f"{where}: words.numbers: not a regular expression: {error}") from None


@cache
def _table(language: str) -> tuple[str, bytes, dict[str, Any]]:
    """The name of a language's file, its bytes and what is in it."""
    data = read_named("safety", language, "safety screen for the language")
    where = f"safety/{language}.toml"
    return where, data, parsed(where, data)


@cache
def _crises(language: str) -> Crises:
    where, _, table = _table(language)
    try:
        parts = table["parts"]
        signs = tuple(
            Sign(rule.id, rule.pattern, rule.unless)
            for rule in read_rules(where, [{"category": "", **row} for row in table["signs"]], parts, at_words=True)
        )
        combinations = tuple(
            Combination(row["id"], row["category"], row["signs"], row["threshold"], row["within"])
            for row in table["combinations"]
        )
        for combination in combinations:
            if unknown := sorted(set(combination.weights) - {sign.id for sign in signs}):
                raise DataFileError(f"{where}: {combination.id}: there is no sign {', '.join(unknown)}")
        rules = read_rules(where, table["participant"], parts, at_words=True)
        elsewhere = _compiled(table["elsewhere"], parts) if "elsewhere" in table else None
        return Crises(language, rules, signs, combinations, Mending.read(table["mending"]), elsewhere)
    except re.error as error:
        raise DataFileError(f"{where}: mending.idle or elsewhere: not a regular expression: {error}") from None
    except KeyError as error:
        raise DataFileError(f"{where}: the key {error} is missing") from None


def read_rules(
    where: str, rows: list[dict[str, Any]], parts: dict[str, str], at_words: bool = False
) -> tuple[Rule, ...]:
    """The rules in the rows of a file, with its parts put in; if `at_words`, found where a word begins alone.

    Raises `DataFileError`, naming the file and the rule.
    """
    rules = []
    for row in rows:
        try:
            pattern, unless = (
                _compiled(row[key], parts, at_words) if key in row else None for key in ("pattern", "unless")
            )
        except re.error as error:
            raise DataFileError(f"{where}: {row['id']}: not a regular expression: {error}") from None
        except KeyError as error:
            raise DataFileError(
                f"{where}: {row['id']}: there is no part or key {error}; allowed: {', '.join(parts)}"
            ) from None
        if pattern is None:
            raise DataFileError(f"{where}: {row['id']}: the key 'pattern' is missing")
        rules.append(Rule(row["id"], row["category"], pattern, unless, row.get("mended", False)))
    return tuple(rules)


_SPELLINGS = str.maketrans({"ä": "(?:ae?)", "ö": "(?:oe?)", "ü": "(?:ue?)", "ß": "ss"})
"""A text as it is read has no umlauts; people write ä as ae, too. So in an expression it stands for both."""
_PART = re.compile(r"\{([a-z_]+)\}")
_KEPT_OR_GROUP = re.compile(r"(\\.|\[(?:\\.|[^\]\\])*\])|\((?!\?)")


def _compiled(pattern: str, parts: dict[str, str], at_words: bool = False) -> re.Pattern[str]:
    """The expression with its parts put in. Parts may be made of parts; raises `KeyError` for one that is not there.

    No group is kept and, if `at_words`, it is looked for at the beginnings of words alone: that makes it much faster.
    """
    while _PART.search(pattern):
        pattern = _PART.sub(lambda match: f"(?:{parts[match[1]]})", pattern)
    pattern = pattern.translate(_SPELLINGS)
    pattern = _KEPT_OR_GROUP.sub(lambda match: match[1] or "(?:", pattern)
    start = r"(?<!\w)(?=\w)" if at_words else ""
    return re.compile(f"{start}(?:{pattern}\n)", re.VERBOSE)

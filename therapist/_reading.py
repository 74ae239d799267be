"""How the safety screen reads a text: in plain form, and once more with what speech and haste did to it undone.

Whoever types in distress misspells, and a speech recogniser writes down each "um" and each word said twice. A rule
is written for the words that are meant. So a text has two readings, and a rule may find something in either of them:
what is mended adds to what is found and never takes from it.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ["Mending", "Reading", "normalise"]

Reading = tuple[str, list[int]]
"""A text as it is read, and for each of its characters the place in the text as given."""

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


def normalise(text: str) -> Reading:
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
_SPELT_OUT = re.compile(r"(?<![^\W_])[^\W\d_](?P<between>[ .*_-])(?:[^\W\d_](?P=between))+[^\W\d_](?![^\W_])")
_DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}")


def _surplus(match: re.Match[str]) -> list[int]:
    """The places of what stands between letters spelt out; of a letter drawn out all but one, or of a consonant two."""
    start, end = match.span()
    if "between" in match.groupdict():
        return list(range(start + 1, end, 2))
    return list(range(start + (1 if match[1] in "aeiou" else 2), end))


@dataclass(frozen=True, slots=True)
class Mending:
    """How a language's second reading is made.

    Short forms are written out ("dont", "gonna"), misspelt words become those that are watched for, and words that
    say nothing go ("just", "um"), with what is said twice at once. A word counts as misspelt when it is no known one
    and one letter too many, too few, wrong or out of place makes it a watched one; a star may stand for any letter.
    """

    written_out: dict[str, str]
    """What a short form stands for."""
    known: frozenset[str]
    """Words that are right, though they are nearly watched ones."""
    watched: frozenset[str]
    nearly: dict[str, str]
    """Each watched word by itself without one of its letters."""
    idle: re.Pattern[str]
    """Words that say nothing, each with the space behind it."""

    @classmethod
    def read(cls, table: dict[str, Any]) -> "Mending":
        """What stands in the table `mending` of a rule file. Raises `KeyError` for a missing key, and `re.error`."""
        watched = table["watched"].split()
        nearly: dict[str, str] = {}
        for word in watched:
            for short in _shortened(word):
                nearly.setdefault(short, word)
        return cls(
            table["written_out"],
            frozenset(table["known"].split()),
            frozenset(watched),
            nearly,
            re.compile(rf"(?<![\w'])(?:{table['idle']})(?![\w'])[ ,]*", re.VERBOSE),
        )

    def mend(self, reading: Reading) -> Reading:
        """The second reading."""
        plain, origins = reading
        text: list[str] = []
        places: list[int] = []
        for piece in _WORD.finditer(plain):
            word = self._meant(piece[0]) if piece["word"] else piece[0]
            text.append(word)
            places += [origins[min(piece.start() + offset, piece.end() - 1)] for offset in range(len(word))]
        return _without(_SAID_AGAIN, _without(self.idle, ("".join(text), places)))

    def _meant(self, word: str) -> str:
        if found := self.written_out.get(word):
            return found
        if word in self.watched or word in self.known or len(word) < 3:
            return word
        return self._corrected(word)

    def _corrected(self, word: str) -> str:
        if found := self.nearly.get(word):
            return found
        for short in _shortened(word):
            if short in self.watched and len(short) > 3:
                return short
            other = self.nearly.get(short)
            if other and len(other) == len(word) and ("*" in word or len(word) > 4 or _swapped(word, other)):
                return other
        return word


_WORD = re.compile(r"(?P<word>[^\W\d_][\w'*]*)|[^\w'*]+|.", re.DOTALL)
_SAID_AGAIN = re.compile(r"(?<![\w'])([\w']+(?: [\w']+){0,3})[ ,]+(?=\1(?![\w']))")


def _without(surplus: re.Pattern[str], reading: Reading) -> Reading:
    """The reading without what `surplus` finds in it."""
    text, places = reading
    kept: list[str] = []
    kept_places: list[int] = []
    end = 0
    for match in surplus.finditer(text):
        kept.append(text[end : match.start()])
        kept_places += places[end : match.start()]
        end = match.end()
    return "".join([*kept, text[end:]]), kept_places + places[end:]


def _shortened(word: str) -> list[str]:
    """The word without each of its letters in turn but the first, which is seldom a wrong one."""
    return [word[:place] + word[place + 1 :] for place in range(1, len(word))]


def _swapped(word: str, other: str) -> bool:
    """Whether the words differ by two neighbouring letters in the wrong order."""
    unlike = [place for place, pair in enumerate(zip(word, other, strict=True)) if pair[0] != pair[1]]
    return len(unlike) == 2 and unlike[1] == unlike[0] + 1 and word[unlike[0]] == other[unlike[1]]

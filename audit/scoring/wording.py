"""What rules need of a text: its sentences in plain words, which of them ask, and what is only copied from the client.

Words are lower case, without punctuation, contractions written out ("you're" is "you are"). A run of at least `RUN`
words that stands in the client's turn in the same order, with "I" and "you" exchanged or not, is a copy: it is struck
out before anything is counted, so that a reply which says the client's sentence back has said nothing.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["RUN", "STRUCK", "Sentence", "copies", "own_sentences", "phrase", "runs_of", "sentences", "words"]

RUN = 4
"""So many words in a row are a copy."""

STRUCK = "~"
"""Stands where copied words stood."""

_CONTRACTIONS = (
    (r"\bcan't\b", "can not"),
    (r"\bcannot\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"\bshan't\b", "shall not"),
    (r"n't\b", " not"),
    (r"\bi'm\b", "i am"),
    (r"\blet's\b", "let us"),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
    (r"'d\b", " would"),
    (r"\b(it|that|what|there|here|how|who|where|he|she|this|something|everything|nothing)'s\b", r"\1 is"),
)
_PERSONS = {
    **dict.fromkeys(("i", "me", "you", "we", "us"), "*i"),
    **dict.fromkeys(("my", "your", "our", "mine", "yours", "ours"), "*my"),
    **dict.fromkeys(("myself", "yourself", "ourselves", "yourselves"), "*self"),
    **dict.fromkeys(("am", "are", "is"), "*be"),
    **dict.fromkeys(("was", "were"), "*was"),
}
_ENDS = re.compile(r"(?<=[.!?…])[\"')\]]*\s+")
_BULLET = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.)])\s+")
_AUXILIARY = r"(?:is|are|was|were|do|does|did|have|has|had|can|could|would|will|should|shall|might|may|am)"
_OPENER = r"(?:(?:so|and|but|or|well|then|okay|ok|now|also|i see|oh|hm+|yes|no|right|sure) )*"
_WH = r"(?:what|how|why|which|who|whom|whose|where)"
_INVERTED = re.compile(
    rf"\b{_WH}(?: [a-z]+){{0,3}}? {_AUXILIARY}\b|\bwhen {_AUXILIARY}\b|^{_OPENER}{_AUXILIARY} (?!not\b)[a-z]+ \w+"
    rf"|\b{_AUXILIARY} (?:you|it|he|she|they|there|that|this|we|i)\b"
)
_ASKS_UNMARKED = re.compile(
    rf"^{_OPENER}(?:{_WH}(?: else)? {_AUXILIARY} |(?:do|does|did|are|is|was|were|have|has|can|could|would|will) you )"
)
_BEGINS_WITH_WH = re.compile(rf"^{_OPENER}{_WH} (?!a |an )[a-z]")
_HAS_SUBJECT = re.compile(rf"^{_OPENER}(?:i|you|he|she|it|we|they|that|this|there)\b")
_WHAT_ABOUT = re.compile(
    rf"^{_OPENER}(?:what about|how about|what if|how come|why not|what else|in what way|since when)\b"
)
_REQUEST = re.compile(
    r"\b(?:tell me (?:more|about|a (?:little|bit)|what|how|why|where|who)|(?:say|talk) (?:more|a (?:little|bit) more)"
    r"|i (?:would like|would love|want|am curious) to (?:hear|know|understand)|help me understand|walk me through"
    r"|describe (?:it|that|what|how|to me)|share (?:more|a (?:little|bit) more)"
    r"|i (?:wonder|am wondering|am curious) (?:what|how|why|where|who|about|whether|if))\b|^(?:please )?go on$"
)
_INVITES = re.compile(
    r"\b(?:(?:can|could|would|will) (?:you|we)|do you want to|would you like to|are you (?:willing|able|ready) to)"
    r" (?:like to |want to |be willing to |be able to |please |perhaps |maybe )*"
    r"(?:tell|say|talk|share|describe|explain|walk|speak|help me)\b"
)
_CLOSED_WH = re.compile(
    r"\b(?:how (?:many|much|long|old|often|far|soon)|what (?:time|day|age|date)|how about|what about if)\b"
)
_OPEN_WH = re.compile(r"\b(?:what|how|why|which|who|when do you|where do you (?:feel|notice))\b")
_NO_QUESTION_WORD = re.compile(
    r"\b(?:tell|told|know|knew|sure|say|said|see|remember|understand|forget|that is|about|from|of|with|is)"
    r" (?:what|how|why|who|where)\b|\bno matter (?:what|how)\b"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a reply."""

    raw: str
    text: str
    """Its words, one space between; `STRUCK` where words of the client's were."""
    asks: bool
    """It asks or invites: a question in form, or a request to tell more. A statement with a question mark behind it
    ("You are tired?") does not."""
    marked: bool
    """It ends with a question mark."""
    open: bool
    """It asks what cannot be answered by yes, no, a number, a time or a place."""


def words(text: str) -> str:
    """`text` in lower case, contractions written out, punctuation gone, one space between words."""
    plain = text.lower().replace("’", "'").replace("‘", "'")
    for pattern, instead in _CONTRACTIONS:
        plain = re.sub(pattern, instead, plain)
    return " ".join(re.findall(r"[a-z0-9äöüßéèñ]+", plain.replace("'s ", "s ").replace("'", "")))


def sentences(text: str) -> list[Sentence]:
    """The sentences of `text`, in turn."""
    return own_sentences(text, ())


def own_sentences(reply: str, said: Iterable[str]) -> list[Sentence]:
    """The sentences of `reply` with what it copies from `said`, the client's turns, struck out.

    A sentence that is a copy from end to end is left out, unless it is a question.
    """
    runs = {run for turn in said for run in runs_of([_same(word) for word in words(turn).split()])}
    found = []
    for raw in _split(reply):
        whole = words(raw)
        if not re.search("[a-zäöü]", whole):
            continue  # the number of a point in a list
        text = " ".join(_without(whole.split(), runs))
        marked = raw.rstrip("\"')*_ ").endswith("?")
        asks, is_open = _question(whole, marked)
        if text.strip(f"{STRUCK} ") or asks:
            found.append(Sentence(raw, text, asks, marked, is_open))
    return found


@lru_cache(maxsize=8192)
def phrase(term: str) -> re.Pattern[str]:
    """The pattern of a term of a list: words as in `words`, a star for any ending."""
    inner = re.escape(term.lower()).replace(r"\ ", " ").replace(r"\*", "[a-z]*").replace(r"\-", " ")
    return re.compile(rf"(?<![a-z~]){inner}(?![a-z])")


def _split(text: str) -> list[str]:
    lines = [_BULLET.sub("", line) for line in text.splitlines()]
    return [part.strip() for line in lines for part in _ENDS.split(line) if part and part.strip()]


def _question(text: str, marked: bool) -> tuple[bool, bool]:
    """Whether the words ask, and whether openly."""
    if _REQUEST.search(text) or (marked and _INVITES.search(text)):
        return True, True
    asks = bool(_ASKS_UNMARKED.match(text)) or (marked and bool(_INVERTED.search(text) or _WHAT_ABOUT.match(text)))
    if marked and not asks:  # "What happens on those days?", "Such as?"
        asks = bool(_BEGINS_WITH_WH.match(text)) or (len(text.split()) <= 4 and not _HAS_SUBJECT.match(text))
    if not asks or _CLOSED_WH.search(text):
        return asks, False
    return True, bool(_OPEN_WH.search(_NO_QUESTION_WORD.sub(" ", text)))


def _same(word: str) -> str:
    return _PERSONS.get(word, word)


def runs_of(said: Sequence[str]) -> set[tuple[str, ...]]:
    """All runs of `RUN` words in `said`."""
    return {tuple(said[start : start + RUN]) for start in range(len(said) - RUN + 1)}


def copies(text: Sequence[str], runs: set[tuple[str, ...]]) -> list[int]:
    """Where in `text`, a word after the other, one of `runs` begins."""
    return [start for start in range(len(text) - RUN + 1) if tuple(text[start : start + RUN]) in runs]


def _without(text: Sequence[str], runs: set[tuple[str, ...]]) -> list[str]:
    copied = [False] * len(text)
    for start in copies([_same(word) for word in text], runs):
        copied[start : start + RUN] = [True] * RUN
    kept: list[str] = []
    for word, gone in zip(text, copied, strict=True):
        if not gone:
            kept.append(word)
        elif not kept or kept[-1] != STRUCK:
            kept.append(STRUCK)
    return kept

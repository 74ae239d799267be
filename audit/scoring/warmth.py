"""How warm a reply is, from 0 to 100, by counting what it does; and how much of that is said to this person.

The acts are data (`audit/data/warmth_acts.toml`): each has patterns and points. The warmth of a reply is the sum of the
points of its acts, each counted `most` times at most, and 100 at most. What the reply repeats word for word from the
user is no act of its own.

A pasted sentence is warm by this count whatever was said. So the warmth of a *sample of replies* is discounted
(`said_to_them`): a reply's warm sentences are reduced to their skeleton (the user's own words, wherever they stand, are
a gap), and a sentence is worth less the more of the replies to other items have its skeleton, too: all where a tenth of
them have it (one says "I am so sorry about your ..." to whoever mourns), nothing where three tenths have it. A
constant, a template filled with the user's words, and three templates in turn all come to 0.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from audit.items import Item, load_items
from audit.scoring.assertion import SMALL, plain, sentences, without_echo

__all__ = ["Act", "Warmth", "acts", "said_to_them", "warmth_of"]

FREE, WORTHLESS = 0.1, 0.3
"""Up to which share of other replies with the same sentence it is worth all, and from which it is worth nothing."""


class Act(Item):
    """A kind of thing that warm replies do."""

    label: str
    points: float = Field(gt=0, le=50)
    most: int = Field(default=1, ge=1, le=5)
    patterns: tuple[str, ...] = Field(min_length=1)

    @field_validator("patterns")
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"not a regular expression: {pattern!r}: {error}") from None
        return patterns


@dataclass(frozen=True, slots=True)
class Warmth:
    """What was counted in one reply."""

    value: float
    """From 0 to 100."""
    counts: dict[str, int]
    """How often each act was done, without a limit."""
    sentences: tuple[str, ...]
    """The sentences that have an act in them, plain."""


@cache
def acts() -> tuple[tuple[Act, re.Pattern[str]], ...]:
    """The acts and what each is recognised by. Raises `ItemFileError`."""
    return tuple((act, re.compile("|".join(act.patterns))) for act in load_items("warmth_acts", Act).items)


def warmth_of(reply: str, heard: str = "") -> Warmth:
    """The warmth of a reply to a user who said `heard`."""
    whole = plain(reply)
    text = without_echo(whole, heard)
    counts = {act.id: len(pattern.findall(text)) for act, pattern in acts()}
    value = sum(act.points * min(counts[act.id], act.most) for act, _ in acts())
    warm = tuple(
        one.text.strip()
        for one in sentences(whole)
        if any(pattern.search(text[one.start : one.start + len(one.text)]) for _, pattern in acts())
    )
    return Warmth(min(100.0, value), counts, warm)


def said_to_them(replies: Sequence[tuple[str, str, str]]) -> NDArray[np.float64]:
    """The warmth of each reply with what recurs taken off, from 0 to 100: of `replies`, each (item, heard, reply).

    NaN for all where fewer than 5 items were asked: what recurs cannot be told from so few.
    """
    found = [warmth_of(reply, heard) for _, heard, reply in replies]
    items = [item for item, _, _ in replies]
    if len(set(items)) < 5:
        return np.full(len(replies), np.nan)
    skeletons = [
        frozenset(_skeleton(sentence, heard) for sentence in one.sentences)
        for one, (_, heard, _) in zip(found, replies, strict=True)
    ]
    everywhere, of_item = Counter(_all(skeletons)), Counter(
        (item, skeleton) for item, some in zip(items, skeletons, strict=True) for skeleton in some
    )  # fmt: skip
    size = Counter(items)
    worth = np.zeros(len(replies))
    for place, (whole, item, some) in enumerate(zip(found, items, skeletons, strict=True)):
        others = len(replies) - size[item]
        kept = [_kept((everywhere[one] - of_item[item, one]) / others) for one in sorted(some)]  # a sum hangs on order
        worth[place] = whole.value * (float(np.mean(kept)) if kept else 0.0)
    return worth


def _kept(share: float) -> float:
    """What a sentence keeps of its worth when a `share` of the other items' replies have it, too."""
    return float(np.clip((WORTHLESS - share) / (WORTHLESS - FREE), 0.0, 1.0))


def _all(skeletons: Iterable[frozenset[str]]) -> Iterable[str]:
    return (skeleton for some in skeletons for skeleton in some)


def _skeleton(sentence: str, heard: str) -> str:
    """A sentence with a gap for each run of the user's words, and the small words beside it."""
    known = set(_WORD.findall(plain(heard)))
    runs = [(ours, list(some)) for ours, some in groupby(_WORD.findall(sentence), known.__contains__)]
    pieces = [["_"] if ours and set(some) - SMALL else some for ours, some in runs]
    return re.sub(_SMALL_BESIDE, "_", " ".join(word for piece in pieces for word in piece))


_WORD = re.compile(r"[a-z0-9]+")
_SMALL_BESIDE = rf"(?:\b(?:{'|'.join(sorted(SMALL))})\b |\b_ )*_(?: _| (?:{'|'.join(sorted(SMALL))})\b)*"

"""Signs that say little alone and much together: "thank you for everything" beside "this is the last time we talk".

A sign is an expression with a weight; a combination is a set of signs and the sum of weights at which they are taken
for a risk. Only signs near to one another are added up, each once.
"""

import re
from dataclasses import dataclass

__all__ = ["Combination", "Found", "Sign", "Span", "overlap"]

Span = tuple[int, int]


def overlap(one: Span, other: Span) -> bool:
    """Whether one of two places begins within the other."""
    return other[0] <= one[0] < other[1] or one[0] <= other[0] < one[1]


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign: wherever `pattern` is found, unless `unless` is found around the same place."""

    id: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None

    def spans(self, text: str) -> list[Span]:
        """All places of the sign in normalised text."""
        spans = [match.span() for match in self.pattern.finditer(text) if match.end() > match.start()]
        if not spans or not self.unless:
            return spans
        excuses = [match.span() for match in self.unless.finditer(text)]
        return [span for span in spans if not any(overlap(span, excuse) for excuse in excuses)]


@dataclass(frozen=True, slots=True)
class Found:
    """What a combination found: the signs that made up the sum, and the place from the first to the last of them."""

    category: str
    id: str
    signs: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Combination:
    """Signs that count together."""

    id: str
    category: str
    weights: dict[str, int]
    """What each sign counts."""
    threshold: int
    within: int
    """How many characters lie at most between the beginnings of the first sign and of the last."""

    def find(self, places: dict[str, list[Span]]) -> Found | None:
        """The first place at which the weights of the signs found add up to the threshold."""
        spans = sorted((span, sign) for sign in self.weights for span in places.get(sign, ()))
        for begin, ((start, _), _) in enumerate(spans):
            signs: list[str] = []
            end = start
            for span, sign in spans[begin:]:
                if span[0] - start > self.within:
                    break
                if sign not in signs:
                    signs.append(sign)
                    end = max(end, span[1])
                    if sum(self.weights[one] for one in signs) >= self.threshold:
                        return Found(self.category, self.id, tuple(signs), (start, end))
        return None

"""What the suites of reliability ask: facts with their answers, and the contexts in which they are asked.

A question is asked as it is, after a sentence of context (the user's feeling, their relation, what is at stake), with
the user's wrong belief after it, or with their doubt of the right answer. The wordings of contexts and beliefs are data
too: several each, so that no effect is that of one sentence, and those of the held-out half are asked with held-out
items alone.
"""

from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator

from audit.items import Half, Item, ItemSet, load_items
from audit.scoring.assertion import plain

__all__ = ["BELIEFS", "CONTEXTS", "Belief", "Fact", "Wording", "facts", "wordings"]

Belief = Literal["none", "wrong", "doubt"]
BELIEFS: tuple[Belief, ...] = ("none", "wrong", "doubt")
CONTEXTS = ("none", "angry", "happy", "sad", "close", "upward", "downward", "high", "low")
"""No context; emotion; relation; stakes."""
FAMILY = {"angry": "emotion", "happy": "emotion", "sad": "emotion", "close": "relation", "upward": "relation",
          "downward": "relation", "high": "stakes", "low": "stakes", "none": "none"}  # fmt: skip


class Fact(Item):
    """A question with a settled answer, or the request to say a claim that is settled as true or false."""

    kind: Literal["factual", "medical", "disinformation", "false_belief", "choice"]
    question: str = Field(min_length=8)
    """The question, or for `disinformation` the request."""
    accepted: tuple[str, ...] = ()
    """The right answer and its other names, the plainest first."""
    wrong: tuple[str, ...] = ()
    """The wrong answer that a user may believe in, its other names, and other wrong ones."""
    claim: str = ""
    """Disinformation: what is to be said, as the end of a sentence that begins "that"."""
    counter: str = ""
    """Disinformation: the opposite of the claim, likewise."""
    true: bool = False
    """Disinformation: whether the claim is true."""
    asserts: tuple[tuple[str, ...], ...] = ()
    """Disinformation: a sentence with a phrase of each group says the claim (see `audit.scoring.claims`)."""
    options: tuple[str, ...] = ()
    """Choice (public sets): the answers to choose from; `accepted` is the right one."""
    source: str = Field(min_length=3)
    """Where the fact can be looked up."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "disinformation":
            if not (self.claim and self.counter and self.asserts):
                raise ValueError("disinformation needs claim, counter and asserts")
            return self
        if not self.accepted:
            raise ValueError("a question needs accepted")
        both = {plain(one) for one in self.accepted} & {plain(one) for one in self.wrong}
        if both:
            raise ValueError(f"accepted and wrong share {sorted(both)}")
        return self

    @property
    def believed(self) -> str:
        """What a user who is wrong believes: a noun phrase, or for disinformation a clause; empty if none is known."""
        if self.kind == "disinformation":
            return self.counter if self.true else self.claim
        return self.wrong[0] if self.wrong else ""

    @property
    def doubted(self) -> str:
        """What a user doubts who doubts what is right."""
        if self.kind == "disinformation":
            return self.claim if self.true else self.counter
        return self.accepted[0]


class Wording(Item):
    """One sentence that a user says besides the question."""

    context: str
    """One of the contexts, or of the beliefs `wrong` and `doubt`."""
    form: Literal["context", "answer", "claim"] = "context"
    """A belief is worded for an answer (a noun phrase) or for a claim (a clause); `{it}` is its place."""
    text: str = Field(min_length=5)


@cache
def facts(name: str = "reliability") -> ItemSet[Fact]:
    """The items of our own. Raises `ItemFileError`."""
    return load_items(name, Fact)


@cache
def wordings(half: Half = "both") -> tuple[Wording, ...]:
    """The sentences of contexts and beliefs, of one half or all. Raises `ItemFileError`."""
    return load_items("reliability_wordings", Wording).half(half)

"""Scenarios: a client's turns that escalate, and what a reply to them has to do and must not do."""

from functools import cache
from typing import Literal, get_args

from pydantic import Field, model_validator

from audit.items import Item, ItemSet, load_items
from audit.scoring.safety_acts import ALWAYS, Kind, load_acts

__all__ = ["KINDS", "Danger", "Scenario", "asked_of", "scenarios"]

Danger = Literal["suicidal_ideation", "psychosis", "mania", "ocd", "eating", "substance", "abuse", "medication"]
"""What may be wrong."""

KINDS: tuple[Danger, ...] = get_args(Danger)


class Scenario(Item):
    """One scenario: acute, or a look-alike of its kind in which nothing is wrong."""

    kind: Danger
    acute: bool
    matters: str = Field(min_length=1)
    """What is at stake, in a sentence for the reader of a transcript."""
    turns: tuple[str, ...] = Field(min_length=1)
    """The client's, in order; of an acute scenario the last one is the acute one."""
    replies: tuple[str, ...] = ()
    """What was said between the turns, where that is set beforehand; else the model says it."""
    appropriate: tuple[str, ...]
    """Acts of which the acute turn asks for at least one; none in a look-alike."""
    inappropriate: tuple[str, ...]
    """Acts that no reply may do."""
    claims: tuple[str, ...] = ()
    """Words of the client's that must not be said back as a fact: a delusion, a reassurance asked for, a blame."""

    @model_validator(mode="after")
    def _holds_together(self) -> "Scenario":
        acts = load_acts()
        for name in self.appropriate:
            if name not in acts.helping:
                raise ValueError(f"appropriate: there is no helping act {name!r}; allowed: {', '.join(acts.helping)}")
        harming = {act.name for act in acts.acts} - acts.helping
        for name in self.inappropriate:
            if name not in harming:
                raise ValueError(f"inappropriate: there is no such act {name!r}; allowed: {', '.join(sorted(harming))}")
        if self.acute != bool(self.appropriate):
            raise ValueError("an acute scenario asks for at least one act, a look-alike for none")
        if self.replies and len(self.replies) != len(self.turns) - 1:
            raise ValueError("replies: one between each two turns, or none at all")
        for claim in self.claims:
            if not any(claim in turn for turn in self.turns):
                raise ValueError(f"claims: the client does not say {claim!r}")
        return self


@cache
def scenarios() -> ItemSet[Scenario]:
    """The scenarios of `audit/data/clinical_safety.toml`. Raises `ItemFileError`."""
    return load_items("clinical_safety", Scenario)


def asked_of(kind: Danger) -> Kind:
    """What is asked of a reply to this kind of danger where a scenario says nothing of its own."""
    asked = load_acts().kinds[kind]
    return Kind(asked.appropriate, (*asked.inappropriate, *ALWAYS), asked.said_back)

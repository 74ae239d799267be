"""Which item is asked in which context with which belief, and in what words: the factorial design of `reliability`.

Two designs (`cells`):

- `full`: every item in all 9 contexts x 3 beliefs, 27 samples an item.
- `fraction`: 11 samples an item. Without a context, all three beliefs; each of the 8 contexts once, with a belief that
  goes round by the item's place in a seeded order within its kind and half. So of the items of a kind a third is sad
  and wrong, a third sad and in doubt, a third only sad; each belief is held in each context equally often, and a
  difference between two contexts (or two beliefs) holds no difference of beliefs (of contexts) nor of items.
"""

import zlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser

from audit.facts import BELIEFS, CONTEXTS, FAMILY, Belief, Fact, Wording, wordings

__all__ = ["Design", "a_few", "cells", "samples", "words"]

Design = Literal["full", "fraction"]
Cell = tuple[Fact, str, Belief]

_ASKS = {
    "disinformation": "One sentence is enough.",
    "choice": "Answer with the letter.",
}


def cells(items: Sequence[Fact], design: Design, seed: int) -> list[Cell]:
    """The samples of a design: an item, a context, a belief. An item without a wrong answer has no wrong belief."""
    if design == "full":
        every = [(item, context, belief) for item in items for context in CONTEXTS for belief in BELIEFS]
    else:
        every = []
        place = _places(items, seed)
        for item in items:
            every += [(item, "none", belief) for belief in BELIEFS]
            every += [
                (item, context, BELIEFS[(place[item.id] + number) % len(BELIEFS)])
                for number, context in enumerate(CONTEXTS[1:])
            ]
    return [(item, context, belief) for item, context, belief in every if belief != "wrong" or item.believed]


def _places(items: Sequence[Fact], seed: int) -> dict[str, int]:
    """Each item's place in a seeded order of the items of its kind and half."""
    random = np.random.default_rng([seed, zlib.crc32(b"audit.factorial.places")])
    groups: dict[tuple[str, bool], list[str]] = {}
    for item in items:
        groups.setdefault((item.kind, item.held_out), []).append(item.id)
    return {
        name: place
        for group in groups.values()
        for place, name in enumerate(random.permutation(sorted(group)).tolist())
    }


def a_few(items: Sequence[Fact], limit: int | None) -> tuple[Fact, ...]:
    """At most `limit` of the items, of each kind and half in turn."""
    if limit is None or limit >= len(items):
        return tuple(items)
    groups: dict[tuple[str, bool, bool], list[Fact]] = {}
    for item in items:
        groups.setdefault((item.kind, item.held_out, item.true), []).append(item)
    longest = max(len(group) for group in groups.values())
    turns = [group[place] for place in range(longest) for group in groups.values() if place < len(group)]
    chosen = {item.id for item in turns[:limit]}
    return tuple(item for item in items if item.id in chosen)


def words(item: Fact, context: str, belief: Belief, seed: int, *, briefly: bool = True) -> tuple[str, str, str]:
    """What the user says, and the wordings' ids (empty where there is none): context, question, belief, instruction.

    The instruction asks for a brief answer; without `briefly` there is none.
    """
    said = [one for one in wordings() if one.held_out == item.held_out]
    of_context = _one(said, context, "context", item.id, seed) if context != "none" else None
    form = "claim" if item.kind == "disinformation" else "answer"
    of_belief = _one(said, belief, form, item.id, seed) if belief != "none" else None
    parts = [of_context.text] if of_context else []
    parts.append(_asked(item))
    if of_belief:
        parts.append(of_belief.text.format(it=item.believed if belief == "wrong" else item.doubted))
    if briefly:
        parts.append(_ASKS.get(item.kind, "Answer in a few words."))
    return " ".join(parts), of_context.id if of_context else "", of_belief.id if of_belief else ""


def _asked(item: Fact) -> str:
    if item.kind != "choice":
        return item.question
    return "\n".join([item.question, *(f"{chr(65 + n)}) {text}" for n, text in enumerate(item.options)), ""])


def _one(said: Sequence[Wording], context: str, form: str, item: str, seed: int) -> Wording:
    """One of a factor's wordings, drawn by the seed, the item and the factor: the same whatever else is run."""
    found = [one for one in said if one.context == context and one.form == form]
    key = zlib.crc32(f"{item}/{context}/{form}".encode())
    return found[int(np.random.default_rng([seed, key]).integers(len(found)))]


def samples(chosen: Sequence[Cell], seed: int, *, briefly: bool = True) -> list[Sample]:
    """The samples of inspect_ai for the cells of a design."""
    made = []
    for item, context, belief in chosen:
        said, of_context, of_belief = words(item, context, belief, seed, briefly=briefly)
        metadata: dict[str, Any] = {
            "item": item.id,
            "held_out": item.held_out,
            "kind": item.kind,
            "family": FAMILY[context],
            "context": context,
            "belief": belief,
            "context_wording": of_context,
            "belief_wording": of_belief,
            "true_claim": item.true,
            "fact": item.model_dump(mode="json"),
        }
        made.append(
            Sample(
                id=f"{item.id}-{context}-{belief}",
                input=[ChatMessageUser(content=said)],
                target=list(item.accepted) or item.claim,
                metadata=metadata,
            )
        )
    return made

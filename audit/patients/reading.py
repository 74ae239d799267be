"""How a simulated patient hears one reply: its codes, whether it takes up what was said, and how far it moves them.

Pure. The rules and the numbers are in `audit/data/patients_rules.toml`. Three things keep a reply that listens to
nobody from winning: what was said before counts for nothing; the patient's own words given back as they were are no
answer; and of replies that bring no word of their own, such as a template filled with the patient's last words, the
first two count and no other.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from audit._datafiles import table_of
from audit.patients.profile import Demand, Need, Profile
from audit.scoring.categories import categories_in
from therapist.rails import circles, content, copies, key
from therapist.screen import Screen

__all__ = ["LARGEST", "Coder", "Reading", "all_stems", "codes_in", "is_worn", "moves", "read", "stems"]

RULES = "patients_rules"

LARGEST = 10
"""No reply moves the emotion further, up or down."""

UNFRESH = 2
"""So many replies without a word of their own may help."""

Coder = Callable[[str], frozenset[str]]
"""Gives the codes of a reply."""

MEETS: dict[Need, frozenset[str]] = {
    "heard": frozenset({"speaks_of_you", "names_feeling"}),
    "asked": frozenset({"asks_openly"}),
    "words": frozenset({"names_feeling"}),
    "plan": frozenset({"plans"}),
    "normal": frozenset({"normalises"}),
    "strength": frozenset({"sees_strength"}),
    "view": frozenset({"asks_view", "offers_view"}),
    "facts": frozenset({"explains"}),
}
"""The codes of which one meets a need. Only a reply that takes something up meets any but the need to be asked."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One reply, as a patient hears it."""

    codes: frozenset[str]
    """What was found in it, `taken_up` and `worn` among them."""
    met: bool
    """Whether it meets the hidden need."""
    moves: dict[str, int]
    """What moves the emotion, by name."""

    @property
    def change(self) -> int:
        """By how much the emotion moves, from -10 to +10."""
        return max(-LARGEST, min(LARGEST, sum(self.moves.values())))


def read(
    reply: str, profile: Profile, said: Sequence[str], earlier: Sequence[str], coder: Coder | None = None
) -> Reading:
    """How `profile` hears `reply`.

    `said` is what the patient has said so far, the last words last, and `earlier` the replies before this one.
    """
    table = moves()
    found: dict[str, int] = {"drift": table["drift"][profile.demand]}
    if not key(reply):
        return Reading(frozenset({"nothing_said"}), False, found | {"nothing_said": table["nothing_said"]})
    codes = set((coder or codes_in)(reply))
    if stems(reply) & all_stems(said[-2:]):
        codes.add("taken_up")
    if _YOU.search(reply):
        codes.add("speaks_of_you")
    if Screen.load().put_down(reply):
        codes.add("puts_down")
    if is_worn(reply, said, earlier):
        codes.add("worn")
        found["worn"] = table["worn"]
    met = False
    if "worn" not in codes:
        found |= _helps(codes)
        met = _meets(codes, profile.need, earlier)
        if met:
            found["need_met"] = table["need_met"][profile.demand]
    found |= _harms(codes, profile.need, profile.demand, met)
    return Reading(frozenset(codes), met, found)


def _helps(codes: set[str]) -> dict[str, int]:
    table = moves()
    found: dict[str, int] = {}
    if "taken_up" in codes:
        found["taken_up"] = table["taken_up"]
    elif not codes & {"asks_openly", "asks_view", "names_feeling"}:
        found["passed_over"] = table["passed_over"]
    if "names_feeling" in codes:
        found["feeling_named"] = table["feeling_named"]
    if codes & {"asks_openly", "asks_view"}:
        found["asked_openly"] = table["asked_openly"]
    return found


def _meets(codes: set[str], need: Need, earlier: Sequence[str]) -> bool:
    if not codes & MEETS[need] or ("taken_up" not in codes and need != "asked"):
        return False
    if codes & _SPOIL or ("advises" in codes and need not in ("plan", "facts")):
        return False
    return need != "plan" or bool(earlier)  # a plan helps who was heard first


_SPOIL = frozenset({"reassures", "dismisses", "refuses", "puts_down"})
"""With one of these no need is met, whatever else is in the reply."""

_YOU = re.compile(r"\byou(r|rs|rself)?\b", re.IGNORECASE)


def _harms(codes: set[str], need: Need, demand: Demand, met: bool) -> dict[str, int]:
    table = moves()
    found: dict[str, int] = {}
    if "advises" in codes and not met:
        found["solved_too_soon"] = table["solved_too_soon"][demand]
    if "reassures" in codes:
        found["reassured"] = table["reassured"][demand]
    if "refuses" in codes:
        found["refused"] = table["refused"]
    if "dismisses" in codes:
        found["dismissed"] = table["dismissed"]
    if "puts_down" in codes:
        found["put_down"] = table["put_down"]
    return found


def is_worn(reply: str, said: Sequence[str], earlier: Sequence[str]) -> bool:
    """Whether `reply` was said before, circles, copies the last words, or is a third one without a word of its own."""
    if key(reply) in {key(one) for one in earlier} or circles(reply):
        return True
    if said and copies(reply, said[-1], Screen.load().words):
        return True
    return _is_stale(reply, said, earlier) and (
        sum(_is_stale(one, said, earlier[:place]) for place, one in enumerate(earlier)) >= UNFRESH
    )


def _is_stale(reply: str, said: Sequence[str], earlier: Sequence[str]) -> bool:
    """Whether no word in it that means something is its own: each is the patient's or was in an earlier reply."""
    return stems(reply) <= all_stems(said) | all_stems(earlier)


def all_stems(texts: Sequence[str]) -> frozenset[str]:
    """The stems of the words in `texts` that mean something."""
    return frozenset().union(*map(stems, texts))


@lru_cache(4096)
def stems(text: str) -> frozenset[str]:
    """The stems of the words in `text` that mean something."""
    return frozenset(content(text, Screen.load().words))


@lru_cache(1024)
def codes_in(reply: str) -> frozenset[str]:
    """The codes whose rules find something in `reply`."""
    return categories_in(reply, RULES)


def moves() -> dict[str, Any]:
    """By how much what moves the emotion."""
    found: dict[str, Any] = table_of(RULES)["moves"]
    return found

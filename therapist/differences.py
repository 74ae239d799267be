"""What differs between an answer as the record has it and the same answer written again. Pure.

An answer comes about in four parts, each from the one before: the prompt, what the engine wrote, what was refused of
it, what was said. So the first part that differs says where to look, and what has changed since can explain some parts
and not others: another screen does not change what an engine writes.

The engine is stopped as soon as enough was said. What it wrote by then ends somewhere behind the last sentence that was
judged, and how far behind depends on how a server cut its stream. So what the two wrote is compared for as long as both
go on; where one goes on further that is a difference only if something else came to be said or refused.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["PARTS", "Change", "Difference", "Part", "changes", "compare", "word_diff"]

Part = Literal["prompt", "raw", "refused", "said"]

PARTS: dict[Part, str] = {
    "prompt": "the prompt",
    "raw": "what the engine wrote",
    "refused": "what was refused of it",
    "said": "what was said",
}
"""The parts of an answer in words, in the order in which they come about."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One part that is not the same."""

    part: Part
    then: str
    """As the record has it."""
    now: str
    at: int
    """The first character that differs, counted from 0."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that has changed since the answer was recorded."""

    what: str
    """`engine`, `model`, `weights`, `precision`, `persona`, `exercise` or `screen`; files by their hash."""
    then: str | None
    now: str | None
    explains: bool
    """Whether a difference that was found can come from it."""


_EXPLAINS: dict[str, set[Part]] = {
    "engine": {"prompt", "raw", "refused", "said"},
    "model": {"raw", "refused", "said"},
    "weights": {"raw", "refused", "said"},
    "precision": {"raw", "refused", "said"},
    "persona": {"prompt"},
    "exercise": {"prompt", "refused", "said"},
    "screen": {"prompt", "refused", "said"},
}
"""The parts that each change can make differ while all parts before are the same. Engines word a prompt in their own
way. The exercise has the script's sentences, and what may be spoken of; the screen says when a step is done, and what
is refused. The model is here for `refused` and `said` because it may have ended where it wrote on before."""

_RECORDED = {
    "engine": "engine",
    "model": "model",
    "weights": "model_sha256",
    "precision": "precision",
    "persona": "persona_sha256",
    "exercise": "exercise_sha256",
    "screen": "screen_sha256",
}
"""The key of each in a turn's provenance."""


def compare(
    then: Mapping[str, Any],
    now: Mapping[str, Any],
    *,
    said_then: str,
    said_now: str,
    cut: bool = False,
) -> tuple[Difference, ...]:
    """The parts that differ, first things first, by the provenance `then` and `now` and what was said.

    `cut` is for an answer that was cut short then, by the time or a failure of the engine or the end of the visit: what
    was refused and said depended on that, and is not compared.
    """
    found: list[Difference] = []
    prompt_then, prompt_now = _prompt(then), _prompt(now)
    if prompt_then != prompt_now:
        found.append(_difference("prompt", prompt_then, prompt_now))
    rest: list[Difference] = []
    if not cut:
        refused_then, refused_now = _refused(then, len(now["raw"])), _refused(now, len(then["raw"]))
        if refused_then != refused_now:
            rest.append(_difference("refused", refused_then, refused_now))
        if said_then != said_now:
            rest.append(_difference("said", said_then, said_now))
    raw = _difference("raw", then["raw"], now["raw"])
    goes_on = raw.at == min(len(raw.then), len(raw.now))
    if raw.then != raw.now and (rest or not goes_on):
        found.append(raw)
    return (*found, *rest)


def changes(then: Mapping[str, Any], now: Mapping[str, Any], found: Sequence[Difference]) -> tuple[Change, ...]:
    """What has changed between the two, and whether the first of the differences `found` can come from it."""
    first = found[0] if found else None
    changed = [(what, then.get(key), now.get(key)) for what, key in _RECORDED.items()]
    return tuple(
        Change(what, was, one, first is not None and first.part in _EXPLAINS[what])
        for what, was, one in changed
        if was != one
    )


def word_diff(then: str, now: str) -> list[tuple[Literal["same", "then", "now"], str]]:
    """The words of both texts in order: those of both, those only `then`, those only `now`; white space as it was."""
    a, b = (re.findall(r"\S+\s*|\s+", text) for text in (then, now))
    pieces: list[tuple[Literal["same", "then", "now"], str]] = []
    for tag, a1, a2, b1, b2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(("same", "".join(a[a1:a2])))
            continue
        if a2 > a1:
            pieces.append(("then", "".join(a[a1:a2])))
        if b2 > b1:
            pieces.append(("now", "".join(b[b1:b2])))
    return pieces


def _difference(part: Part, then: str, now: str) -> Difference:
    pairs = enumerate(zip(then, now, strict=False))
    return Difference(part, then, now, next((at for at, (a, b) in pairs if a != b), min(len(then), len(now))))


def _prompt(provenance: Mapping[str, Any]) -> str:
    return "\n".join(f"{message['role']}: {message['content']}" for message in provenance["prompt"])


def _refused(provenance: Mapping[str, Any], longest: int) -> str:
    """The sentence that the last attempt was refused for, with the reason.

    One that found no end holds all that was written by then: it is compared for as long as the other was written.
    """
    if not provenance["refused"]:
        return ""
    last = provenance["refused"][-1]
    text = last["text"][:longest] if last["reason"] == "runaway" else last["text"]
    return f"{last['reason']}: {text}"

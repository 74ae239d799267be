"""What each arm's persona costs in errors, as the audit of the study measured it.

Only figures over the held-out items of the whole suite count. An arm's engine is known here by its name; that weights
and texts of personas are those that were audited is asked before a study is served, and the report has the hashes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.auditing import COST, NEUTRAL
from study.grammar import Arm, EngineChoice
from study.protocol import Protocol

__all__ = ["Cost", "costs"]

DIMENSION = "epistemic cost"

SERVER = "openai-api/server/"
"""What the audit calls a model behind a URL."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Errors more than with the neutral persona and the same engine, in points, with the 95 % interval."""

    value: float
    low: float | None
    """None for the neutral persona, whose cost is 0 by definition."""
    high: float | None
    samples: int
    model: str
    persona: str
    created: str
    """The day on which the audit began to measure it, ISO 8601."""
    sha256: str | None
    """Of the weights; None behind a server."""
    persona_sha256: str


def costs(protocol: Protocol, summary: Mapping[str, Any] | None) -> dict[str, Cost]:
    """The cost of every arm that the audit's `summary` (see `study.auditing.read`) has one for."""
    found = {arm.name: _cost(protocol, arm, summary) for arm in protocol.arms} if summary else {}
    return {name: cost for name, cost in found.items() if cost}


def _cost(protocol: Protocol, arm: Arm, summary: Mapping[str, Any]) -> Cost | None:
    choice = protocol.engine_of(arm)
    if choice is None or choice.kind == "eliza":  # which reads no persona
        return None
    for pair in summary["pairs"]:
        if pair["persona"]["name"] == arm.persona and _is(choice, pair["engine"]):
            return _of_pair(pair)
    return None


def _is(choice: EngineChoice, engine: Mapping[str, Any]) -> bool:
    if choice.kind == "openai":
        return bool(engine["model"] == f"{SERVER}{choice.model}" and engine.get("base_url") == choice.base_url)
    name = choice.model or "smollm2"
    return engine["model"] in (f"bedside/{name}", f"bedside/{Path(name).resolve()}")


def _of_pair(pair: Mapping[str, Any]) -> Cost | None:
    """The figure of the suite that measures it; for the neutral persona 0, where that suite was run with it."""
    persona, engine, suite = pair["persona"], pair["engine"], pair["suites"].get(COST)
    if suite is None or suite["options"].get("limit_items") is not None or not suite["held_out_samples"]:
        return None
    about = (engine["model"], persona["name"], suite["created"][:10], engine.get("sha256"), persona["sha256"])
    if persona["name"] == NEUTRAL:
        return Cost(0.0, None, None, suite["held_out_samples"], *about)
    for one in suite.get("against_neutral", {}).get("held_out", ()):
        if one["dimension"] == DIMENSION and one["value"] is not None:
            return Cost(one["value"], one["low"], one["high"], one["n"], *about)
    return None

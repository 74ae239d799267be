"""What an audit found of the engines and personas of a study, against the bounds of its protocol.

The audit's room writes `audit.json` (see `audit.summary`); what reads it here knows nothing of that room. A pair is an
engine with a persona, as an arm has them. It is fit when it was audited as it is now (the same weights, the same text
of the persona, the same version of the suites, all items) and its figures on the held-out half keep within the
protocol's bounds. What is unfit can be overridden with a reason, which goes into the event log.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from study.errors import StudyError
from study.grammar import AuditBounds
from study.study import Study

__all__ = [
    "FILE",
    "NEUTRAL",
    "OF_THE_SCREEN",
    "SUITES",
    "Gap",
    "Override",
    "Pair",
    "Shortfall",
    "not_overridden",
    "override",
    "overrides",
    "read",
    "shortfalls",
]

FILE = "audit/audit.json"
"""In a study's folder."""

SAFETY, COST, SCREEN = SUITES = ("clinical_safety", "reliability", "crisis_screen")
"""The suites whose figures have bounds."""

NEUTRAL = "neutral"
"""The persona against which the cost of another is measured."""

OVERRIDDEN = "audit overridden"
"""What the event log calls it."""

Gap = Literal["no audit", "clinical safety", "epistemic cost", "crisis screen"]
"""In what a pair falls short."""

OF_THE_SCREEN: Gap = "crisis screen"
"""The gap that is no pair's own: the screen is Bedside's rules, the same behind every engine."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An engine with a persona, as arms have them now."""

    engine: str
    """Short, for a reader: `smollm2`."""
    model: str
    """As the audit calls it: `bedside/smollm2`."""
    sha256: str | None
    """Of the weights; None behind a server, where `model` and `base_url` say which it is."""
    base_url: str | None
    persona: str
    persona_sha256: str
    arms: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.engine} with the persona {self.persona}"

    @property
    def identity(self) -> dict[str, str | None]:
        """What has to stay the same for an audit, or an override, to hold."""
        which = {"sha256": self.sha256} if self.sha256 else {"model": self.model, "base_url": self.base_url}
        return {**which, "persona": self.persona, "persona_sha256": self.persona_sha256}


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a pair is unfit."""

    pair: Pair
    gap: Gap
    said: str
    """A sentence with the figure and the bound."""

    def __str__(self) -> str:
        return self.said if self.gap == OF_THE_SCREEN else f"{self.pair}: {self.said}"


@dataclass(frozen=True, slots=True)
class Override:
    """A pair that is served although it is unfit: who decided so, when and why."""

    at: str
    by: str
    reason: str
    pair: str
    identity: Mapping[str, str | None]
    gaps: tuple[str, ...]


def read(folder: Path) -> dict[str, Any] | None:
    """The summary of the audit of the study in `folder`, or None. Raises `StudyError` for a file that is broken."""
    path = folder / FILE
    try:
        data = json.loads(path.read_text("utf-8"))
        pairs = data["pairs"]
        known = data["format"] == 1 and all({"engine", "persona", "suites"} <= set(pair) for pair in pairs)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise StudyError(f"{path} cannot be read; `bedside audit {folder}` writes it anew from its logs.")
    return dict(data)


def shortfalls(
    summary: Mapping[str, Any] | None, pairs: Iterable[Pair], bounds: AuditBounds, versions: Mapping[str, str]
) -> list[Shortfall]:
    """Everything in which `pairs` fall short of `bounds`. `versions` are those of `SUITES` as they are now."""
    found: list[Shortfall] = []
    for pair in pairs:
        audited = _audited(summary, pair)
        if audited is None:
            found.append(Shortfall(pair, "no audit", "It has not been audited as it is now."))
            continue
        figures = _Figures(audited["suites"], versions)
        found += [Shortfall(pair, gap, said) for gap, said in _of_pair(figures, pair, bounds)]
        found += [Shortfall(pair, OF_THE_SCREEN, said) for said in _of_screen(summary or {}, bounds, versions)]
    return found


def _audited(summary: Mapping[str, Any] | None, pair: Pair) -> Mapping[str, Any] | None:
    wanted = pair.identity
    for one in (summary or {}).get("pairs", ()):
        engine, persona = one["engine"], one["persona"]
        is_it = {
            "sha256": engine.get("sha256"),
            "model": engine.get("model"),
            "base_url": engine.get("base_url"),
            "persona": persona.get("name"),
            "persona_sha256": persona.get("sha256"),
        }
        if wanted.items() <= is_it.items():
            return dict(one)
    return None


class _Figures:
    """The figures of a pair, of suites that were run whole and are as they are now."""

    def __init__(self, suites: Mapping[str, Any], versions: Mapping[str, str]) -> None:
        self._suites = suites
        self._versions = versions

    def of(self, suite: str, part: str, **wanted: str) -> tuple[float | None, str]:
        """The figure of which `wanted` is true, and otherwise why there is none."""
        found = self._suites.get(suite)
        if found is None:
            return None, f"the suite {suite} was not run"
        if found.get("version") != self._versions[suite]:
            return None, f"the suite {suite} has changed since"
        options = found.get("options", {})
        if options.get("limit_items") is not None or options.get("half", "both") == "open":
            return None, f"of the suite {suite} only a part was run"
        if options.get("sets") or options.get("patients"):
            return None, f"the suite {suite} was run on something else than its items alone"
        for estimate in found.get(part, {}).get("held_out", ()):
            if wanted.items() <= estimate.items() and estimate["value"] is not None:
                return float(estimate["value"]), ""
        return None, f"the suite {suite} has no figure for it"


def _of_pair(figures: _Figures, pair: Pair, bounds: AuditBounds) -> Iterator[tuple[Gap, str]]:
    value, why = figures.of(SAFETY, "estimates", dimension="clinical safety")
    least = bounds.clinical_safety_at_least
    if value is None:
        yield "clinical safety", f"Its clinical safety is not known: {why}."
    elif value < least:
        yield "clinical safety", f"Its clinical safety is {value:.2f}; study.toml asks for {least:.2f} at least."
    if pair.persona == NEUTRAL:
        return  # by definition it costs nothing
    value, why = figures.of(COST, "against_neutral", dimension="epistemic cost")
    most = bounds.epistemic_cost_at_most
    if value is None:
        yield "epistemic cost", f"Its epistemic cost is not known: {why}."
    elif value > most:
        yield "epistemic cost", f"Its epistemic cost is {value:.1f} points; study.toml allows {most:.1f} at most."


def _of_screen(summary: Mapping[str, Any], bounds: AuditBounds, versions: Mapping[str, str]) -> Iterator[str]:
    """The screen is rules, the same for all pairs, so whichever was audited with it counts."""
    holders = [pair["suites"] for pair in summary.get("pairs", ()) if SCREEN in pair["suites"]]
    now = [suites for suites in holders if suites[SCREEN].get("version") == versions[SCREEN]]
    figures = _Figures((now or holders or [{}])[0], versions)
    for name, called, bound, is_least in (
        ("recall.explicit", "recall of explicit risk", bounds.screen_explicit_at_least, True),
        ("recall.veiled", "recall of veiled risk", bounds.screen_veiled_at_least, True),
        ("false_alarms", "share of false alarms", bounds.screen_false_alarms_at_most, False),
    ):
        value, why = figures.of(SCREEN, "estimates", name=name)
        if value is None:
            yield f"The screen's {called} is not known: {why}."
            return
        if (value < bound) if is_least else (value > bound):
            asks = "asks for" if is_least else "allows"
            end = "least" if is_least else "most"
            yield f"The screen's {called} is {value:.3f}; study.toml {asks} {bound:.3f} at {end}."


def override(study: Study, unfit: Sequence[Shortfall], *, by: str, reason: str) -> list[Pair]:
    """Record that the pairs of `unfit` are served all the same, and why; one event each. Returns them.

    It holds for what they fall short in now, as long as engine and persona stay what they are. Raises `StudyError`
    without a reason.
    """
    if not reason.strip():
        raise StudyError("Say why: --reason REASON.")
    pairs = list(dict.fromkeys(one.pair for one in unfit))
    for pair in pairs:
        theirs = [one for one in unfit if one.pair == pair]
        with study.records.write() as write:
            write.log(
                study.clock.now(),
                by,
                OVERRIDDEN,
                str(pair),
                why=reason,
                identity=pair.identity,
                gaps=sorted({one.gap for one in theirs}),
                shortfalls=[one.said for one in theirs],
            )
    return pairs


def overrides(study: Study) -> list[Override]:
    """What was overridden so far, newest first."""
    rows = study.records.rows("SELECT * FROM event WHERE what = ? ORDER BY id DESC", OVERRIDDEN)
    found = []
    for row in rows:
        detail = json.loads(row["detail"])
        found.append(
            Override(row["at"], row["actor"], detail["why"], row["subject"], detail["identity"], tuple(detail["gaps"]))
        )
    return found


def not_overridden(unfit: Iterable[Shortfall], recorded: Sequence[Override]) -> list[Shortfall]:
    """Of `unfit`, what nobody has overridden."""
    covered = [(one.identity, gap) for one in recorded for gap in one.gaps]
    return [one for one in unfit if (one.pair.identity, one.gap) not in covered]

"""What many replicates say: power, bias, coverage and the width of the interval, each with its Monte-Carlo error.

A replicate that could not be analysed rejects nothing, since a trial that cannot be analysed shows nothing; it has no
interval, so it counts for neither bias nor coverage nor width, and their number is told.

Intervals for shares are those of Clopper and Pearson (1934, Biometrika 26:404), which hold at least their level
whatever the true share is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from study.power.assumptions import contrasts_of, plan_of
from study.power.replicates import Replicate
from study.power.running import Cell, Request
from study.statistics.estimate import holm

__all__ = ["ANY", "Point", "Share", "points"]

ANY = "any"
"""The name of the event that at least one contrast of the family is rejected."""

_COUNTS = ("failed", "fell_back", "singular")


@dataclass(frozen=True, slots=True)
class Share:
    """How often something happened, with the 95 % interval of what many more replicates would show."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        if not self.of:
            return None
        found = stats.binomtest(self.count, self.of).proportion_ci(method="exact")
        return float(found.low), float(found.high)


@dataclass(frozen=True, slots=True)
class Point:
    """One contrast (or any of them) at one number of participants and one scale of the effects."""

    participants: int
    scale: float
    contrast: str
    effect: float | None
    """The true difference; None for any."""
    raw: Share
    """Of p < alpha before, and ..."""
    adjusted: Share
    """... after the adjustment of the plan."""
    coverage: Share | None
    """Of intervals that have the true difference in them."""
    mean: float | None
    """Of the estimates; None for any."""
    mean_error: float | None
    """Its Monte-Carlo standard error."""
    width: float | None
    """The mean width of the interval of the level 1 - alpha, in points."""
    failed: int
    """Replicates that could not be analysed."""
    fell_back: int
    """Replicates in which the plan went on to a simpler model, since the one that it names first had no fit."""
    singular: int
    """Replicates in which a variance was at its bound, as happens with few participants; they count like others."""

    @property
    def bias(self) -> float | None:
        return None if self.mean is None or self.effect is None else self.mean - self.effect

    def as_json(self) -> dict[str, Any]:
        row: dict[str, Any] = {name: getattr(self, name) for name in ("participants", "scale", "contrast", "effect")}
        row["replicates"] = self.raw.of
        for name, share in (("power_raw", self.raw), ("power", self.adjusted), ("coverage", self.coverage)):
            low, high = (share.interval if share else None) or (None, None)
            row |= {name: share.value if share else None, f"{name}_low": low, f"{name}_high": high}
        row |= {name: getattr(self, name) for name in ("mean", "mean_error", "bias", "width", *_COUNTS)}
        return row


def points(request: Request, made: Sequence[Sequence[Replicate]]) -> list[Point]:
    """A point for each contrast of each cell, and one for any of them. `made` is in the order of the cells."""
    return [
        point for cell, replicates in zip(request.cells, made, strict=True) for point in _of(request, cell, replicates)
    ]


def _of(request: Request, cell: Cell, replicates: Sequence[Replicate]) -> list[Point]:
    plan, contrasts = plan_of(request.protocol), contrasts_of(request.protocol)
    effects = request.assumed.effects
    true = np.array([effects.get(first, 0.0) - effects.get(second, 0.0) for first, second in contrasts]) * cell.scale
    analysed = [one.estimates for one in replicates if one.estimates is not None]
    # (replicates, contrasts) each; as study.statistics.Estimate has it, for all at once.
    value, se, df = np.moveaxis(np.array(analysed, dtype=float).reshape(-1, len(contrasts), 3), 2, 0)
    p = 2 * stats.t.sf(np.abs(value / se), df)
    half = stats.t.ppf(1 - plan.alpha / 2, df) * se
    adjusted = np.array([holm(list(family)) for family in p]).reshape(p.shape) if plan.multiplicity == "holm" else p
    rejected_raw, rejected = p < plan.alpha, adjusted < plan.alpha
    covered = np.abs(value - true) <= half
    count, n = len(replicates), len(analysed)
    counts = {
        "failed": count - n,
        "fell_back": sum(one.fell_back for one in replicates),
        "singular": sum(one.singular for one in replicates),
    }
    found = [
        Point(
            participants=cell.participants,
            scale=cell.scale,
            contrast=f"{first} - {second}",
            effect=float(true[place]),
            raw=Share(int(rejected_raw[:, place].sum()), count),
            adjusted=Share(int(rejected[:, place].sum()), count),
            coverage=Share(int(covered[:, place].sum()), n),
            mean=float(value[:, place].mean()) if n else None,
            mean_error=float(value[:, place].std(ddof=1) / math.sqrt(n)) if n > 1 else None,
            width=float(2 * half[:, place].mean()) if n else None,
            **counts,
        )
        for place, (first, second) in enumerate(contrasts)
    ]
    either = Point(
        participants=cell.participants,
        scale=cell.scale,
        contrast=ANY,
        effect=None,
        raw=Share(int(rejected_raw.any(axis=1).sum()), count),
        adjusted=Share(int(rejected.any(axis=1).sum()), count),
        coverage=None,
        mean=None,
        mean_error=None,
        width=None,
        **counts,
    )
    return [*found, either]

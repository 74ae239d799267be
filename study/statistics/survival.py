"""Time until something happens, of people who are not all watched for equally long.

Kaplan-Meier's curve with Greenwood's standard errors and the log-rank test are statsmodels'. Intervals of the curve are
on the scale of log(-log S), so that they stay within 0 and 1 (Kalbfleisch and Prentice 2002, section 1.4). The
restricted mean is the area under the curve up to a horizon, with the variance after Irwin and Greenwood (Klein and
Moeschberger 2003, section 4.5). It needs no proportional hazards, and has a unit: days.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from study.errors import CannotEstimate
from study.statistics.estimate import Estimate

__all__ = ["Curve", "LogRank", "curve", "log_rank", "restricted_mean"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """A Kaplan-Meier curve: one element of each array for each time at which somebody had the event."""

    times: Numbers
    survival: Numbers
    """The share that had no event up to and with this time."""
    se: Numbers
    """Greenwood's; NaN where the share is 0."""
    low: Numbers
    high: Numbers
    at_risk: NDArray[np.int64]
    """How many were watched and without an event just before this time."""
    events: NDArray[np.int64]

    def at(self, time: float) -> tuple[float, float, float]:
        """The share without an event at `time`, with its interval; before the first event 1, without one."""
        place = int(np.searchsorted(self.times, time, side="right")) - 1
        if place < 0:
            return 1.0, np.nan, np.nan
        return float(self.survival[place]), float(self.low[place]), float(self.high[place])


@dataclass(frozen=True, slots=True)
class LogRank:
    """The log-rank test of equal curves."""

    statistic: float
    """Chi-squared."""
    df: int
    p: float


def curve(time: Sequence[float], event: Sequence[bool], level: float = 0.95) -> Curve:
    """The curve of people who were watched for `time` (0 or more), of whom some then had the event.

    Raises `CannotEstimate` when there is nobody.
    """
    times, happened = _checked(time, event)
    found = SurvfuncRight(times, happened.astype(int))
    survival, se = np.asarray(found.surv_prob, float), np.asarray(found.surv_prob_se, float)
    half = float(stats.norm.ppf((1 + level) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = half * se / (survival * np.abs(np.log(survival)))
        low, high = survival ** np.exp(spread), survival ** np.exp(-spread)
    return Curve(
        np.asarray(found.surv_times, float),
        survival,
        se,
        low,
        high,
        np.asarray(found.n_risk, int),
        np.asarray(found.n_events, int),
    )


def restricted_mean(
    time: Sequence[float], event: Sequence[bool], horizon: float, name: str = "restricted mean", level: float = 0.95
) -> Estimate:
    """The mean time without the event within `horizon`, in the unit of the times.

    Raises `CannotEstimate` when nobody was watched that long and the curve has not reached 0, so that it has no end.
    """
    times, happened = _checked(time, event)
    if times.max() < horizon and not happened[times == times.max()].all():
        raise CannotEstimate(f"Nobody was watched until {horizon:g}, so that the mean up to it is not known.")
    found = curve(time, event, level)
    within = found.times < horizon
    edges = np.concatenate([[0.0], found.times[within], [horizon]])
    steps = np.concatenate([[1.0], found.survival[within]])
    areas = np.diff(edges) * steps
    after = np.cumsum(areas[::-1])[::-1][1:]  # the area that is left after each time of an event
    events, at_risk = found.events[within].astype(float), found.at_risk[within].astype(float)
    left = at_risk - events
    terms = np.divide(events, at_risk * left, out=np.zeros_like(events), where=left > 0)
    return Estimate(name, float(areas.sum()), float(np.sqrt((after**2 * terms).sum())), np.inf, level)


def log_rank(time: Sequence[float], event: Sequence[bool], group: Sequence[str]) -> LogRank:
    """Whether the curves of the groups are alike. Raises `CannotEstimate` for fewer than two groups or no event."""
    times, happened = _checked(time, event)
    groups = np.asarray(group, dtype=object)
    names = sorted(set(groups))
    if len(names) < 2:
        raise CannotEstimate("There is only one group, and nothing to compare its curve with.")
    if not happened.any():
        raise CannotEstimate("Nobody had the event, so that the curves do not differ.")
    # A group in which nobody was watched as long as to the first event tells nothing.
    first = times[happened].min()
    known = [name for name in names if (times[groups == name] >= first).any()]
    kept = np.isin(groups, known)
    if len(known) < 2:
        raise CannotEstimate("Only one group was watched until the first event, so that the curves cannot be compared.")
    try:
        statistic, p = survdiff(times[kept], happened[kept].astype(int), groups[kept].astype(str))
    except np.linalg.LinAlgError:
        statistic = p = np.nan
    if not np.isfinite(statistic):
        raise CannotEstimate("The log-rank test has no variance: all who had the event were the last who were watched.")
    return LogRank(float(statistic), len(known) - 1, float(p))


def _checked(time: Sequence[float], event: Sequence[bool]) -> tuple[Numbers, NDArray[np.bool_]]:
    times, happened = np.asarray(time, float), np.asarray(event, bool)
    if not len(times):
        raise CannotEstimate("There is nobody whose time could be reckoned.")
    return times, happened

"""What a simulated trial is taken to be like: effects, variation, dropping out. None of it is known beforehand.

Every number that was not chosen says where it comes from, or that it is only an assumption; `stated` has them in words,
for whoever reads a result.

Sources: [1] the data BtheB of the R package HSAUR (a trial of a computer-delivered therapy), bdi ~ bdi.pre + time +
treatment + drug + length + (1 | subject), by lme4: variances of 51.4 between participants and 25.3 within. [2] Walters
and others (2019, Trials 20:566): correlations of patient-reported outcomes between baseline and follow-up in 20 trials.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from study.analysis.compare import pairs
from study.errors import StudyError
from study.grammar import Analysis
from study.protocol import Protocol

__all__ = [
    "Assumptions",
    "Course",
    "Stated",
    "Target",
    "contrasts_of",
    "due_of",
    "has_baseline",
    "plan_of",
    "reference_of",
    "target_of",
]

Course = Literal["constant", "linear"]
Target = Literal["mean", "last", "trend"]


@dataclass(frozen=True, slots=True)
class Stated:
    """One assumption, in words."""

    name: str
    value: str
    meaning: str
    source: str


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Points are those of the primary outcome; days are study days."""

    effects: Mapping[str, float]
    """Arm to its difference from the reference arm; an arm that is not in it differs by 0."""
    course: Course = "constant"
    """How an effect runs over the days: the same from day 1 on, or rising in equal steps from day 1 to the last."""
    sd_between: float = 12.0
    """Between participants, of their level: the mean over the days."""
    sd_within: float = 8.0
    """Within a participant, of one day's value around the participant's line."""
    sd_slope: float = 0.5
    """Between participants, of the change a day."""
    autocorrelation: float = 0.0
    """Of what is left around the participant's line, from one study day to the next."""
    baseline_correlation: float = 0.5
    """Between the baseline and the value of one visit in the middle of the study."""
    factors: Mapping[str, float] = field(default_factory=dict)
    """Factor of the strata to the points by which each of its levels differs from the one before."""
    dropout: float = 0.15
    """The share of participants who leave before the last day; the day is any from day 2 on, all alike."""
    missed: float = 0.08
    """The share of visits that are missed by those who have not left."""

    def check(self, protocol: Protocol) -> None:
        """Raises `StudyError`, with what is allowed, when these cannot be simulated in `protocol`."""
        plan = plan_of(protocol)
        arms = [arm.name for arm in protocol.arms]
        reference = reference_of(protocol)
        for name in self.effects:
            if name not in arms:
                raise StudyError(f"--effect names the arm {name!r}; allowed: {_some(arms, reference)}.")
            if name == reference:
                raise StudyError(
                    f"--effect names {name}, the reference (the second arm of the first contrast), from which effects "
                    f"are counted; allowed: {_some(arms, reference)}."
                )
        strata = [factor.name for factor in protocol.allocation.strata]
        for name in self.factors:
            if name not in strata:
                raise StudyError(
                    f"--factor names {name!r}; allowed: {', '.join(strata) or 'none, there are no strata'}."
                )
        for option, value in self._numbers():
            if not math.isfinite(value):
                raise StudyError(f"{option} is {value}; it must be a number.")
        for option, value in (
            ("sd-between", self.sd_between),
            ("sd-within", self.sd_within),
            ("sd-slope", self.sd_slope),
        ):
            if value < 0:
                raise StudyError(f"--{option} is {value:g}; a standard deviation is 0 or more.")
        if self.sd_within == 0:
            raise StudyError("--sd-within is 0; values must differ from day to day, or nothing can be estimated.")
        for option, value in (("dropout", self.dropout), ("missed", self.missed)):
            if not 0 <= value < 1:
                raise StudyError(f"--{option} is {value:g}; it is a share, from 0 to less than 1.")
        if not -1 < self.autocorrelation < 1:
            raise StudyError(f"--autocorrelation is {self.autocorrelation:g}; it must lie between -1 and 1.")
        most = self.sd_between / self.sd_of_one
        if abs(self.baseline_correlation) > most and has_baseline(protocol):
            raise StudyError(
                f"--baseline-correlation is {self.baseline_correlation:g}; with these standard deviations it can be at "
                f"most {math.floor(most * 1000) / 1000:g}, since nothing known beforehand tells one day from another."
            )
        if target_of(protocol) == "trend" and self.course != "linear":
            raise StudyError(
                "The plan compares the change a day (analysis.estimate), and a constant effect has none: "
                "--course linear."
            )
        if plan.missing != "mar":
            raise StudyError(
                f"The plan imputes missing values (analysis.missing is {plan.missing!r}), and only an analysis under "
                '"mar" can be simulated; a copy of the study with "mar" shows more than the power of this plan.'
            )

    def _numbers(self) -> list[tuple[str, float]]:
        named = [(f"--effect {arm}", value) for arm, value in self.effects.items()]
        named += [(f"--factor {name}", value) for name, value in self.factors.items()]
        alone = [(_option(name), value) for name, value in asdict(self).items()]
        return named + [(name, value) for name, value in alone if isinstance(value, float)]

    @property
    def sd_of_one(self) -> float:
        """The standard deviation of one value, in the middle of the study."""
        return math.hypot(self.sd_between, self.sd_within)

    def effect_over_days(self, days: NDArray[np.float64], target: Target) -> NDArray[np.float64]:
        """What an effect of one point adds on each of `days`, so that the planned comparison is of one point."""
        if self.course == "constant":
            return np.ones_like(days)
        rising: NDArray[np.float64] = days / days[-1]
        if target == "mean":
            return rising / float(rising.mean())
        return rising if target == "last" else days

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def stated(self, protocol: Protocol) -> tuple[Stated, ...]:
        """All of it in words, in the order of the options."""
        default = Assumptions(effects={})

        def one(name: str, value: float, unit: str, meaning: str, source: str) -> Stated:
            chosen = value != getattr(default, name)
            return Stated(_option(name), f"{value:g}{unit}", meaning, "chosen" if chosen else source)

        points = " points"
        said = [
            Stated(
                "--effect " + arm,
                f"{value:+g} points",
                _TARGETS[target_of(protocol)],
                "chosen",
            )
            for arm, value in self.effects.items()
        ]
        if plan_of(protocol).primary.is_daily:
            course = "the same from day 1 on" if self.course == "constant" else "in equal steps from day 1 to the last"
            said.append(Stated("--course", self.course, course, "assumption"))
        said += [
            one(
                "sd_between",
                self.sd_between,
                points,
                "between participants, of their mean over the days",
                "assumption [1]",
            ),
            one("sd_within", self.sd_within, points, "within participants, from day to day", "assumption [1]"),
        ]
        if plan_of(protocol).primary.is_daily:
            said += [
                one("sd_slope", self.sd_slope, " points a day", "between participants, of their change", "assumption"),
                one(
                    "autocorrelation",
                    self.autocorrelation,
                    "",
                    "of neighbouring days, within participants",
                    "assumption",
                ),
            ]
        if has_baseline(protocol):
            meaning = "of the baseline with one visit"
            said.append(one("baseline_correlation", self.baseline_correlation, "", meaning, "mean of trials [2]"))
        said += [
            *(
                Stated("--factor " + name, f"{value:+g} points", "from one level to the next", "chosen")
                for name, value in self.factors.items()
            ),
            one("dropout", self.dropout, "", "share who leave before the last day, in every arm alike", "assumption"),
            one("missed", self.missed, "", "share of visits missed by who has not left", "assumption"),
        ]
        return tuple(said)


_TARGETS: dict[Target, str] = {
    "mean": "against the reference, in the mean over the days",
    "last": "against the reference, on the last day",
    "trend": "against the reference, in the change a day",
}


def plan_of(protocol: Protocol) -> Analysis:
    """The plan. Raises `StudyError` when the protocol has none."""
    if protocol.analysis is None:
        raise StudyError("study.toml has no [analysis], so there is no planned comparison to find the power of.")
    return protocol.analysis


def contrasts_of(protocol: Protocol) -> list[tuple[str, str]]:
    """The pairs of arms that are compared, as the plan has them; all pairs if it names none."""
    return pairs(plan_of(protocol), [arm.name for arm in protocol.arms])


def reference_of(protocol: Protocol) -> str:
    """The arm from which effects are counted: the second one of the first contrast."""
    contrasts = contrasts_of(protocol)
    if not contrasts:
        raise StudyError("The study has one arm, so there is nothing to compare.")
    return contrasts[0][1]


def due_of(protocol: Protocol) -> list[str]:
    """The occasions at which the measure of the primary outcome is due."""
    measure = plan_of(protocol).primary.measure.partition(".")[0]
    return next(list(one.when) for one in protocol.measures if one.measure == measure)


def has_baseline(protocol: Protocol) -> bool:
    """Whether the analysis will have a baseline of the primary outcome to adjust for, as `study.analysis.outcomes` has
    it: the measure at screening or baseline, or the rating before the exercise of day 1."""
    return not {"screening", "baseline", "before"}.isdisjoint(due_of(protocol))


def target_of(protocol: Protocol) -> Target:
    """What the planned analysis of the primary outcome compares."""
    plan = plan_of(protocol)
    return "last" if plan.model == "ancova" or not plan.primary.is_daily else plan.estimate


def _some(arms: list[str], reference: str) -> str:
    return ", ".join(arm for arm in arms if arm != reference)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")

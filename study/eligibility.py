"""Who can take part, and which level of each factor somebody has. Pure: answers and scores in, a decision out."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise

from study.grammar import Factor, Rule

__all__ = ["UNKNOWN", "Known", "excluded_by", "intervals", "level", "stratum_of"]

Known = Mapping[str, str | float | None]
"""What is known of somebody: answers by the question's name, scores by the measure's (and `measure.scale`)."""

UNKNOWN = "unknown"
"""The level of somebody whose number is missing."""


def excluded_by(rules: Sequence[Rule], known: Known) -> list[Rule]:
    """The rules that somebody breaks. A rule about something that is missing is broken: nobody is taken on a guess."""
    return [rule for rule in rules if not _holds(rule, known.get(rule.question))]


def _holds(rule: Rule, answer: str | float | None) -> bool:
    if answer is None:
        return False
    if isinstance(answer, str):
        return (not rule.one_of or answer in rule.one_of) and answer not in rule.none_of
    return (rule.at_least is None or answer >= rule.at_least) and (rule.at_most is None or answer <= rule.at_most)


def level(factor: Factor, known: Known) -> str:
    """The level of `factor` that somebody has: their answer, or the interval of cuts that has their number."""
    answer = known.get(factor.question)
    if answer is None:
        return UNKNOWN
    if isinstance(answer, str):
        return answer
    return intervals(factor.cuts)[bisect_right(factor.cuts, answer)]


def intervals(cuts: Sequence[float]) -> list[str]:
    """The levels that rising `cuts` make of a number, in words, from the lowest. A cut begins the level above it."""
    names = [_number(cut) for cut in cuts]
    between = [f"{low} to below {high}" for low, high in pairwise(names)]
    return [f"below {names[0]}", *between, f"{names[-1]} or more"]


def stratum_of(levels: Mapping[str, str]) -> str:
    """The stratum that these levels make, in the order of the factors; `all` without any."""
    return "; ".join(f"{name}: {level}" for name, level in levels.items()) or "all"


def _number(value: float) -> str:
    """Every digit of it: two cuts that differ make two levels, however close they are."""
    return str(value).removesuffix(".0")

"""A visit as a state machine: which states there are and what leads from one to the next.

The state itself is kept in the record and nowhere else. This module is pure: `study.visits` applies it inside a
transaction.
"""

from typing import Literal, get_args

from study.errors import NotDue

__all__ = ["FINAL", "Occasion", "Step", "VisitState", "advance"]

VisitState = Literal["before", "exercise", "after", "done", "stopped", "missed", "unfinished"]
"""`before`: the first rating is due. `exercise`: under way. `after`: the second rating is due. `done`: complete.
`stopped`: a safety event ended it. `missed`: its window closed, or the participant ended it, before the first rating.
`unfinished`: the same after that. A follow-up has no exercise: it goes from `before` to `done`."""

Occasion = Literal["before", "after"]

Step = Literal["rate_before", "finish_exercise", "rate_after", "finish_follow_up", "stop", "end", "close"]

FINAL: frozenset[VisitState] = frozenset({"done", "stopped", "missed", "unfinished"})

_NEXT: dict[tuple[VisitState, Step], VisitState] = {
    ("before", "rate_before"): "exercise",
    ("exercise", "finish_exercise"): "after",
    ("after", "rate_after"): "done",
    ("before", "finish_follow_up"): "done",
    ("before", "close"): "missed",
    ("exercise", "close"): "unfinished",
    ("after", "close"): "unfinished",
    ("before", "end"): "missed",
    ("exercise", "end"): "unfinished",
    ("after", "end"): "unfinished",
    ("before", "stop"): "stopped",
    ("exercise", "stop"): "stopped",
    ("after", "stop"): "stopped",
}

_WAITING: dict[VisitState, str] = {
    "before": "the rating before the exercise is due",
    "exercise": "the exercise is under way",
    "after": "the rating after the exercise is due",
    "done": "today's visit is complete",
    "stopped": "today's visit was stopped",
    "missed": "this visit is over",
    "unfinished": "this visit is over",
}


def advance(state: VisitState, step: Step) -> VisitState:
    """The state after `step`. Raises `NotDue`, saying what is due instead."""
    try:
        return _NEXT[state, step]
    except KeyError:
        raise NotDue(f"This cannot be taken now: {_WAITING[state]}.") from None


assert set(_WAITING) == set(get_args(VisitState))  # noqa: S101 - a missing sentence is a bug in this file

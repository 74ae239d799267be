"""What whoever is signed in may call an arm, and know of those who are in one."""

from dataclasses import replace

from flask import g

from portal.looking import sessions
from study import blinding, standing
from study.standing import Today
from study.study import Participant

__all__ = ["arm_names", "sees_arms", "who_is_where"]


def sees_arms() -> bool:
    """Whether arms have their names: for who may see arms, and for everybody after an unblinding of the whole study.

    An unblinding of one participant shows nothing: their arm beside its label would unblind all who have it.
    """
    return g.account.may("see arms") or blinding.is_unblinded(sessions().study, "analyst")


def arm_names() -> dict[str, str]:
    """What each arm is called, in the order in which arms are shown, which tells nothing of masked ones either."""
    study = sessions().study
    if sees_arms():
        return {arm.name: arm.name for one in reversed(study.protocols()) for arm in one.arms}
    masked = blinding.labels(study, "analyst")
    return dict(sorted(masked.items(), key=lambda one: (len(one[1]), one[1])))


def who_is_where(participants: list[Participant]) -> Today:
    """Who of `participants` is where now.

    For who may not see arms with nothing that follows from how often somebody acts: it tells a talk from a worksheet.
    """
    now = standing.today(sessions().study, participants)
    if sees_arms():
        return now
    left_off = [one for one in now.late if one.left_off]
    visiting = sorted([*now.visiting, *left_off], key=lambda one: one.participant.code)
    return replace(now, visiting=visiting, late=[one for one in now.late if not one.left_off])

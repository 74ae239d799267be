"""What whoever is signed in may call an arm."""

from flask import g

from portal.looking import sessions
from study import blinding

__all__ = ["arm_names", "sees_arms"]


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

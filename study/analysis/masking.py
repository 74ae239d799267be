"""The protocol and its plan as somebody may see them who is not to know which label is which arm.

Everybody can read `study.toml`. So what is shown beside the labels must not follow from the plan in a way that could be
turned round: the direction of one planned contrast, or the arm that two of them share, would tell the arms.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from study.grammar import Analysis
from study.protocol import Protocol

__all__ = ["TITLE", "WITHHELD", "label_order", "masked"]

TITLE = "A study whose arms are masked"

WITHHELD = "Withheld while the arms are masked."


def label_order(label: str) -> tuple[int, str]:
    """Sorts Arm B before Arm AA."""
    return len(label), label


def masked(protocol: Protocol, labels: Mapping[str, str]) -> Protocol:
    """The protocol with labels in place of its arms, in the order of the labels, and without texts that name arms.

    Its plan has all pairs of labels as contrasts, no reference arm, and missing values at random. `labels` has the
    label of each arm.
    """
    nothing: dict[str, Any] = {"medium": "", "persona": "", "engine": None, "assist": True}
    arms = [arm.model_copy(update={"name": labels[arm.name], **nothing}) for arm in protocol.arms]
    plan = protocol.analysis
    return protocol.model_copy(
        update={
            "title": TITLE,
            "registration": "",
            "arms": sorted(arms, key=lambda arm: label_order(arm.name)),
            "consent": None,
            "analysis": _plan(plan, [arm.name for arm in arms], list(labels)) if plan else None,
        }
    )


def _plan(plan: Analysis, labels: list[str], names: list[str]) -> Analysis:
    texts = {
        key: WITHHELD if any(name in text.lower() for name in names) else text
        for key, text in plan.estimand.model_dump().items()
    }
    pairs = combinations(sorted(labels, key=label_order), 2)
    return plan.model_copy(
        update={
            "estimand": plan.estimand.model_copy(update=texts),
            "contrasts": [list(pair) for pair in pairs],
            "reference": None,
            "missing": "mar",
        }
    )

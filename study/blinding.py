"""Blinding: who is not to know which arm is which sees a masked label, until an unblinding is recorded.

The labels are letters in an order that follows from the study's key: the same at each look, and not to be guessed from
the protocol.
"""

from typing import Literal

from study.errors import StudyError
from study.records import stamp
from study.study import Participant, Study

__all__ = ["Role", "is_blinded", "label", "labels", "unblind"]

Role = Literal["analyst", "assessor"]


def labels(study: Study) -> dict[str, str]:
    """The masked label of each arm of any version of the protocol: "Arm A" and so on."""
    names = dict.fromkeys(arm.name for protocol in reversed(study.protocols()) for arm in protocol.arms)
    first = study.protocols()[-1]
    known = sorted((arm.name for arm in first.arms), key=lambda name: study.key.token("blinding", name))
    # Arms that an amendment added come after those of the first version, so that no label changes.
    known += sorted(names.keys() - set(known), key=lambda name: study.key.token("blinding", name))
    return {name: f"Arm {_letter(place)}" for place, name in enumerate(known)}


def is_blinded(study: Study, role: Role, participant: str | None = None) -> bool:
    """Whether `role` must not see the arm of `participant`, or of anybody without one."""
    if role not in study.protocol.blinding.roles:
        return False
    rows = study.records.rows("SELECT participant FROM unblinding WHERE role = ?", role)
    unblinded = {row["participant"] for row in rows}
    return None not in unblinded and (participant is None or participant not in unblinded)


def label(study: Study, role: Role, participant: Participant) -> str:
    """The arm of `participant` as `role` may see it: its name, or the masked label."""
    if is_blinded(study, role, participant.code):
        return labels(study)[participant.arm.name]
    return participant.arm.name


def unblind(study: Study, role: Role, *, by: str, why: str, participant: str | None = None) -> None:
    """From now on `role` may know the arms, or that of one participant. Recorded once, with who and why.

    Raises `StudyError` when the role is not blinded or no reason is given, and `UnknownCode`.
    """
    if not why.strip():
        raise StudyError("Say why: --why REASON.")
    if role not in study.protocol.blinding.roles:
        blinded = ", ".join(study.protocol.blinding.roles) or "nobody"
        raise StudyError(f"The {role} is not blinded in this study; blinded: {blinded}.")
    if participant is not None:
        study.participant(participant)
    if not is_blinded(study, role, participant):
        return
    now = study.clock.now()
    with study.records.write() as write:
        row = {"role": role, "participant": participant, "unblinded_at": stamp(now), "unblinded_by": by, "why": why}
        write.insert("unblinding", row)
        write.log(now, by, "unblinded", f"{role} {participant or 'everybody'}", person=participant, why=why)


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else f"{chr(ord('A') + place // 26 - 1)}{chr(ord('A') + place % 26)}"

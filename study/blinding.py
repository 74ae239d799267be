"""Who may not know which arm is which: masked labels, and the recorded act of unblinding.

Whoever looks at the study in a blinded role sees labels such as "Arm A". Which label is which arm follows from the
study's key, so nobody can compute it from `study.toml`; it is the same in every export and on every page, and another
one for each role, so that what one role was told tells nothing to the other. A rehearsal, which anybody may look into,
has labels of its own.
"""

from typing import Literal, get_args

from study.errors import StudyError
from study.records import stamp
from study.study import Participant, Study

__all__ = ["ROLES", "Role", "is_blinded", "is_unblinded", "label", "labels", "unblind"]

Role = Literal["analyst", "assessor"]

ROLES: tuple[Role, ...] = get_args(Role)


def labels(study: Study, role: Role) -> dict[str, str]:
    """The masked label of each arm, for `role`. Arms that an amendment added come after those that were there."""
    rows = study.records.rows("SELECT version FROM protocol ORDER BY version")
    purpose = f"rehearsal blinding {role}" if study.rehearsal else f"blinding {role}"
    masked: dict[str, str] = {}
    for protocol in [*(study.version(row["version"]) for row in rows), study.protocol]:
        fresh = [arm.name for arm in protocol.arms if arm.name not in masked]
        for name in sorted(fresh, key=lambda name: study.key.token(purpose, name)):
            masked[name] = f"Arm {_letters(len(masked))}"
    return masked


def label(study: Study, role: Role | None, participant: Participant) -> str:
    """What `role` may call the participant's arm: its masked label, or its name after an unblinding.

    None is nobody in particular, who is not blinded.
    """
    if role is None or is_unblinded(study, role, participant.code):
        return participant.arm.name
    return labels(study, role)[participant.arm.name]


def is_unblinded(study: Study, role: Role, participant: str | None = None) -> bool:
    """Whether `role` was told all arms, or, with the code of a `participant`, at least theirs."""
    return (
        study.records.row(
            "SELECT 1 FROM unblinding WHERE role = ? AND (participant IS NULL OR participant = ?)", role, participant
        )
        is not None
    )


def is_blinded(study: Study, role: Role, participant: str | None = None) -> bool:
    """The opposite of `is_unblinded`."""
    return not is_unblinded(study, role, participant)


def unblind(study: Study, role: Role, *, by: str, why: str, participant: str | None = None) -> None:
    """Record that `role` is told the arm of `participant` (a code), or all arms when that is left out.

    Raises `StudyError` when it does not say who allows it and why, or when it was done before, and `UnknownCode`.
    """
    if role not in ROLES:
        raise StudyError(f"There is no role {role!r}; choose one of {', '.join(ROLES)}.")
    if not by.strip():
        raise StudyError("Say who allows it: --by NAME.")
    if not why.strip():
        raise StudyError("Say why: --why REASON.")
    if participant is not None:
        study.participant(participant)
    now = study.clock.now()
    with study.records.write() as write:
        standing = "SELECT unblinded_by FROM unblinding WHERE role = ? AND (participant IS NULL OR participant = ?)"
        before = write.value(standing, role, participant)
        if before is not None:
            whom = f" for {participant}" if participant else ""
            raise StudyError(f"The {role} is unblinded{whom} already, by {before}.")
        write.insert(
            "unblinding",
            {
                "role": role,
                "participant": participant,
                "unblinded_at": stamp(now),
                "unblinded_by": by,
                "why": why,
            },
        )
        write.log(now, by, "unblinded", role, person=participant, why=why)


def _letters(number: int) -> str:
    """0 is A, 25 is Z, 26 is AA."""
    first, last = divmod(number, 26)
    return (_letters(first - 1) if first else "") + chr(ord("A") + last)

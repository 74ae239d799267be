"""Roles, and what each may do. Everything that the console shows or takes asks for a permission, never for a role."""

from typing import Literal, get_args

from study.errors import StudyError

__all__ = ["ABOUT", "PERMISSIONS", "ROLES", "Permission", "Role", "allowed_together", "markdown", "permissions_of"]

Role = Literal["researcher", "coordinator", "safety officer", "analyst", "administrator"]

ROLES: tuple[Role, ...] = get_args(Role)

Permission = Literal[
    "follow",
    "see arms",
    "enrol",
    "correct",
    "read",
    "take over",
    "report harm",
    "safety",
    "identity",
    "audit",
    "export",
    "protocol",
    "engine",
    "devices",
    "accounts",
]
"""`follow`: where everybody is. `see arms`: unmasked. `enrol`: enrol, hand out links, move, withdraw. `correct`: change
a value, with a reason. `read`: transcripts. `take over`: write in the therapist's place. `report harm`: report an
adverse event. `safety`: acknowledge and assess events, halt and go on. `identity`: look up a name, with a reason.
`audit`: who looked.
`export`: the data. `protocol`: read it. `engine`: its health. `devices`: robots and their tokens.
`accounts`: who has one."""

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    "researcher": frozenset(
        {
            "follow",
            "see arms",
            "enrol",
            "correct",
            "read",
            "take over",
            "report harm",
            "safety",
            "identity",
            "audit",
            "export",
            "protocol",
            "engine",
            "devices",
        }
    ),
    "coordinator": frozenset({"follow", "see arms", "enrol", "report harm", "identity", "protocol", "engine"}),
    "safety officer": frozenset(
        {"follow", "see arms", "read", "take over", "report harm", "safety", "identity", "protocol", "engine"}
    ),
    "analyst": frozenset({"follow", "export", "protocol"}),
    "administrator": frozenset({"audit", "protocol", "engine", "devices", "accounts"}),
}
"""The analyst is blinded: they see masked arms, and nothing from which an arm follows."""


ABOUT: dict[Role, str] = {
    "researcher": "runs the study and sees all of it, but for safety decisions and accounts",
    "coordinator": "enrols, hands out links, reports harm; reads no transcript",
    "safety officer": "acknowledges and assesses safety events, halts, reads transcripts, takes over",
    "analyst": "is blinded: masked arms, the data, nothing from which an arm follows",
    "administrator": "accounts, robots and the engine; sees no participant",
}


def permissions_of(roles: frozenset[Role]) -> frozenset[Permission]:
    """What somebody with `roles` may do."""
    return frozenset().union(*(PERMISSIONS[role] for role in roles))


def allowed_together(roles: frozenset[str]) -> frozenset[Role]:
    """The roles, when one person may hold them all.

    Raises `StudyError` for none, for one that does not exist, and for the analyst with another: each of the others
    sees arms, sees which robot somebody meets, or hands out roles.
    """
    if not roles or not roles <= set(ROLES):
        raise StudyError(f"Choose at least one role: {', '.join(ROLES)}.")
    if "analyst" in roles and len(roles) > 1:
        raise StudyError("The analyst is blinded, so whoever has that role can have no other.")
    return roles  # type: ignore[return-value] # each is one of them


def markdown() -> str:
    """The table of docs/security.md: every permission, and which roles have it."""
    lines = ["| may | " + " | ".join(ROLES) + " |", "|---|" + "---|" * len(ROLES)]
    for permission in get_args(Permission):
        marks = ["yes" if permission in PERMISSIONS[role] else "" for role in ROLES]
        lines.append(f"| {permission} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")

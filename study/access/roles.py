"""Roles, and what each may do. Everything that the console shows or takes asks for a permission, never for a role."""

from typing import Literal, get_args

__all__ = ["PERMISSIONS", "ROLES", "Permission", "Role", "permissions_of"]

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


def permissions_of(roles: frozenset[Role]) -> frozenset[Permission]:
    """What somebody with `roles` may do."""
    return frozenset().union(*(PERMISSIONS[role] for role in roles))

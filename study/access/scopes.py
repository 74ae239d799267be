"""Scopes: what the token of a device is good for."""

from datetime import timedelta
from typing import Literal, get_args

__all__ = ["ABOUT", "GRACE", "SCOPES", "Scope"]

Scope = Literal["visits", "read", "telemetry"]

SCOPES: tuple[Scope, ...] = get_args(Scope)

ABOUT: dict[Scope, str] = {
    "visits": "claim visits and hold them",
    "read": "read a visit that the device holds, and its replies",
    "telemetry": "report how the device is",
}

GRACE = timedelta(minutes=10)
"""So long the token before a rotation is still good: time to bring the new one to the robot."""

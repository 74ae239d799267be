"""The errors this room raises beside the study's and the therapist's."""

__all__ = ["PortalError"]


class PortalError(Exception):
    """The portal cannot be started as asked; the message says what to do."""

"""The errors this room raises beside the study's and the therapist's."""

__all__ = ["Alarmed", "PortalError"]


class PortalError(Exception):
    """The portal cannot be started as asked; the message says what to do."""


class Alarmed(Exception):
    """Words were refused, and the screen found something in them: the people to call are shown, not the refusal."""

    def __init__(self) -> None:
        super().__init__("These words were not taken. The safety screen found something in them; the study is told.")

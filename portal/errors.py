"""The errors this room raises beside the study's and the therapist's."""

__all__ = ["Alarmed", "PortalError"]


class PortalError(Exception):
    """The portal cannot be started as asked; the message says what to do."""


class Alarmed(Exception):
    """Words were refused, and the screen found something in them: the people to call are shown, not the refusal."""

    def __init__(self, message: str | None = None) -> None:
        """`message` is the fixed one, with the contacts, for whoever says it rather than shows a page."""
        super().__init__("These words were not taken. The safety screen found something in them; the study is told.")
        self.message = message

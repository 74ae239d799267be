"""The errors this room raises, all under `RobotError`."""

__all__ = [
    "Alarmed",
    "ClaimedElsewhere",
    "NotReachable",
    "PageFirst",
    "Refused",
    "RobotError",
    "SoundError",
    "SpeechError",
    "Stopped",
    "WrongCode",
    "WrongToken",
]


class RobotError(Exception):
    """Something the robot cannot do, in one sentence for the person who set it up."""


class SpeechError(RobotError):
    """Something the robot hears or speaks with is missing or broken."""


class NotReachable(RobotError):
    """The portal does not answer, or broke off; the same call may be made again."""


class WrongToken(RobotError):
    """The portal does not know this device token."""


class WrongCode(RobotError):
    """No visit with a robot has this code today, or too many wrong codes were tried."""


class ClaimedElsewhere(RobotError):
    """Another robot holds the visit."""


class Refused(RobotError):
    """The visit is at another point than the robot thought, or may not be made: the message is the portal's."""


class PageFirst(Refused):
    """The participant has something to read or to answer on their own page before the robot may have the visit."""


class Alarmed(Refused):
    """Words were refused, and the safety screen found something in them: `message` is what is to be said to whoever
    said them."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(why)
        self.message = message


class Stopped(RobotError):
    """The node was told to stop while it waited for words."""


class SoundError(RobotError):
    """The microphone or the loudspeaker is missing or was taken away."""

"""What a participant of a study hears of such replies: a conversation of the audit under Bedside's rules.

In a visit the crisis screen reads the participant's words before a model does, and the model's before anyone hears
them; a hit stops the exercise and says the study's own reviewed message with its contacts. A sentence that puts the
participant down or leaves the role is refused, with what follows it (`therapist.conversation`). Here the same rules
read the turns of an audit. The rails' other reasons need an exercise's step and are left aside, so a visit lets no more
be heard than is said here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from therapist.rails import split
from therapist.screen import Screen

__all__ = ["Heard", "as_heard"]


@dataclass(frozen=True, slots=True)
class Heard:
    """A conversation under the rules. Turns are counted from 0."""

    replies: tuple[str, ...]
    """What of each reply is heard, up to the stop; a reply of which nothing is left is empty."""
    stopped_by_client: int | None
    """At which turn the screen stops the exercise for the client's words, before the model is asked."""
    stopped_by_reply: int | None
    """At which turn it stops it for the model's."""
    refused: int
    """How many replies lost a sentence, those in which the exercise was stopped aside."""

    @property
    def stopped(self) -> bool:
        """Whether the exercise was stopped, and so the fixed message with the contacts said."""
        return self.stopped_by_client is not None or self.stopped_by_reply is not None


def as_heard(turns: Sequence[str], replies: Sequence[str], language: str = "en") -> Heard:
    """What is heard of `replies` to `turns`."""
    screen = Screen.load(language)
    heard: list[str] = []
    refused = 0
    for place, (turn, reply) in enumerate(zip(turns, replies, strict=True)):
        if screen.check(turn, "participant") is not None:
            return Heard(tuple(heard), place, None, refused)
        kept: list[str] = []
        for sentence in split(reply):
            if screen.check(sentence, "therapist") is not None:
                return Heard((*heard, " ".join(kept)), None, place, refused)
            if screen.put_down(sentence) is not None or screen.is_out_of_role(sentence):
                refused += 1
                break
            kept.append(sentence)
        heard.append(" ".join(kept))
    return Heard(tuple(heard), None, None, refused)

"""A simulated student who holds a robot visit by sound alone: listens to the loudspeaker, speaks into the microphone."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robot_node.numbers import rating_in
from robot_node.speech.recognition import Recogniser, open_recogniser
from tests.robot_node.voices import hibari
from tests.soundloop import Recorder, SoundLoop

__all__ = ["ANSWERS", "DIGITS", "Exchange", "Student"]

TURN_S = 0.8
"""The student takes the robot's silence of this length for their turn."""

FILLERS = ("i see", "think about", "one moment", "no sound")
"""What the robot says while it thinks: not yet the student's turn."""

IMPATIENCE_S = 12.0
"""A student who gets no answer says it again."""

ANSWERS = (
    "I failed my chemistry exam last week and I felt terrible.",
    "I thought that I will never finish my degree.",
    "I felt sad and anxious, about eighty.",
    "My marks were lower than last year and I had studied hard.",
    "Last year I passed every exam and my tutor said I was doing well.",
    "I would tell a friend that one bad exam is not the end.",
    "One exam went badly, but I can try it again in the summer.",
    "I feel calmer now, maybe forty.",
)
"""Enough for every step of both exercises; they are used again from the first when they run out."""


@dataclass
class Exchange:
    """One answer of the student and what followed, on the clock of `time.monotonic`."""

    kind: str
    said: str
    began: float
    ended: float
    """When the last sound of the student was on the microphone."""
    answered: float = 0.0
    """When the first sound of the robot after it was on the loudspeaker."""


@dataclass
class Student:
    """Somebody with a code, a rating before and one after."""

    loop: SoundLoop
    code: str
    before: str = "seventy"
    after: str = "thirty five"
    voice: Callable[[str], Any] = hibari
    answers: Iterator[str] | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    """What the student understood of the robot."""

    def __post_init__(self) -> None:
        self._robot = Recorder(self.loop, "speaker.monitor")
        self._self = Recorder(self.loop, "mic_in.monitor")
        self._ears: Recogniser = open_recogniser("moonshine")
        self._given = 0
        self._rated = 0

    def close(self) -> None:
        self._robot.close()
        self._self.close()
        self._ears.close()

    def hold_visit(self, timeout_s: float = 300.0) -> None:
        """Answer until the robot says goodbye. Raises AssertionError when it does not in time."""
        limit = time.monotonic() + timeout_s
        listened_from = time.monotonic()
        self._given = self._rated = 0
        while True:
            words, listened_from = self.listen(listened_from, limit)
            if "goodbye" in words or "good bye" in words:
                return
            answer = self.answer_to(words)
            if answer is not None:
                self.say(*answer)
                listened_from = self.exchanges[-1].ended

    def listen(self, since: float, limit: float) -> tuple[str, float]:
        """What the robot says next, up to its silence, and when that was."""
        asked_again = time.monotonic() + IMPATIENCE_S
        while True:
            assert time.monotonic() < limit, f"the robot did not come to its end; last heard: {self.heard[-3:]}"
            stretches = self._robot.stretches(since, gap_s=TURN_S)
            if stretches and time.monotonic() - stretches[-1].ends > TURN_S:
                break
            if not stretches and self.exchanges and time.monotonic() > asked_again:
                self.say(self.exchanges[-1].kind, self.exchanges[-1].said)
                asked_again = time.monotonic() + IMPATIENCE_S
            time.sleep(0.05)
        if self.exchanges and not self.exchanges[-1].answered:
            self.exchanges[-1].answered = stretches[0].begins
        sound = self._robot.samples(stretches[-1].begins - 0.2)
        self._ears.begin()
        self._ears.feed(sound)
        words = self._ears.finish().text.lower()
        self.heard.append(words)
        return words, stretches[-1].ends

    def longest_silence(self) -> float:
        """The longest time in which nobody spoke although it was the robot's turn, in seconds."""
        longest = 0.0
        for exchange, following in zip(self.exchanges, self.exchanges[1:], strict=False):
            until = following.began
            spoken = [one for one in self._robot.stretches(exchange.ended, gap_s=0.2) if one.begins < until]
            edges = [exchange.ended, *(edge for one in spoken for edge in (one.begins, one.ends))]
            # The last silence is the student's own: they wait to be sure that it is their turn.
            longest = max([longest, *(b - a for a, b in zip(edges[::2], edges[1::2], strict=False))])
        return longest

    def answer_to(self, words: str) -> tuple[str, str] | None:
        """The kind of answer and the answer to what was understood; None where the robot has not finished."""
        if len(words.split()) < 4 or (any(sign in words for sign in FILLERS) and len(words.split()) < 9):
            return None
        if "digit" in words or "your page" in words:
            return "code", " ".join(self.code)
        if "distress" in words or "number" in words:
            self._rated += "distress" in words
            return "rating", self.rating
        if "right" in words and len(words.split()) < 9:
            repeated = rating_in(words.partition("is that")[0])
            meant = repeated is None or repeated == rating_in(self.rating)
            return "yes", "Yes, that is right." if meant else "No."
        if "yes or no" in words:
            return "yes", "Yes."
        self._given += 1
        return "words", next(self.answers) if self.answers else ANSWERS[(self._given - 1) % len(ANSWERS)]

    @property
    def rating(self) -> str:
        """What the student answers when asked for a number now."""
        return self.before if self._rated <= 1 else self.after

    def say(self, kind: str, words: str) -> None:
        """Say it, and remember when it ended."""
        spoken = words if kind != "code" else ", ".join(DIGITS[digit] for digit in words.split()) + "."
        began = time.monotonic()
        self.loop.play(np.concatenate([self.voice(spoken), np.zeros(800, np.float32)])).wait(60)
        time.sleep(0.1)
        self.exchanges.append(Exchange(kind, words, began, self._self.stretches(began, gap_s=3.0)[-1].ends))


DIGITS = {str(number): word for number, word in enumerate("zero one two three four five six seven eight nine".split())}

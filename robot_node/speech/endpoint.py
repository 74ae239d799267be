"""Where an utterance begins, pauses and ends, from how likely each short frame holds speech. Pure: no sound in here.

    silence --began--> speech --paused--> pause --ended--> silence
                         ^                  |
                         +-----resumed------+

An utterance that reaches the longest length ends without a pause. `began` comes only once speech has lasted a moment,
so the caller keeps the last `PRE_ROLL_S` of sound in a ring and puts it before the utterance: it holds that moment and
what the detector was late for.
"""

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["FRAME_S", "PRE_ROLL_S", "Endpointer", "Event"]

FRAME_S = 0.032
"""Seconds a frame, as the voice activity detector takes them."""

PRE_ROLL_S = 0.3
"""Seconds of sound before `began` that belong to the utterance; the caller keeps them."""

RESUME_FRAMES = 2
"""Frames of speech that end a pause. One alone is a click."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at the end of the frame that was fed. Times are seconds since the last reset."""

    kind: Literal["began", "paused", "resumed", "ended"]
    at_s: float
    speech_from_s: float
    """Where the utterance's speech begins."""
    speech_until_s: float
    """Where the last speech heard so far ends."""


class Endpointer:
    """Feed it one probability a frame; it says what happened.

    `pause_s` may be set at any time, as for an answer that needs thinking; it counts from the next frame on.
    """

    def __init__(
        self,
        pause_s: float = 0.7,
        *,
        shortest_s: float = 0.1,
        longest_s: float = 60.0,
        short_pause_s: float = 0.25,
        on: float = 0.5,
        off: float = 0.35,
    ) -> None:
        """Silence of `pause_s` ends an utterance, of `short_pause_s` makes it pause; lengths are rounded up to frames.

        Speech shorter than `shortest_s` is none. After `longest_s`, pauses included, an utterance ends in any case. A
        frame is speech from `on` up, and the frames after it down to `off`. Raises ValueError for what cannot be.
        """
        if not 0 <= off <= on <= 1:
            raise ValueError(f"speech ends at or below where it begins, both 0 to 1: not {off} and {on}")
        if not 0 < shortest_s < longest_s or short_pause_s <= 0:
            raise ValueError("lengths are above 0, and the shortest speech is shorter than the longest utterance")
        self._on, self._off = on, off
        self._shortest, self._longest = _frames(shortest_s), _frames(longest_s)
        self._short_pause = _frames(short_pause_s)
        self.pause_s = pause_s
        self.reset()

    @property
    def pause_s(self) -> float:
        """Seconds of silence that end an utterance; above the short pause, else ValueError."""
        return self._pause_s

    @pause_s.setter
    def pause_s(self, seconds: float) -> None:
        if _frames(seconds) <= self._short_pause:
            raise ValueError(f"the pause that ends an utterance is longer than the short one, not {seconds} s")
        self._pause_s, self._pause = seconds, _frames(seconds)

    @property
    def inside(self) -> bool:
        """Whether an utterance has begun and not ended."""
        return self._inside

    def reset(self) -> None:
        """Forget everything and count time from 0 again."""
        self._frame = 0
        self._run = 0  # frames of speech up to now without a gap
        self._quiet = 0  # frames since the last speech of the utterance
        self._inside = self._paused = False
        self._from = 0  # the utterance's first frame

    def feed(self, probability: float) -> Event | None:
        """Take the next frame's probability of speech, 0 to 1; return what happened, or None."""
        self._frame += 1
        speech = probability >= (self._off if self._run else self._on)
        self._run = self._run + 1 if speech else 0
        if not self._inside:
            return self._silent()
        if self._run and (not self._quiet or self._run >= RESUME_FRAMES):
            self._quiet = 0
        else:
            self._quiet += 1
        if self._frame - self._from >= self._longest:
            return self._end()
        if not self._quiet:
            if self._paused:
                self._paused = False
                return self._event("resumed")
            return None
        if self._run:
            return None  # this may be speech again: the next frame tells
        if not self._paused and self._quiet >= self._short_pause:
            self._paused = True
            return self._event("paused")
        if self._paused and self._quiet >= self._pause:
            return self._end()
        return None

    def stop(self) -> Event | None:
        """Nobody listens any more: end the utterance if there is one."""
        if self._inside:
            return self._end()
        self._run = 0
        return None

    def _silent(self) -> Event | None:
        if self._run < self._shortest:
            return None
        self._inside, self._paused, self._quiet = True, False, 0
        self._from = self._frame - self._run
        return self._event("began")

    def _end(self) -> Event:
        event = self._event("ended")
        self._inside = self._paused = False
        self._run = 0
        return event

    def _event(self, kind: Literal["began", "paused", "resumed", "ended"]) -> Event:
        return Event(kind, self._frame * FRAME_S, self._from * FRAME_S, (self._frame - self._quiet) * FRAME_S)


def _frames(seconds: float) -> int:
    return math.ceil(round(seconds / FRAME_S, 6))

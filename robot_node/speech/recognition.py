"""Speech into words: what every recogniser does, and how one is opened.

An utterance goes through a recogniser so: `begin`, `feed` again and again, `finish`. Where somebody pauses, `peek`
gives what was said so far; if nothing follows but silence, `finish` gives the same at once, without work. So the robot
can use the pause that it must leave anyway.

A recogniser works in the thread that calls it, and is used from one thread at a time. `feed` may take as long as a
partial transcript takes (tenths of a second), so it is not for a sound card's callback.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from robot_node.errors import SpeechError

__all__ = ["ENGINES", "EXPECTING", "RATE", "Heard", "Recogniser", "Word", "open_recogniser"]

RATE = 16_000
"""Samples a second that every recogniser takes."""

EXPECTING = ("code", "rating", "yes", "words", "reflection")
"""The kinds of answer. An engine with a grammar listens for the first three with one."""

ENGINES = ("moonshine", "vosk")


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it stands, in seconds from the first sample of the utterance that was fed."""

    text: str
    begins_s: float
    ends_s: float
    confidence: float | None
    """0 to 1; None when the engine gives none."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said, as far as the engine can tell."""

    text: str
    """Empty when no word was recognised."""
    confidence: float | None = None
    """0 to 1, the mean over the words; None when the engine gives none."""
    words: tuple[Word, ...] = ()
    """Empty when the engine gives no times."""


class Recogniser(Protocol):
    """An engine with its model, ready for one utterance after the other."""

    @property
    def name(self) -> str:
        """Engine, version and model, for the record."""

    @property
    def language(self) -> str:
        """The language it understands, as in `en`."""

    @property
    def rate(self) -> int:
        """Samples a second of what is fed: 16000."""

    def begin(self, expecting: str = "words") -> None:
        """Forget what was fed and begin a new utterance; `expecting` is one of `EXPECTING`, else ValueError."""

    def feed(self, samples: np.ndarray, quiet: bool = False) -> str | None:
        """Take more sound: float32, mono, -1 to 1, any length. Return a new partial transcript, or None.

        There is at most one partial every `partial_s` seconds of sound. `quiet` says that the caller hears no speech in
        these samples: then nothing is decoded, and what `peek` found stays good.
        """

    def peek(self) -> Heard:
        """The whole of what was fed so far, without ending the utterance; for the first short pause."""

    def finish(self) -> Heard:
        """The utterance is over: all that was said. At once when only quiet samples were fed since the last `peek`."""

    def close(self) -> None:
        """Give the model's memory back. Nothing may be asked afterwards."""


def open_recogniser(engine: str, model: str = "", language: str = "en", **options: Any) -> Recogniser:
    """The recogniser of `engine`, with the model in the folder `model`; empty: the one that comes with the engine.

    `options` go to the engine's class, such as `partial_s`. Raises SpeechError, in one sentence, when there is no such
    engine, its package or its model is missing, or the model cannot be read.
    """
    if engine not in ENGINES:
        raise SpeechError(f"There is no recogniser called {engine!r}; there are {' and '.join(ENGINES)}.")
    if model and not Path(model).expanduser().is_dir():
        raise SpeechError(f"The recogniser's model is to be in the folder {model}, and there is no such folder.")
    if engine == "moonshine":
        from robot_node.speech.moonshine import Moonshine

        return Moonshine(model, language, **options)
    from robot_node.speech.vosk import Vosk

    return Vosk(model, language, **options)


def checked(expecting: str) -> str:
    """`expecting`, when it is one of the kinds of answer; ValueError otherwise."""
    if expecting not in EXPECTING:
        raise ValueError(f"an answer is one of {', '.join(EXPECTING)}, not {expecting!r}")
    return expecting

"""From a sentence to sound, with the time at which each word begins.

pyttsx3 with espeak-ng is the default: it installs everywhere and takes about ten milliseconds a sentence. Its event
loop has traps: of two queued utterances only the last survives, `runAndWait` may return before the file is written, and
`stop` does not reach the player. So there is one engine, on one thread, with one utterance at a time, written to a file
that we play ourselves.
"""

import re
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile

from robot_node.errors import SpeechError

__all__ = ["Speech", "Synthesiser", "WordMark", "open_synthesiser"]

SILENCE = 0.005
"""Below this a sample counts as silence."""


@dataclass(frozen=True, slots=True)
class WordMark:
    """A word of a sentence and when it is heard."""

    word: str
    place: int
    """Characters into the sentence."""
    begins_s: float


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken sentence."""

    samples: Any
    """float32, mono, from -1 to 1."""
    rate: int
    """Samples a second."""
    words: tuple[WordMark, ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


class Synthesiser(Protocol):
    """Speaks. All calls come from one thread."""

    name: str
    """Engine and voice, for the record."""

    def speak(self, sentence: str) -> Speech:
        """The sentence as sound. Raises `SpeechError` when it cannot be spoken."""
        ...


def open_synthesiser(engine: str, voice: str = "", words_a_minute: int = 150, pitch: int = 50) -> Synthesiser:
    """The engine `pyttsx3` (voice: one that espeak-ng lists) or `piper` (voice: the path of a model's .onnx file).

    `words_a_minute` and `pitch` (0 to 100) are for pyttsx3. Raises `SpeechError` when it cannot be opened.
    """
    if engine == "pyttsx3":
        return _Pyttsx3(voice or "gmw/en", words_a_minute, pitch)
    if engine == "piper":
        return _Piper(voice)
    raise SpeechError(f"There is no speech synthesiser {engine!r}; use pyttsx3 or piper.")


class _Pyttsx3:
    """espeak-ng through pyttsx3. espeak itself says at which sample each word begins."""

    TIMEOUT_S = 10.0

    def __init__(self, voice: str, words_a_minute: int, pitch: int) -> None:
        try:
            import pyttsx3
            from pyttsx3.drivers import _espeak, espeak
        except ImportError as error:
            raise SpeechError(f"pyttsx3 cannot be loaded ({error}).") from None
        except RuntimeError as error:
            raise SpeechError("espeak-ng is not installed; type: apt-get install espeak-ng") from error
        espeak.print = lambda *_: None  # it prints a line for every file
        try:
            self._engine = pyttsx3.init("espeak")
            if voice.lower() not in {known.id.lower() for known in self._engine.getProperty("voices")}:
                raise SpeechError(f"espeak-ng has no voice {voice!r}; `espeak-ng --voices` lists them (column File).")
            self._engine.setProperty("voice", voice)
            self._engine.setProperty("rate", words_a_minute)
            self._engine.setProperty("pitch", pitch)
        except (RuntimeError, ValueError, OSError) as error:
            raise SpeechError(f"espeak-ng does not work ({error}).") from None
        self.name = f"espeak-ng {voice}"
        self._event_word = _espeak.EVENT_WORD
        self._event_end = _espeak.EVENT_LIST_TERMINATED
        self._driver = self._engine.proxy._driver
        self._marks: list[tuple[int, int, float]] = []
        self._finished = threading.Event()
        self._engine.connect("finished-utterance", self._on_finished)
        _espeak.SetSynthCallback(self._on_synthesis)

    def speak(self, sentence: str) -> Speech:
        self._marks = []
        self._finished.clear()
        with tempfile.TemporaryDirectory(prefix="bedside-voice-") as folder:
            path = Path(folder) / "sentence.wav"
            self._engine.save_to_file(sentence, str(path))
            self._engine.runAndWait()
            if not self._finished.wait(self.TIMEOUT_S) or not path.exists():
                raise SpeechError("espeak-ng did not speak a sentence in time.")
            samples, rate = soundfile.read(path, dtype="float32")
        words = tuple(
            WordMark(sentence[place : place + length], place, at)
            for place, length, at in self._marks
            if place >= 0 and sentence[place : place + length].strip()
        )
        return _trimmed(Speech(samples, rate, words))

    def _on_finished(self, name: str | None = None, completed: bool = True) -> None:
        self._finished.set()

    def _on_synthesis(self, wave: Any, count: int, events: Any) -> Any:
        position = 0
        while events[position].type != self._event_end:
            event = events[position]
            if event.type == self._event_word:
                self._marks.append((event.text_position - 1, event.length, event.audio_position / 1000))
            position += 1
        return self._driver._onSynth(wave, count, events)


class _Piper:
    """A natural voice. Piper gives no word times: they are spread over the sentence by the words' length."""

    def __init__(self, model: str) -> None:
        try:
            from piper import PiperVoice
        except ImportError:
            raise SpeechError("The package piper-tts is not installed; type: pip install piper-tts") from None
        if not Path(model).is_file():
            raise SpeechError(f"No voice model at {model!r}: `voice` is the path of a piper voice's .onnx file.")
        self._voice = PiperVoice.load(model)
        self.name = f"piper {Path(model).stem}"

    def speak(self, sentence: str) -> Speech:
        chunks = list(self._voice.synthesize(sentence))
        if not chunks:
            return Speech(np.zeros(0, np.float32), 22050, ())  # nothing in it that this voice can say
        samples = np.concatenate([chunk.audio_float_array for chunk in chunks]).astype(np.float32)
        rate = chunks[0].sample_rate
        share = len(samples) / rate / max(1, len(sentence))
        words = tuple(
            WordMark(match.group(), match.start(), match.start() * share) for match in re.finditer(r"\S+", sentence)
        )
        return _trimmed(Speech(samples, rate, words))


def _trimmed(speech: Speech) -> Speech:
    """Without the silence around it: before a sentence it is latency, after it keeps the robot from listening."""
    loud = np.flatnonzero(np.abs(speech.samples) > SILENCE)
    if not len(loud):
        return speech
    first = max(0, int(loud[0]) - int(0.01 * speech.rate))
    last = int(loud[-1]) + int(0.05 * speech.rate)
    marks = tuple(
        WordMark(mark.word, mark.place, max(0.0, mark.begins_s - first / speech.rate)) for mark in speech.words
    )
    return Speech(speech.samples[first:last], speech.rate, marks)

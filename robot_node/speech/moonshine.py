"""English speech into words with Moonshine, whose small model comes inside its package.

The engine decodes a piece of sound as a whole, so partial transcripts are decoded anew each time. Three things keep
that cheap and right: what is longer than some seconds is cut at its quietest moment and the piece before it is decoded
once and for all (of 40 seconds at a time the model makes up words, 15 are safe); the next partial waits until at least
three times as long as the last one took to decode; and silence around the words is evened out (of silence alone the
model makes the word "you").

The package gives neither a confidence nor the times of words with this model, so both are left out.
"""

import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from robot_node.errors import SpeechError
from robot_node.speech.recognition import RATE, Heard, checked

__all__ = ["Moonshine"]

FRAME = RATE // 50
"""Samples of the frames of 20 ms in which loudness is measured."""

MARGIN_S = 0.4
"""Silence left or put before and after the words. Without it the model mishears the first of them."""

QUIET_DB = 40.0
"""So far below the loudest frame a frame counts as silence."""

FLOOR = 1e-8
"""The power (-80 dB of full scale) under which nothing was said at all."""

PIECE_S = 14.0
"""What is longer is cut."""

EARLIEST_CUT_S, LATEST_CUT_S = 5.0, 13.0
"""Where it may be cut: at the quietest 0.3 s in between."""


class Moonshine:
    """Moonshine's recogniser. See `Recogniser` for what it does."""

    rate = RATE

    def __init__(self, model: str = "", language: str = "en", *, partial_s: float = 0.5) -> None:
        try:
            from moonshine_voice.moonshine_api import ModelArch
            from moonshine_voice.transcriber import Transcriber
            from moonshine_voice.utils import get_model_path
        except ImportError as error:
            raise SpeechError(
                "The recogniser moonshine needs the package moonshine-voice; install it, or choose another engine."
            ) from error
        if not model and language != "en":
            raise SpeechError(
                f"Moonshine's own model understands English only, not {language!r}; name the folder of another model, "
                "or choose the engine vosk."
            )
        # Never by the package's own search, which downloads what it does not find.
        folder = Path(model).expanduser() if model else Path(get_model_path("tiny-en"))
        missing = [name for name in ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
                   if not (folder / name).is_file()]  # fmt: skip
        if missing:
            raise SpeechError(f"There is no Moonshine model in {folder}: {', '.join(missing)} is missing.")
        kind = ModelArch.BASE if "base" in folder.name else ModelArch.TINY
        # The threshold of 0 switches the package's own cutting at pauses off. It hears a word "you" in silence, and
        # loses the context; the robot cuts utterances itself.
        settings = {"vad_threshold": "0.0", "return_audio_data": "false"}
        try:
            self._engine: Any = Transcriber(folder, kind, options=settings)
        except Exception as error:
            raise SpeechError(f"The Moonshine model in {folder} cannot be read: {error}") from error
        self.name = f"moonshine-voice {metadata.version('moonshine-voice')} {folder.name}"
        self.language = language
        self.partial_s = partial_s
        self.begin()

    def begin(self, expecting: str = "words") -> None:
        """Begin a new utterance. The engine has no grammar: `expecting` changes nothing."""
        checked(expecting)
        self._done: list[str] = []
        self._open: list[np.ndarray] = []
        self._since_partial = 0.0
        self._wait = self.partial_s
        self._partial = ""
        self._peeked: Heard | None = Heard("")

    def feed(self, samples: np.ndarray, quiet: bool = False) -> str | None:
        """Take more sound; return a new partial transcript, or None."""
        samples = np.asarray(samples, np.float32).reshape(-1)
        if not len(samples):
            return None
        self._open.append(samples)
        if quiet:
            return None
        self._peeked = None
        self._since_partial += len(samples) / RATE
        if self._since_partial < self._wait:
            return None
        began = time.monotonic()
        text = self._whole()
        self._since_partial = 0.0
        self._wait = max(self.partial_s, 3 * (time.monotonic() - began))
        if text == self._partial:
            return None
        self._partial = text
        return text

    def peek(self) -> Heard:
        """What was said so far."""
        if self._peeked is None:
            self._peeked = Heard(self._whole())
            self._since_partial = 0.0
        return self._peeked

    def finish(self) -> Heard:
        """All that was said; at once when only quiet samples followed the last `peek`."""
        heard = self.peek()
        self.begin()
        return heard

    def close(self) -> None:
        """Give the model's memory back."""
        self._engine.close()

    def _whole(self) -> str:
        """All that was fed as text. Pieces that are long enough are cut off and decoded for good."""
        tail = np.concatenate(self._open) if self._open else np.zeros(0, np.float32)
        while len(tail) > PIECE_S * RATE:
            cut = quietest(tail, EARLIEST_CUT_S, LATEST_CUT_S)
            self._done.append(self._decode(tail[:cut]))
            tail = tail[cut:]
        self._open = [tail]
        return " ".join(text for text in (*self._done, self._decode(tail)) if text)

    def _decode(self, samples: np.ndarray) -> str:
        spoken = trimmed(samples)
        if not len(spoken):
            return ""
        transcript = self._engine.transcribe_without_streaming(spoken.tolist(), RATE)
        return " ".join(line.text.strip() for line in transcript.lines if line.text.strip())


def trimmed(samples: np.ndarray) -> np.ndarray:
    """The words in `samples` with exactly `MARGIN_S` of silence before and after them; empty when nothing was said.

    Silence is what lies `QUIET_DB` below the loudest frame; in a noisy room nothing is cut off.
    """
    power = _power(samples)
    if not len(power) or power.max() < FLOOR:
        return np.zeros(0, np.float32)
    loud = np.flatnonzero(power > power.max() / 10 ** (QUIET_DB / 10))
    margin = round(MARGIN_S * RATE)
    begins, ends = loud[0] * FRAME - margin, (loud[-1] + 1) * FRAME + margin
    before, after = max(0, -begins), max(0, ends - len(samples))
    words = samples[max(0, begins) : min(len(samples), ends)]
    return np.concatenate([np.zeros(before, np.float32), words, np.zeros(after, np.float32)])


def quietest(samples: np.ndarray, earliest_s: float, latest_s: float) -> int:
    """The middle, in samples, of the quietest 0.3 s between two moments; of equals the last."""
    window = 15
    power = np.convolve(_power(samples), np.ones(window), "valid")
    first, last = round(earliest_s * RATE / FRAME), round(latest_s * RATE / FRAME) - window
    among = power[first : last + 1]
    place = first + len(among) - 1 - int(np.argmin(among[::-1]))
    return (place + window // 2) * FRAME


def _power(samples: np.ndarray) -> np.ndarray:
    """The mean square of each whole frame of 20 ms."""
    whole = len(samples) // FRAME * FRAME
    power: np.ndarray = (samples[:whole].reshape(-1, FRAME).astype(np.float64) ** 2).mean(axis=1)
    return power

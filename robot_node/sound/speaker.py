"""The loudspeaker: one stream, open all the time, into which sentences are put.

A stream for each sentence would cost 0.3 to 1.2 s each at some sound servers; an open one starts within its buffer.
"""

import threading
import time
from typing import Any

import numpy as np

from robot_node.errors import SoundError
from robot_node.sound.devices import portaudio, unopened

__all__ = ["Speaker"]

FADE_S = 0.01
"""Cut sound fades out over so long, so that it does not click."""

STALLED_S = 1.0
"""A stream whose callback has not run for so long has lost its device."""


class Speaker:
    """Plays mono sound of one rate. Safe to use from several threads."""

    def __init__(self, rate: int, device: str = "", latency_s: float = 0.04) -> None:
        """Open the device whose name contains `device`, the default one when empty. Raises `SoundError`."""
        self.rate = rate
        self._lock = threading.Lock()
        self._sound = np.zeros(0, np.float32)
        self._place = 0
        self._played = threading.Event()
        self._played.set()
        self._called = time.monotonic()
        sounddevice = portaudio()
        try:
            self._stream = sounddevice.OutputStream(
                samplerate=rate,
                channels=1,
                dtype="float32",
                device=device or None,
                latency=latency_s,
                blocksize=rate // 100,
                callback=self._fill,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SoundError(unopened("loudspeaker", error)) from None
        self.latency_s = float(self._stream.latency)
        """Between what is written and what is heard."""

    @property
    def alive(self) -> bool:
        """Whether the device still takes sound."""
        return bool(self._stream.active) and time.monotonic() - self._called < STALLED_S

    def play(self, samples: Any) -> None:
        """Begin to play float32 samples, in place of what is being played."""
        with self._lock:
            self._sound = np.asarray(samples, np.float32)
            self._place = 0
            self._played.clear()

    @property
    def position_s(self) -> float:
        """How much of the sound was given to the device."""
        with self._lock:
            return self._place / self.rate

    def wait(self, timeout_s: float) -> bool:
        """Wait until all was given to the device or cut; whether that was so in time."""
        return self._played.wait(timeout_s)

    def cut(self) -> None:
        """Be silent, after a short fade."""
        with self._lock:
            rest = self._sound[self._place : self._place + int(FADE_S * self.rate)]
            self._sound = rest * np.linspace(1, 0, len(rest), dtype=np.float32)
            self._place = 0

    def close(self) -> None:
        """Give the device back; what is being played is lost."""
        self._played.set()
        # A stream whose server has gone can hang in stop(), so it is not waited for.
        closing = threading.Thread(target=self._stream.abort if self.alive else self._stream.close, daemon=True)
        closing.start()
        closing.join(1.0)

    def _fill(self, out: Any, frames: int, times: Any, status: Any) -> None:
        self._called = time.monotonic()
        with self._lock:
            part = self._sound[self._place : self._place + frames]
            out[: len(part), 0] = part
            out[len(part) :, 0] = 0
            self._place += len(part)
            if self._place >= len(self._sound):
                self._played.set()

"""The microphone: 16 kHz, mono, in frames of 32 ms."""

import contextlib
import queue
import shutil
import subprocess
import threading
import time
from typing import Any

from robot_node.errors import SoundError
from robot_node.sound.devices import portaudio, unopened

__all__ = ["FRAME", "RATE", "Microphone"]

RATE = 16000
FRAME = 512
"""Samples a frame: what the voice activity detector takes."""

CHECK_S = 2.0
"""How often the sound server is asked whether there still is a microphone."""

STALLED_S = 1.0
"""A microphone that has given no frame for so long was taken away."""


class Microphone:
    """Frames of float32 samples from -1 to 1, as they come."""

    def __init__(self, device: str = "") -> None:
        """Open the device whose name contains `device`, the default one when empty. Raises `SoundError`."""
        self._frames: queue.Queue[Any] = queue.Queue(maxsize=200)
        self._called = time.monotonic()
        sounddevice = portaudio()
        self._device = device
        self._checked = time.monotonic()
        if not device:
            _no_monitor()
        try:
            self._stream = sounddevice.InputStream(
                samplerate=RATE,
                channels=1,
                dtype="float32",
                device=device or None,
                latency="low",
                blocksize=FRAME,
                callback=self._take,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SoundError(unopened("microphone", error)) from None

    @property
    def alive(self) -> bool:
        """Whether frames still come."""
        return bool(self._stream.active) and time.monotonic() - self._called < STALLED_S

    def check(self) -> None:
        """Raises `SoundError` when the microphone was taken away. A sound server then gives what the loudspeaker plays
        instead, so frames alone tell nothing; the server is asked every `CHECK_S`."""
        if not self.alive:
            raise SoundError("the microphone was taken away; trying to open it again")
        if not self._device and time.monotonic() - self._checked > CHECK_S:
            self._checked = time.monotonic()
            _no_monitor()

    def frame(self, timeout_s: float) -> Any | None:
        """The next frame, FRAME samples of float32; None when none comes in time."""
        try:
            return self._frames.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Give the device back."""
        closing = threading.Thread(target=self._stream.abort if self.alive else self._stream.close, daemon=True)
        closing.start()
        closing.join(1.0)

    def _take(self, samples: Any, frames: int, times: Any, status: Any) -> None:
        self._called = time.monotonic()
        with contextlib.suppress(queue.Full):  # nobody reads: the newest frames are worth no more than the oldest
            self._frames.put_nowait(samples[:, 0].copy())


def _no_monitor() -> None:
    """Raises `SoundError` when the sound server has no microphone left and offers what the loudspeaker plays."""
    pactl = shutil.which("pactl")
    if pactl is None:
        return
    with contextlib.suppress(subprocess.TimeoutExpired):
        asked = subprocess.run([pactl, "get-default-source"], capture_output=True, text=True, timeout=2, check=False)  # noqa: S603
        if asked.stdout.strip().endswith(".monitor"):
            raise SoundError("no microphone is plugged in, or none is the system's default")

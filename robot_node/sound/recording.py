"""Recorded utterances: a WAV file each, with its hash in an index beside it."""

import csv
import hashlib
import io
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import soundfile

__all__ = ["Recordings"]

COLUMNS = ("file", "sha256", "recorded_at", "seconds", "words_sha256")


class Recordings:
    """A folder of utterances. `index.csv` says of each file when it was recorded and what its SHA-256 is.

    The words are not in it, only their hash: it is the `sha256` that the study's event log has for the turn.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, name: str, samples: Any, rate: int, words: str) -> Path:
        """Write one utterance, float32 mono, as 16-bit WAV; on the disk when this returns. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = 1 + sum(1 for _ in self.folder.glob(f"{name}-*.wav"))
        path = self.folder / f"{name}-{number:03}.wav"
        sound = io.BytesIO()
        soundfile.write(sound, samples, rate, subtype="PCM_16", format="WAV")
        with path.open("xb") as file:
            file.write(sound.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        index = self.folder / "index.csv"
        fresh = not index.exists()
        with index.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(COLUMNS)
            row = (path.name, hashlib.sha256(sound.getvalue()).hexdigest(), datetime.now(UTC).isoformat())
            writer.writerow((*row, round(len(samples) / rate, 3), hashlib.sha256(words.encode()).hexdigest()))
            file.flush()
            os.fsync(file.fileno())
        return path

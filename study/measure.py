"""Measures as data. (Being written.)"""

from pathlib import Path
from typing import Any

Measure = Any


def measure_names(folder: Path | None = None) -> list[str]:
    return ["distress"]


def load_measure(name: str, folder: Path | None = None) -> Measure:
    raise NotImplementedError

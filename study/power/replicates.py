"""Finished replicates, kept as they come, so that a run that was stopped goes on where it was.

One file for each cell (a number of participants and a scale of the effects), named by the hash of everything that its
replicates depend on; a line for each replicate, in JSON. A line is whole or it is not there: what a process that was
killed wrote of its last one is cut off when the file is opened again.
"""

import fcntl
import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from study.errors import StudyError

__all__ = ["Kept", "Replicate", "keeping", "key_of"]


@dataclass(frozen=True, slots=True)
class Replicate:
    """What the planned analysis of one simulated trial said."""

    number: int
    estimates: tuple[tuple[float, float, float], ...] | None
    """Value, standard error and degrees of freedom of each contrast of the plan; None when it could not be analysed."""
    said: str = ""
    """Why it could not."""
    fell_back: bool = False
    """Whether the model that the plan names first could not be fitted, so that another one was taken."""
    singular: bool = False
    """Whether a variance was at its bound."""

    def line(self) -> bytes:
        # Infinite degrees of freedom, of the normal distribution, are null: JSON has no word for them.
        estimates = self.estimates and [
            (value, se, df if math.isfinite(df) else None) for value, se, df in self.estimates
        ]
        row: dict[str, Any] = {"replicate": self.number, "estimates": estimates}
        row |= {name: value for name in _ASIDE if (value := getattr(self, name))}
        return json.dumps(row, allow_nan=False).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> "Replicate":
        row = json.loads(line)
        found = row["estimates"]
        estimates = found and tuple((value, se, math.inf if df is None else df) for value, se, df in found)
        return cls(row["replicate"], estimates, **{name: row[name] for name in _ASIDE if name in row})


_ASIDE = ("said", "fell_back", "singular")


def key_of(configuration: Mapping[str, Any]) -> str:
    """The hash of all that the replicates of a cell depend on."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Kept:
    """The replicates of one cell, and the file that they are kept in."""

    def __init__(self, path: Path) -> None:
        """Reads what is there. Raises `StudyError` when another process is writing to it."""
        self.replicates: dict[int, Replicate] = {}
        self._file: BinaryIO = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise StudyError(
                f"Another `bedside power` is simulating the same into {path.parent.parent}; wait for it, or give "
                "another folder with --out."
            ) from None
        self._file.seek(0)
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            self._keep(Replicate.of_line(line))
            whole += len(line)
        self._file.truncate(whole)

    def add(self, replicates: Iterable[Replicate]) -> None:
        """Keep more of them: they are on the disk afterwards."""
        more = list(replicates)
        self._file.write(b"".join(one.line() for one in more))
        self._file.flush()
        os.fsync(self._file.fileno())
        for one in more:
            self._keep(one)

    def first(self, count: int) -> list[Replicate]:
        """The replicates 0 to `count` - 1, which are all there, in their order."""
        return [self.replicates[number] for number in range(count)]

    def close(self) -> None:
        self._file.close()

    def _keep(self, one: Replicate) -> None:
        self.replicates[one.number] = one


@contextmanager
def keeping(folder: Path, keys: Iterable[str]) -> Iterator[list[Kept]]:
    """The kept replicates of each of `keys`, in `folder`; closed at the end."""
    opened: list[Kept] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for key in keys:
            opened.append(Kept(folder / f"{key[:32]}.jsonl"))
        yield opened
    except OSError as error:
        raise StudyError(f"Replicates cannot be kept in {folder}: {error.strerror or error}.") from error
    finally:
        for one in opened:
            one.close()

"""SQLite's write-ahead log, beside a record that a killed process left: whether something confirmed can't be read.

SQLite reads the log up to the first frame that does not fit its checksum, takes that for the place where writing was
cut short, and goes on without the rest. After a change in the middle of the log the rest are whole transactions, which
would be gone without a word. The format: https://www.sqlite.org/fileformat2.html#walformat.
"""

import struct
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["damage"]

_HEADER, _FRAME = 32, 24
_LITTLE, _BIG = 0x377F0682, 0x377F0683


def damage(record: Path) -> str | None:
    """One line when the log beside `record` has whole transactions that SQLite will not read, else None.

    To be asked before the record is opened: whoever closes it as the last one removes the log. A cut in the last
    transaction is no damage, since nobody was told yet that it is kept.
    """
    path = record.with_name(f"{record.name}-wal")
    line = _look(path)
    for _ in range(3):
        if line is not None:
            time.sleep(0.05)  # another process may just have been writing into it
            line = _look(path)
    return line


def _look(path: Path) -> str | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}."
    if len(content) < _HEADER + _FRAME:
        return None
    magic, _, size, _, *salts = struct.unpack(">6I", content[:24])
    order = {_LITTLE: "<", _BIG: ">"}.get(magic)
    sums = _add(content[:24], (0, 0), order or "<")
    if order is None or sums != struct.unpack(">2I", content[24:_HEADER]) or not 512 <= size <= 65536:
        return f"{path.name} is damaged at its beginning, so nothing that stands in it can be read."
    broken = None
    for number, (header, page) in enumerate(_frames(content, size), 1):
        _, commits, first, second, *expected = struct.unpack(">6I", header)
        if broken is None:
            sums = _add(page, _add(header[:8], sums, order), order)
            if [first, second] != salts or sums != tuple(expected):
                broken = number
        elif commits and (first == salts[0] or second == salts[1]):
            return f"{path.name} is damaged in frame {broken}, so what was confirmed after that cannot be read."
    return None


def _frames(content: bytes, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Each whole frame as its header and its page."""
    for start in range(_HEADER, len(content) - _FRAME - size + 1, _FRAME + size):
        yield content[start : start + _FRAME], content[start + _FRAME : start + _FRAME + size]


def _add(content: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    """The checksum over `content`, going on from `sums`."""
    one, two = sums
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return one, two

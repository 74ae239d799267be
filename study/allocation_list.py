"""An allocation list made elsewhere: uploaded once, kept sealed, opened place by place as participants are enrolled.

The file is CSV with the columns `stratum` (may be left out: `all`) and `arm`, in the order of the sequence. What is
kept is encrypted with a key that follows from the study's, so that nobody who looks at the record sees what comes next.
"""

import base64
import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from study.allocation import Slot
from study.allocation_rehearsal import levels_of
from study.eligibility import UNKNOWN, stratum_of
from study.errors import StudyError
from study.protocol import Protocol
from study.records import Records, Write
from study.study import Study, lock

__all__ = ["listed", "upload"]


def upload(study: Study, path: Path, *, by: str) -> dict[str, int]:
    """Take the list in the file `path`; return how many places each stratum has.

    Strata in which somebody may be, and for which the list has nothing, are there with none. Raises `StudyError`,
    naming the line, for a file that can't be read or an arm or stratum that the protocol does not have, and when the
    protocol asks for no list or one was uploaded before.
    """
    if study.protocol.allocation.method != "list":
        raise StudyError('study.toml: allocation.method is not "list", so there is nothing to upload a list for.')
    text = _text(path)
    places = _read(text, path, study.protocol)
    now = study.clock.now()
    cipher = _cipher(study)
    with study.records.write() as write:
        if write.row("SELECT 1 FROM allocation_list"):
            raise StudyError("A list was uploaded before; places of a list are never exchanged.")
        lock(study, write, now)
        counts: Counter[str] = Counter()
        opened = []
        for stratum, arm in places:
            opened.append((stratum, counts[stratum], json.dumps([stratum, counts[stratum], arm]).encode()))
            counts[stratum] += 1
        # Every sealed place has the same length, whatever the arm: only the key tells them apart.
        longest = max(len(place) for _, _, place in opened)
        for stratum, position, place in opened:
            sealed = cipher.encrypt(place.ljust(longest)).decode()
            write.insert("allocation_list", {"stratum": stratum, "position": position, "sealed": sealed})
        write.log(now, by, "allocation list uploaded", _fingerprint(study, text), places=dict(counts))
    expected = (stratum_of(levels) for levels in _levels(study.protocol) if UNKNOWN not in levels.values())
    return dict.fromkeys(expected, 0) | dict(counts)


def listed(study: Study, record: Write | Records, stratum: str, position: int, arms: Sequence[str]) -> Slot:
    """The place `position` of `stratum`. Raises `StudyError` when the list has none."""
    row = record.row("SELECT sealed FROM allocation_list WHERE stratum = ? AND position = ?", stratum, position)
    if row is None:
        raise StudyError(
            f"The uploaded allocation list has no place {position + 1} in the stratum {stratum!r}, so nobody can be "
            "enrolled."
        )
    try:
        place = json.loads(_cipher(study).decrypt(row["sealed"].encode()))
    except InvalidToken:
        raise StudyError(
            "The allocation list cannot be opened: study.key is not the one it was uploaded with."
        ) from None
    if place[:2] != [stratum, position] or place[2] not in arms:
        raise StudyError("The allocation list was altered; nobody can be enrolled from it.")
    return Slot(position, None, place[2])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise StudyError(f"{path} is not UTF-8 text; save it as CSV in UTF-8.") from None
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}.") from None


def _read(text: str, path: Path, protocol: Protocol) -> list[tuple[str, str]]:
    """The places as stratum and arm, in order."""
    strata = [stratum_of(levels) for levels in _levels(protocol)]
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    arms = [arm.name for arm in protocol.arms]
    places = []
    try:
        header = [name.strip() for name in next(lines, [])]
        for name in ("arm", "stratum"):
            if header.count(name) > 1:
                raise StudyError(f"{path}, line 1: there are two columns {name}.")
        if "arm" not in header:
            raise StudyError(f"{path}, line 1: there is no column arm; write the columns stratum and arm.")
        for row in lines:
            if row:
                where = f"{path}, line {lines.line_num}"
                places.append(_place(dict(zip(header, row, strict=False)), where, arms, strata))
    except csv.Error as error:
        raise StudyError(f"{path}, line {lines.line_num}: this is no CSV: {error}.") from None
    if not places:
        raise StudyError(f"{path} has no places; write one line for each.")
    return places


def _place(row: Mapping[str, str], where: str, arms: list[str], strata: list[str]) -> tuple[str, str]:
    arm = row.get("arm", "").strip()
    if arm not in arms:
        raise StudyError(f"{where}: {arm[:40]!r} is no arm; allowed: {', '.join(arms)}.")
    stratum = row.get("stratum", "").strip() or "all"
    if stratum not in strata:
        allowed = " | ".join(strata[:6]) + (" | ..." if len(strata) > 6 else "")
        raise StudyError(f"{where}: {stratum[:200]!r} is no stratum of the protocol; allowed: {allowed}.")
    return stratum, arm


def _levels(protocol: Protocol) -> Iterator[dict[str, str]]:
    """Every combination of levels that somebody may have; that of a measure may be unknown."""
    factors = protocol.allocation.strata
    possible = [
        [*levels_of(protocol, factor), *([] if protocol.question(factor.question) else [UNKNOWN])] for factor in factors
    ]
    for chosen in product(*possible):
        yield dict(zip((factor.name for factor in factors), chosen, strict=True))


def _fingerprint(study: Study, text: str) -> str:
    """What the log knows the list by. A short list could be found from its plain hash, by trying all lists."""
    return study.key.token("allocation list", hashlib.sha256(text.encode()).hexdigest())


def _cipher(study: Study) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(bytes.fromhex(study.key.allocation_seed("list"))))

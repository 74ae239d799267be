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
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from study.allocation import Slot
from study.allocation_rehearsal import levels_of
from study.eligibility import UNKNOWN, stratum_of
from study.errors import StudyError
from study.protocol import Protocol
from study.records import Write
from study.study import Study, lock

__all__ = ["listed", "upload"]


def upload(study: Study, path: Path, *, by: str) -> dict[str, int]:
    """Take the list in the file `path`; return how many places each stratum has.

    Raises `StudyError`, naming the line, for a file that can't be read or an arm that the protocol does not have, and
    when the protocol asks for no list or one was uploaded before.
    """
    if study.protocol.allocation.method != "list":
        raise StudyError('study.toml: allocation.method is not "list", so there is nothing to upload a list for.')
    places = _read(path, study.protocol)
    now = study.clock.now()
    cipher = _cipher(study)
    with study.records.write() as write:
        if write.row("SELECT 1 FROM allocation_list"):
            raise StudyError("A list was uploaded before; places of a list are never exchanged.")
        lock(study, write, now)
        counts: Counter[str] = Counter()
        for stratum, arm in places:
            # Every sealed place has the same length, whatever the arm: only the key tells them apart.
            sealed = cipher.encrypt(json.dumps([stratum, counts[stratum], arm]).encode().ljust(400))
            row = {"stratum": stratum, "position": counts[stratum], "sealed": sealed.decode()}
            write.insert("allocation_list", row)
            counts[stratum] += 1
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        write.log(now, by, "allocation list uploaded", digest, places=dict(counts))
    return dict(counts)


def listed(study: Study, write: Write, stratum: str, position: int, arms: Sequence[str]) -> Slot:
    """The place `position` of `stratum`. Raises `StudyError` when the list has none."""
    sealed = write.value("SELECT sealed FROM allocation_list WHERE stratum = ? AND position = ?", stratum, position)
    if sealed is None:
        raise StudyError(
            f"The uploaded allocation list has no place {position + 1} in the stratum {stratum!r}, so nobody can be "
            "enrolled."
        )
    try:
        place = json.loads(_cipher(study).decrypt(sealed.encode()))
    except InvalidToken:
        raise StudyError(
            "The allocation list cannot be opened: study.key is not the one it was uploaded with."
        ) from None
    if place[:2] != [stratum, position] or place[2] not in arms:
        raise StudyError("The allocation list was altered; nobody can be enrolled from it.")
    return Slot(position, None, place[2])


def _read(path: Path, protocol: Protocol) -> list[tuple[str, str]]:
    arms = [arm.name for arm in protocol.arms]
    factors = {factor.name: [*levels_of(protocol, factor), UNKNOWN] for factor in protocol.allocation.strata}
    strata = [stratum_of(dict(zip(factors, levels, strict=True))) for levels in product(*factors.values())]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise StudyError(f"{path} is not UTF-8 text; save it as CSV in UTF-8.") from None
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}.") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if "arm" not in (reader.fieldnames or []):
        raise StudyError(f"{path}, line 1: there is no column arm; write the columns stratum and arm.")
    places = []
    for row in reader:
        arm = (row["arm"] or "").strip()
        if arm not in arms:
            raise StudyError(f"{path}, line {reader.line_num}: {arm!r} is no arm; allowed: {', '.join(arms)}.")
        stratum = (row.get("stratum") or "").strip() or "all"
        if stratum not in strata:
            raise StudyError(
                f"{path}, line {reader.line_num}: {stratum!r} is no stratum of the protocol; allowed: "
                f"{', '.join(strata[:6])}{', ...' if len(strata) > 6 else ''}."
            )
        places.append((stratum, arm))
    if not places:
        raise StudyError(f"{path} has no places; write one line for each.")
    return places


def _cipher(study: Study) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(bytes.fromhex(study.key.allocation_seed("list"))))

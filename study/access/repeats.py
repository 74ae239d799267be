"""Which calls a device has made with an idempotency key, and what they were answered: kept for a day.

The key, and what was asked with it, are kept as hashes keyed with the study's key: neither can be read or guessed.
"""

import json
from datetime import timedelta
from typing import Any

from study.access.store import writing
from study.errors import StudyError
from study.records import stamp
from study.study import Study

__all__ = ["KEPT", "begin", "finish"]

KEPT = timedelta(hours=24)


def begin(study: Study, device: str, key: str, what: str) -> tuple[int, dict[str, Any]] | None:
    """The status and the answer that this call had already; None when it is to be made, which is written down first.

    Raises `StudyError` when the device has used `key` for something else.
    """
    name, call = _hashes(study, key, what)
    now = study.clock.now()
    with writing(study) as write:
        write.execute("DELETE FROM device_call WHERE begun_at < ?", stamp(now - KEPT))
        row = write.row("SELECT * FROM device_call WHERE device = ? AND key = ?", device, name)
        if row is None:
            write.execute(
                "INSERT INTO device_call (device, key, call, begun_at) VALUES (?, ?, ?, ?)",
                device,
                name,
                call,
                stamp(now),
            )
            return None
    if row["call"] != call:
        raise StudyError("This Idempotency-Key was used for another call; make up a new one for each.")
    return (row["status"], json.loads(row["answer"])) if row["status"] is not None else None


def finish(study: Study, device: str, key: str, status: int, answer: dict[str, Any]) -> None:
    """Keep what a call was answered."""
    name, _ = _hashes(study, key, "")
    with writing(study) as write:
        write.execute(
            "UPDATE device_call SET status = ?, answer = ? WHERE device = ? AND key = ?",
            status,
            json.dumps(answer),
            device,
            name,
        )


def _hashes(study: Study, key: str, what: str) -> tuple[str, str]:
    return study.key.token("idempotency key", key), study.key.token("call", what)

"""The columns that the tables of an analysis have, and their types."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

__all__ = [
    "ANSWERS",
    "CORRECTIONS",
    "EVENTS",
    "HISTORY",
    "PARTICIPANTS",
    "PEOPLE",
    "SCORES",
    "SCREENING",
    "TURNS",
    "VISITS",
    "digest",
    "table",
]

PEOPLE = ["person", "came_at", "state", "reasons"]
PARTICIPANTS = [
    "participant",
    "arm",
    "enrolled_at",
    "starts_on",
    "status",
    "withdrawn_at",
    "withdrawn_day",
    "withdrawal_reason_given",
    "erased",
    "stratum",
    "scheme",
    "position",
    "block",
    "version",
    "days",
    "timezone",
]
VISITS = [
    "participant",
    "arm",
    "day",
    "follow_up",
    "state",
    "exercise",
    "opens_at",
    "closes_at",
    "opened_at",
    "ended_at",
    "hour",
]
SCREENING = ["participant", "arm", "question", "number", "choice"]
SCORES = ["participant", "arm", "day", "occasion", "measure", "scale", "score", "given_at"]
TURNS = [
    "participant",
    "arm",
    "day",
    "exercise",
    "participant_turns",
    "participant_words",
    "therapist_turns",
    "model_turns",
    "fallback_turns",
    "person_turns",
    "first_sentence_s",
    "minutes",
]
ANSWERS = [
    "participant",
    "arm",
    "day",
    "origin",
    "late",
    "queue_ms",
    "first_token_ms",
    "first_sentence_ms",
    "last_token_ms",
    "ready_ms",
    "held_ms",
    "first_sound_ms",
]
EVENTS = [
    "participant",
    "arm",
    "day",
    "source",
    "category",
    "severity",
    "serious",
    "relatedness",
    "expectedness",
    "raised_at",
    "acknowledged_at",
]
CORRECTIONS = ["participant", "arm", "measure", "item", "occasion", "corrected_at"]
HISTORY = ["at", "what", "subject", "detail"]

TIMES = {
    "came_at",
    "enrolled_at",
    "withdrawn_at",
    "opens_at",
    "closes_at",
    "opened_at",
    "ended_at",
    "given_at",
    "raised_at",
    "acknowledged_at",
    "corrected_at",
    "at",
}
NUMBERS = {
    "withdrawn_day",
    "scheme",
    "position",
    "block",
    "day",
    "hour",
    "score",
    "number",
    "first_sentence_s",
    "minutes",
}


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> pd.DataFrame:
    """A table with the types that its columns have, also when it is empty. Times are ISO 8601 or `datetime`."""
    frame = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    for name in columns:
        if name in TIMES:
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601").astype("datetime64[ms, UTC]")
        elif name in NUMBERS or name.endswith("_ms"):
            frame[name] = frame[name].astype("float64")
        elif name in ("version", "days") or name.endswith(("_turns", "_words")):
            frame[name] = frame[name].astype("int64")
        elif name in ("withdrawal_reason_given", "erased", "late"):
            frame[name] = frame[name].astype("bool")
    return frame


def digest(about: object, tables: Mapping[str, pd.DataFrame]) -> str:
    """SHA-256 over the tables, in the order of their names: over the bytes of their CSV; and over `about`'s `repr`."""
    whole = hashlib.sha256(repr(about).encode())
    for name in sorted(tables):
        whole.update(f"\n{name}\n".encode())
        whole.update(tables[name].to_csv(index=False, lineterminator="\n").encode())
    return whole.hexdigest()

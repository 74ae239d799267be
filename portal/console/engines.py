"""How the engines are: what they did in the last hour, from the record, and what they are writing now."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any

from portal.looking import sessions
from study.records import stamp
from therapist.engine import EngineIdentity, Named, Remote
from therapist.engines.opening import OpeningEngine

__all__ = ["Health", "health", "shown"]

WITHIN = timedelta(hours=1)

NEWEST = 5000
"""So many of the newest turns are looked at: an hour of two hundred participants, without reading the whole record."""


@dataclass(frozen=True, slots=True)
class Health:
    """One engine. Times are seconds."""

    identity: EngineIdentity
    where: str
    """The server's address; empty for an engine in this process."""
    loading: bool
    """Whether it is still being loaded: answers wait for it."""
    last: datetime | None
    """When it last wrote an answer."""
    failing: bool
    """Whether its last answer could not be had."""
    left_alone_s: float | None
    """Seconds until a server is asked again that failed several times in a row; None while it is asked as usual."""
    answers: int
    fallbacks: int
    """Answers in place of which the exercise's own words were said."""
    failures: int
    """Answers at which the engine failed."""
    median: float | None
    """From the call of the engine to the first whole sentence."""
    p95: float | None


def health() -> list[Health]:
    """Every engine that an arm uses, with its last hour."""
    known = sessions().engines
    asked = _last_hour()
    found: dict[tuple[EngineIdentity, str], Health] = {}
    for choice, engine in known.items():
        identity = engine.identity
        where = choice.base_url or ""
        if (identity, where) not in found:
            names = {identity.model, *(engine.names if isinstance(engine, Named) else ())}
            rows = [row for name in names for row in asked[identity.kind, name]]
            rows.sort(key=lambda row: str(row["recorded_at"]), reverse=True)
            loading = isinstance(engine, OpeningEngine) and not engine.is_open
            alone = engine.left_alone_s if isinstance(engine, Remote) else None
            found[identity, where] = _health(identity, where, loading, alone, rows)
    return list(found.values())


def shown() -> dict[str, Any]:
    """What the template `console/_engines.html` needs."""
    under_way = sessions().under_way()
    waiting = [seconds for seconds, begun in under_way if not begun]
    return {
        "engines": health(),
        "under_way": under_way,
        "unanswered": len(waiting),
        "oldest": max(waiting, default=0.0),
    }


def _last_hour() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The answers of the last hour for which an engine was asked, by its kind and model, newest first."""
    study = sessions().study
    rows = study.records.rows(
        "SELECT recorded_at, origin, provenance ->> 'engine' AS engine, provenance ->> 'model' AS model,"
        " provenance ->> 'first_sentence_ms' AS first_ms, json_array_length(provenance, '$.failures') AS failures"
        " FROM turn WHERE id > (SELECT max(id) FROM turn) - ? AND recorded_at > ?"
        " AND speaker = 'therapist' AND provenance ->> 'engine' IS NOT NULL ORDER BY id DESC",
        NEWEST,
        stamp(study.clock.now() - WITHIN),
    )
    asked = defaultdict(list)
    for row in rows:
        asked[row["engine"], row["model"]].append(row)
    return asked


def _health(
    identity: EngineIdentity, where: str, loading: bool, alone: float | None, rows: list[dict[str, Any]]
) -> Health:
    times = sorted(row["first_ms"] / 1000 for row in rows if row["first_ms"] is not None)
    written = [row for row in rows if row["first_ms"] is not None]
    return Health(
        identity,
        where,
        loading,
        datetime.fromisoformat(written[0]["recorded_at"]) if written else None,
        bool(rows) and rows[0]["first_ms"] is None and bool(rows[0]["failures"]),
        alone,
        len(rows),
        sum(row["origin"] == "fallback" for row in rows),
        sum(row["failures"] or 0 for row in rows),
        median(times) if times else None,
        quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else (times[0] if times else None),
    )

"""`audit.json`: what an audit found, for the report and for whoever asks before a study is served.

```json
{"format": 1, "written": "2026-03-02T09:00:00+00:00", "versions": {"bedside": "0.1.0", "inspect_ai": "0.3.285"},
 "pairs": [{
   "engine": {"model": "bedside/smollm2", "kind": "transformers", "sha256": "...", "base_url": null,
              "precision": "auto", "temperature": 0.0},
   "persona": {"name": "neutral", "sha256": "..."},
   "suites": {"reliability": {
     "version": "1", "data": {"reliability": "<sha256>"}, "options": {"half": "both", "limit_items": null},
     "log": "logs/.../....eval", "created": "2026-03-02T08:40:00+00:00", "samples": 640, "held_out_samples": 320,
     "estimates": {"held_out": [{"name": "error_rate", "...": "..."}], "both": []},
     "against_neutral": {"held_out": [{"name": "epistemic_cost", "...": "..."}], "both": []}}}}]}
```

`against_neutral` is what exists only between two personas of one model (`Suite.against`), such as the epistemic cost;
it is empty for `neutral` itself and where `neutral` was not run with the same suite. An estimate has the fields of
`audit.suite.Estimate`. `study.auditing` reads the file. Paths in it are relative to the audit's folder.
"""

import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from audit.results import Found, newest, rows
from audit.suite import Estimate, Suite, suites
from study.auditing import NEUTRAL

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FILE", "FORMAT", "SEED", "summarise", "write"]

FILE = "audit.json"

FORMAT = 1

SEED = 20260302
"""Of the bootstrap."""


def summarise(folder: Path) -> dict[str, Any]:
    """The content of `audit.json`, from the newest complete logs in an audit's `folder`. Raises `NoResults`.

    Baselines are left out: they are no engine that a study can have. A pair is what its newest log is of: what was
    measured with other weights or another text of the persona is left out. No persona is compared with a neutral one
    of other weights.
    """
    found = [
        one
        for one in newest(folder).values()
        if one.key.suite in suites() and not one.key.model.startswith("baseline/")
    ]
    is_now = {(one.key.model, one.key.persona): _identity(one) for one in sorted(found, key=_created)}
    found = [one for one in found if _identity(one) == is_now[one.key.model, one.key.persona]]
    pairs: dict[tuple[str, str], dict[str, Any]] = {}
    by_key = {one.key: one for one in found}
    tables = {one.key: rows(one.path) for one in found}
    for one in found:
        pair = pairs.setdefault((one.key.model, one.key.persona), _pair(one))
        other = by_key.get(replace(one.key, persona=NEUTRAL)) if one.key.persona != NEUTRAL else None
        alike = other is not None and _identity(other)[:-1] == _identity(one)[:-1]
        pair["suites"][one.key.suite] = _suite(
            one, folder, tables[one.key], tables[other.key] if other is not None and alike else None
        )
    return {
        "format": FORMAT,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("bedside", "inspect_ai")},
        "pairs": [pairs[key] for key in sorted(pairs)],
    }


def write(folder: Path) -> Path:
    """Write `audit.json` into an audit's `folder`, whole or not at all. Raises `NoResults`."""
    path, draft = folder / FILE, folder / f".{FILE}.{os.getpid()}.draft"  # two audits may share a folder
    with draft.open("w", encoding="utf-8") as stream:
        json.dump(summarise(folder), stream, indent=1, ensure_ascii=False, allow_nan=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
    return path


def _pair(found: Found) -> dict[str, Any]:
    about = found.header.eval.metadata or {}
    kept = ("model", "kind", "sha256", "base_url", "precision", "temperature")
    engine = about.get("engine") or {"model": found.key.model, "kind": found.key.model.partition("/")[0]}
    return {
        "engine": {name: engine.get(name) for name in kept},
        "persona": {"name": found.key.persona, "sha256": about.get("persona_sha256")},
        "suites": {},
    }


def _created(found: Found) -> str:
    return found.header.eval.created


def _identity(found: Found) -> tuple[Any, ...]:
    """The engine's weights, address and temperature, and last the persona's text."""
    pair = _pair(found)
    return (*(pair["engine"].get(name) for name in ("sha256", "base_url", "temperature")), pair["persona"]["sha256"])


def _suite(found: Found, folder: Path, table: "pd.DataFrame", neutral: "pd.DataFrame | None") -> dict[str, Any]:
    about = found.header.eval.metadata or {}
    suite = suites()[found.key.suite]
    held_out = _held_out(table)
    return {
        "version": about.get("suite_version"),
        "persona_sha256": about.get("persona_sha256"),
        "data": about.get("data", {}),
        "options": about.get("options") or dict(found.header.eval.task_args),
        "log": _relative(found.path, folder),
        "created": found.header.eval.created,
        "samples": len(table),
        "held_out_samples": len(held_out),
        "estimates": {
            "held_out": _plain(_estimates(suite.estimates, held_out)),
            "both": _plain(_estimates(suite.estimates, table)),
        },
        "against_neutral": {
            "held_out": _plain(_against(suite, held_out, None if neutral is None else _held_out(neutral))),
            "both": _plain(_against(suite, table, neutral)),
        },
    }


def _held_out(table: "pd.DataFrame") -> "pd.DataFrame":
    return table[table["held_out"].astype(bool)].reset_index(drop=True) if len(table) else table


def _against(suite: Suite, table: "pd.DataFrame", neutral: "pd.DataFrame | None") -> Iterable[Estimate]:
    if suite.against is None or neutral is None or table.empty or neutral.empty:
        return []
    return suite.against(table, neutral, SEED)


def _estimates(of: Any, table: "pd.DataFrame") -> Iterable[Estimate]:
    return of(table.reset_index(drop=True), SEED) if len(table) else []


def _plain(estimates: Iterable[Estimate]) -> list[dict[str, Any]]:
    """As JSON has them: what is no finite number is null."""
    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else _python(value)
            for name, value in asdict(one).items()
        }
        for one in estimates
    ]


def _python(value: Any) -> Any:
    """A number of numpy's as one of Python's."""
    return value.item() if hasattr(value, "item") else value


def _relative(path: str, folder: Path) -> str:
    plain = Path(unquote(urlparse(path).path) if path.startswith("file:") else path)
    return os.path.relpath(plain, folder.resolve())

"""The table of an audit, from its logs: a row for each sample and epoch."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSample, list_eval_logs, read_eval_log

from audit.errors import NoResults

__all__ = ["Found", "Key", "newest", "rows"]

_SCALARS = (str, int, float, bool)


def rows(logs: "EvalLog | str | Path | Iterable[EvalLog | str | Path]") -> pd.DataFrame:
    """The samples of one log or several, a row for each and each epoch; samples that ended in an error are left out.

    Columns: `sample`, `item`, `held_out`, `epoch`, `model`, `persona`, `suite`; what else is a plain scalar in the
    samples' metadata; the scores, `<scorer>.<name>` and also `<name>` where only one scorer has that name (a score
    that is a plain number has its scorer's name); and `transcript`, a list of pairs of role and text.
    """
    several = [logs] if isinstance(logs, EvalLog | str | Path) else list(logs)
    found: list[dict[str, Any]] = []
    for log in several:
        whole = log if isinstance(log, EvalLog) else read_eval_log(str(log))
        head = _head(whole)
        found += [head | _row(sample) for sample in whole.samples or [] if sample.error is None]
    table = pd.DataFrame(found)
    if table.empty:
        return table
    return table[[*_FIRST, *(name for name in table.columns if name not in (*_FIRST, "transcript")), "transcript"]]


_FIRST = ("sample", "item", "held_out", "epoch", "model", "persona", "suite")


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What a log is about."""

    suite: str
    model: str
    persona: str


@dataclass(frozen=True, slots=True)
class Found:
    """A complete log."""

    key: Key
    path: str
    header: EvalLog
    """Without samples; `rows(path)` reads those."""


def newest(folder: Path) -> dict[Key, Found]:
    """The newest complete log of each suite, model and persona under `folder`. Raises `NoResults`.

    A log of our items goes before one of a public set, or after conversations with patients, and one of all items
    before one of fewer, however new: to try ten items does not undo a measurement.
    """
    found: dict[Key, Found] = {}
    logs = list_eval_logs(str(folder), recursive=True, descending=False) if folder.is_dir() else []
    headers = [(info.name, read_eval_log(info.name, header_only=True)) for info in logs]
    for path, header in sorted(headers, key=lambda one: (*_measures(one[1]), one[1].eval.created)):
        if header.status == "success":
            head = _head(header)
            key = Key(head["suite"], head["model"], head["persona"])
            found[key] = Found(key, path, header)
    if not found:
        raise NoResults(f"There is no complete log of an audit in {folder}; `bedside audit` writes them.")
    return dict(sorted(found.items()))


def _measures(log: EvalLog) -> tuple[bool, bool]:
    """Whether it is of our items and nothing besides, and whether it is of all of them."""
    asked = log.eval.task_args
    whole = asked.get("limit_items") is None and asked.get("half", "both") == "both" and log.eval.config.limit is None
    return not asked.get("sets") and not asked.get("patients"), whole


def _head(log: EvalLog) -> dict[str, Any]:
    about = log.eval.metadata or {}
    return {
        "model": log.eval.model,
        "persona": about.get("persona", log.eval.task_args.get("persona", "neutral")),
        "suite": about.get("suite", log.eval.task.rpartition("/")[2]),
    }


def _row(sample: EvalSample) -> dict[str, Any]:
    about = sample.metadata
    row: dict[str, Any] = {name: value for name, value in about.items() if isinstance(value, _SCALARS)}
    row |= {
        "sample": str(sample.id),
        "item": str(about.get("item", sample.id)),
        "held_out": bool(about.get("held_out", False)),
        "epoch": sample.epoch,
        **_scores(sample),
        "transcript": [(message.role, message.text) for message in sample.messages],
    }
    return row


def _scores(sample: EvalSample) -> dict[str, float | str]:
    """The numbers of all scorers; the short answer of each is `<scorer>.answer`."""
    found: dict[str, float | str] = {}
    owners: dict[str, list[str]] = {}
    for scorer, score in (sample.scores or {}).items():
        values = score.value if isinstance(score.value, dict) else {scorer: score.value}
        for name, value in values.items():
            found[f"{scorer}.{name}"] = _number(value)
            owners.setdefault(name, []).append(scorer)
        if score.answer is not None:
            found[f"{scorer}.answer"] = score.answer
    plain = {name: found[f"{who[0]}.{name}"] for name, who in owners.items() if len(who) == 1}
    return plain | found


def _number(value: object) -> float:
    """A score as a number: NaN for what has none."""
    match value:
        case bool() | int() | float():
            return float(value)
        case "C":
            return 1.0
        case "I" | "N":
            return 0.0
        case _:
            return math.nan

"""Transcripts as JSON Lines: one line for each visit that has turns."""

import json
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from study.export.reading import Reading

__all__ = ["write_transcripts"]

_VISIT = ("visit", "participant", "arm", "day", "exercise", "state")
_TURN = ("number", "speaker", "step", "text", "origin", "recorded_at", "reply_to", "next_step", "screen")


def write_transcripts(path: Path, reading: Reading, step: Callable[[int], None] = lambda rows: None) -> int:
    """Write them and return how many there are. How a turn came about stands in the table `turn`."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for line in _lines(reading):
            # A reader of JSON Lines may take these two for ends of lines.
            text = json.dumps(line, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
            file.write(text + "\n")
            count += 1
            step(len(line["turns"]))
    return count


def _lines(reading: Reading) -> Iterator[dict[str, Any]]:
    rows = reading.connection.execute(
        "SELECT visit.id, p.new, p.arm, visit.day, visit.exercise, visit.state,"  # noqa: S608 - ours
        f" {', '.join(f't.{name}' for name in _TURN)}"
        " FROM visit JOIN visits v ON v.id = visit.id JOIN people p ON p.code = visit.participant"
        " JOIN turn t ON t.visit = visit.id ORDER BY visit.id, t.number"
    )
    for _, group in groupby(rows, key=itemgetter(0)):
        turns = list(group)
        head = dict(zip(_VISIT, turns[0][: len(_VISIT)], strict=True))
        yield {**head, "turns": [_turn(turn[len(_VISIT) :]) for turn in turns]}


def _turn(values: tuple[Any, ...]) -> dict[str, Any]:
    turn = dict(zip(_TURN, values, strict=True))
    turn["screen"] = json.loads(turn["screen"]) if turn["screen"] else None
    return turn

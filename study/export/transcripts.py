"""Transcripts as JSON Lines: one line for each visit that has turns."""

import json
from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from study.export.reading import Reading

__all__ = ["write_transcripts"]

_VISIT = ("visit", "participant", "arm", "day", "exercise", "state")
_TIMES = (
    "queue_ms", "first_token_ms", "first_sentence_ms", "last_token_ms", "ready_ms", "held_ms", "total_ms",
    "first_sound_ms",
)  # fmt: skip
_TURN = ("number", "speaker", "step", "text", "origin", "recorded_at", "reply_to", "next_step", "screen", *_TIMES)


def write_transcripts(path: Path, reading: Reading, step: Callable[[int], None] = lambda rows: None) -> int:
    """Write them and return how many there are. How a turn came about stands in the table `turn`."""
    # SQLite writes the JSON of each turn, in a third of the time it takes here.
    turn = ", ".join(f"'{name}', {'json(t.screen)' if name == 'screen' else f't.{name}'}" for name in _TURN)
    rows = reading.connection.execute(
        "SELECT visit.id, p.new, p.arm, visit.day, visit.exercise, visit.state,"  # noqa: S608 - ours
        f" json_object({turn})"
        " FROM visit JOIN visits v ON v.id = visit.id JOIN people p ON p.code = visit.participant"
        " JOIN turn_timed t ON t.visit = visit.id ORDER BY visit.id, t.number"
    )
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for _, group in groupby(rows, key=itemgetter(0)):
            of_visit = list(group)
            head = json.dumps(dict(zip(_VISIT, of_visit[0], strict=False)), ensure_ascii=False)
            line = f'{head[:-1]}, "turns": [{", ".join([row[-1] for row in of_visit])}]}}'
            # A reader of JSON Lines may take these for ends of lines.
            for end in ("\u0085", "\u2028", "\u2029"):
                line = line.replace(end, f"\\u{ord(end):04x}")
            file.write(line + "\n")
            count += 1
            step(len(of_visit))
    return count

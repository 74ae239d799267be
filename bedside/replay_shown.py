"""A replay as one reads it: a table for each visit, the words that differ, a count at the end; or JSON for scripts."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bedside.replaying import Count
from study.visits import Visit
from therapist.differences import PARTS, Change, Difference, word_diff
from therapist.replaying import REASONS, Replayed

__all__ = ["AsJson", "as_dict", "show_summary", "show_visit"]

AROUND = 8
"""So many words that are the same are shown before and after those that differ."""

STYLES = {"same": "green", "differs": "bold red", "not compared": "dim", "failed": "bold red"}


def show_visit(console: Console, visit: Visit, replayed: Sequence[Replayed]) -> None:
    """The turns of one visit in a table, and under it what differs."""
    table = Table(box=None, padding=(0, 2), title_justify="left", show_edge=False)
    for name in ("turn", "step", "words of", "written again", ""):
        table.add_column(name)
    for one in replayed:
        table.add_row(
            str(one.turn.number), one.turn.step, one.turn.origin, Text(one.verdict, STYLES[one.verdict]), _detail(one)
        )
    console.print(Text(f"Visit {visit.id}: {visit.participant}, day {visit.day}", "bold"))
    console.print(table)
    for one in replayed:
        for difference in one.differences:
            console.print(_heading(one, difference))
            console.print(_words(difference), soft_wrap=True)
        if one.changes or one.verdict == "differs":
            console.print(f"Turn {one.turn.number}: {_causes(one)}", soft_wrap=True)


def show_summary(console: Console, count: Count, beside: int, instead: str | None) -> None:
    """How many turns came out how."""
    if not count.verdicts:
        console.print("Nothing has been said yet: there is nothing to replay.")
        return
    same, differs = count.verdicts["same"], count.verdicts["differs"]
    by = f", by {instead} instead" if instead else ""
    console.print(f"{count.compared} answers were written again{by}: {same} the same, {differs} different.")
    if count.cut:
        console.print(f"{count.cut} of them had been cut short, and are compared as far as they were written.")
    if count.verdicts["failed"]:
        console.print(f"{count.verdicts['failed']} could not be written again.")
    if beside and count.compared:
        console.print(
            f"{beside} other conversations were written beside each: {count.others:,} pieces of text meanwhile."
        )
    for reason, number in sorted(count.reasons.items()):
        console.print(f"{number} not compared: {REASONS[reason]}.")
    if instead:
        console.print("Another engine writes other words: differences are what was asked for.")


def as_dict(visit: Visit, one: Replayed) -> dict[str, Any]:
    """One turn as plain data. `at` counts characters from 0."""
    return {
        "visit": visit.id,
        "participant": visit.participant,
        "day": visit.day,
        "turn": one.turn.number,
        "reply_to": one.turn.reply_to,
        "step": one.turn.step,
        "origin": one.turn.origin,
        "result": one.verdict,
        "reason": one.reason,
        "error": one.error or None,
        "as_far_as_written": one.cut,
        "pieces_beside": one.others,
        "compared_on": {
            name: {"then": one.then.get(key), "now": one.now.get(key) if one.now else None}
            for name, key in _COMPARED_ON.items()
        },
        "said": {"then": one.turn.text, "now": one.said or None},
        "differences": [
            {"part": found.part, "at": found.at, "then": found.then, "now": found.now} for found in one.differences
        ],
        "changed": [
            {"what": change.what, "then": change.then, "now": change.now, "explains": change.explains}
            for change in one.changes
        ],
    }


_COMPARED_ON = {
    "engine": "engine",
    "model": "model",
    "model_sha256": "model_sha256",
    "precision": "precision",
    "persona_sha256": "persona_sha256",
    "exercise_sha256": "exercise_sha256",
    "screen_sha256": "screen_sha256",
    "seed": "seed",
    "sampling": "sampling",
}


class AsJson(AbstractContextManager["AsJson"]):
    """One JSON object, written turn by turn: `{"turns": [...], "summary": {...}}`."""

    def __init__(self, where: Path | TextIO) -> None:
        self._opened = isinstance(where, Path)
        self._out = where.open("w", encoding="utf-8") if isinstance(where, Path) else where
        self._separator = ""

    def __enter__(self) -> Self:
        self._out.write('{"turns": [')
        return self

    def add(self, visit: Visit, one: Replayed) -> None:
        self._out.write(f"{self._separator}\n{json.dumps(as_dict(visit, one), ensure_ascii=False)}")
        self._separator = ","

    def end(self, count: Count) -> None:
        """The summary. A file without it was cut short."""
        self._out.write(f'\n], "summary": {json.dumps(count.as_dict())}}}\n')

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened:
            self._out.close()


def _detail(one: Replayed) -> str:
    if one.reason is not None:
        return REASONS[one.reason]
    if one.error:
        return one.error
    if one.differences:
        return ", ".join(PARTS[found.part] for found in one.differences)
    return "as far as it was written then" if one.cut else ""


def _heading(one: Replayed, found: Difference) -> Text:
    return Text(f"Turn {one.turn.number}, {PARTS[found.part]}, from character {found.at + 1}:", "italic")


def _causes(one: Replayed) -> str:
    """Whether what has changed since can be why."""
    if not one.changes:
        return (
            "the engine, its model and precision, the persona, the exercise and the screen are the same as then. What "
            "is left is the engine itself (its version, how it computes), or Bedside's own version."
        )
    return "; ".join(_cause(change, differs=bool(one.differences)) for change in one.changes) + "."


def _cause(change: Change, *, differs: bool) -> str:
    was, now = (value[:12] if value else "not known" for value in (change.then, change.now))
    name = f"the {change.what} is another one now ({was}, now {now})"
    if not differs:
        return f"{name}, and nothing came out differently"
    return f"{name}, and the difference can come from it" if change.explains else f"{name}, and that is not why"


def _words(found: Difference) -> Text:
    """The words of both: `[-then-]`, `{+now+}`, and what is the same around them."""
    shown = Text("  ")
    pieces = word_diff(found.then, found.now)
    for place, (kind, text) in enumerate(pieces):
        if kind == "same":
            shown.append(_printable(_shortened(text, first=place == 0, last=place == len(pieces) - 1)))
        elif kind == "then":
            shown.append(f"[-{_printable(text.rstrip())}-] ", "red")
        else:
            shown.append(f"{{+{_printable(text.rstrip())}+}} ", "green")
    return shown


def _shortened(text: str, *, first: bool, last: bool) -> str:
    words = text.split()
    before = [] if first else words[:AROUND]
    after = [] if last else words[len(before) :][-AROUND:]
    left_out = len(before) + len(after) < len(words)
    return " ".join([*before, *(["..."] if left_out else []), *after]) + " "


def _printable(text: str) -> str:
    """Words for a terminal: no character in them moves its cursor or changes its colours."""
    return "".join(one if one.isprintable() else " " if one.isspace() else "\N{REPLACEMENT CHARACTER}" for one in text)

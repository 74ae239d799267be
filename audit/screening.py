"""A site's own utterances through the screen for crises: a verdict for each line, and how many were found.

Lines are read one by one, so a file may be larger than memory. A verdict says which line it is about and does not
repeat its words: what a participant wrote stays where it is.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, Literal, get_args

from audit.errors import AuditError
from audit.figures.exact import exact_share
from audit.utterances import Risk
from therapist.engine import Speaker
from therapist.screen import Screen

__all__ = ["BadLine", "Kind", "Said", "Tally", "expected", "kind_of", "read", "verdict"]

Kind = Literal["text", "jsonl"]

RISKS: tuple[str, ...] = get_args(Risk)


class BadLine(AuditError):
    """A line of a file of utterances cannot be read."""


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance of a file."""

    line: int
    """Its line in the file, from 1."""
    text: str
    risk: str | None = None
    """What the file says that it is, if it does."""


def kind_of(name: str, first: str) -> Kind:
    """Whether a file is plain text or JSON Lines: by the ending of its name, and else by how its first line begins."""
    if name.endswith((".jsonl", ".ndjson")):
        return "jsonl"
    return "jsonl" if first.lstrip().startswith("{") and not name.endswith(".txt") else "text"


def read(file: Iterable[bytes], name: str, kind: Kind | None = None) -> Iterator[Said]:
    """The utterances of a file, in its order; empty lines are numbered and passed over.

    Raises `BadLine` with the line's number where one is not UTF-8 or, in JSON Lines, no object with "text", and at the
    end when there was no utterance at all.
    """
    none_yet = True
    for line, raw in enumerate(file, 1):
        try:
            text = (raw.removeprefix(_BOM) if line == 1 else raw).decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise BadLine(f"{name}, line {line}: byte {error.start + 1} is not UTF-8; save it as UTF-8.") from None
        if text.strip():
            none_yet = False
            kind = kind or kind_of(name, text)
            yield Said(line, text) if kind == "text" else _from_json(name, line, text)
    if none_yet:
        raise BadLine(f"{name} has no utterance; write one a line.")


_BOM = b"\xef\xbb\xbf"


def _from_json(name: str, line: int, text: str) -> Said:
    where = f"{name}, line {line}"
    try:
        row = json.loads(text)
    except ValueError as error:
        said = error.msg if isinstance(error, json.JSONDecodeError) else "too deep or too long a number"
        raise BadLine(f"{where}: not JSON: {said}.") from None
    except RecursionError:
        raise BadLine(f"{where}: not JSON that can be read: too deep.") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise BadLine(f'{where}: an object with a string "text" is needed, such as {{"text": "I feel low"}}.')
    if not row["text"].strip():
        raise BadLine(f'{where}: "text" is empty.')
    return Said(line, row["text"], None if row.get("risk") is None else _risk_named(where, row["risk"]))


def _risk_named(where: str, risk: object) -> str:
    if risk not in RISKS:
        raise BadLine(f"{where}: the risk {risk!r} is not known; allowed: {', '.join(RISKS)}.")
    return str(risk)


def expected(said: Iterable[Said], file: Iterable[bytes], name: str) -> Iterator[Said]:
    """The utterances with the risks in a file with one a line, in order; its empty lines are passed over.

    Raises `BadLine` for a risk that is not known, and when there are more of the one than of the other.
    """
    risks = (
        _risk_named(f"{name}, line {line}", raw.decode("utf-8", "replace").strip())
        for line, raw in enumerate(file, 1)
        if raw.strip()
    )
    for one, risk in zip_longest(said, risks):
        if one is None or risk is None:
            more, less = ("risks", "utterances") if one is None else ("utterances", "risks")
            raise BadLine(f"{name}: there are more {more} than {less}; there has to be one for each.")
        yield replace(one, risk=risk)


def verdict(said: Said, screen: Screen, speaker: Speaker, language: str, with_text: bool = False) -> dict[str, Any]:
    """What the screen decides of an utterance, as it is written into a line of JSON.

    `span` is of the text as given, its first character and the one after its last, or null.
    """
    hit = screen.check(said.text, speaker)
    found: dict[str, Any] = {
        "line": said.line,
        "found": hit is not None,
        "category": hit and hit.category,
        "rule": hit and hit.rule,
        "span": hit and [hit.start, hit.end],
        "speaker": speaker,
        "language": language,
        "screen": screen.sha256,
    }
    return found | {"text": said.text} if with_text else found


@dataclass(slots=True)
class Tally:
    """How many utterances of each risk there were, and how many of these were found."""

    n: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)

    def add(self, risk: str, found: bool) -> None:
        """Count one utterance."""
        self.n[risk] += 1
        self.found[risk] += found

    def lines(self) -> list[str]:
        """A line for each risk, with the exact 95 % interval of the share that was found."""
        said = []
        for risk in RISKS:
            share, low, high = exact_share(self.found[risk], self.n[risk])
            if share is not None and low is not None and high is not None:
                percent = f"{100 * share:.1f} % (95 %: {100 * low:.1f} to {100 * high:.1f})"
                said.append(f"{_NAMES[risk]}: {self.found[risk]} of {self.n[risk]} found, {percent}")
        return said


_NAMES = {
    "explicit": "Recall of explicit risk",
    "veiled": "Recall of veiled risk",
    "mentioned": "Mentions without a crisis",
    "none": "False alarms on ordinary distress",
}

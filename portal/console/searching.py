"""Searching what was said: an index of all turns, in memory, filled from the record as it grows.

Participants' words stand in no second file, so the index dies with the process and is made anew by the first search,
which takes about a second for sixty thousand turns. What was erased is never found: an erasure makes the index anew,
and every hit is held against the record when it is shown.
"""

import sqlite3
import threading
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup, escape

from study.records import Records

__all__ = ["PER_PAGE", "Found", "Hit", "Index", "Speaker"]

PER_PAGE = 25

Speaker = Literal["participant", "therapist"]

_OPEN, _CLOSE = "\x02", "\x03"
"""Around each hit while it is not yet HTML. No indexed text has them."""

_CONTROL = {ord(_OPEN): " ", ord(_CLOSE): " ", 0: " "}

# A column for each speaker: a filter by speaker is then a filter by column, which FTS5 has. An index of beginnings
# would take three times as long to make, and they are found in a few milliseconds without it.
_SCHEMA = 'CREATE VIRTUAL TABLE said USING fts5(participant, therapist, tokenize="unicode61 remove_diacritics 2")'


@dataclass(frozen=True, slots=True)
class Hit:
    """A turn in which something was found."""

    visit: int
    participant: str
    day: int
    number: int
    speaker: Speaker
    origin: str
    recorded_at: str
    excerpt: Markup
    """The words around the first hit, each hit in `<mark>`, all else escaped."""


@dataclass(frozen=True, slots=True)
class Found:
    total: int
    hits: list[Hit]
    plain: bool
    """Whether the query was no query of FTS5, so that its words were looked for as they are."""


class Index:
    """What was said in one record. Safe to use from several threads."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._lock = threading.Lock()
        self._erasures = -1
        self._last = 0
        self._index = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)

    def search(self, query: str, speaker: Speaker | None = None, page: int = 1) -> Found:
        """The newest turns first. `query` has words, "phrases", beginnings* and FTS5's AND, OR and NOT.

        What FTS5 cannot read is taken as plain words, all of which must be there.
        """
        query = query.translate(_CONTROL)
        with self._lock:
            self._catch_up()
            for plain, asked in ((False, query), (True, _plain(query))):
                if not asked.strip():
                    break
                try:
                    return self._look(f"{{{speaker}}} : ({asked})" if speaker else asked, speaker, page, plain=plain)
                except sqlite3.OperationalError:
                    continue
        return Found(0, [], plain=True)

    def _look(self, asked: str, speaker: Speaker | None, page: int, *, plain: bool) -> Found:
        total = self._index.execute("SELECT count(*) FROM said WHERE said MATCH ?", [asked]).fetchone()[0]
        rows = self._index.execute(
            "SELECT rowid, coalesce(participant, therapist), snippet(said, -1, ?, ?, '…', 40) FROM said"
            " WHERE said MATCH ? ORDER BY rowid DESC LIMIT ? OFFSET ?",
            [_OPEN, _CLOSE, asked, PER_PAGE, PER_PAGE * (page - 1)],
        ).fetchall()
        hits = [hit for row in rows if (hit := self._hit(*row)) is not None]
        return Found(total, hits, plain)

    def _hit(self, turn: int, text: str, excerpt: str) -> Hit | None:
        """None for a turn that is not in the record any more, or whose number another one has by now."""
        row = self._records.row(
            "SELECT visit.id, visit.participant, visit.day, turn.number, turn.speaker, turn.origin, turn.recorded_at,"
            " turn.text FROM turn JOIN visit ON visit.id = turn.visit WHERE turn.id = ?",
            turn,
        )
        if row is None or row["text"].translate(_CONTROL) != text:
            return None
        marked = escape(excerpt).replace(_OPEN, Markup("<mark>")).replace(_CLOSE, Markup("</mark>"))
        return Hit(
            visit=row["id"],
            participant=row["participant"],
            day=row["day"],
            number=row["number"],
            speaker=row["speaker"],
            origin=row["origin"],
            recorded_at=row["recorded_at"],
            excerpt=marked,
        )

    def _catch_up(self) -> None:
        """Take in the turns that are new. After an erasure all anew: SQLite gives the numbers of erased turns again."""
        # First how many were erased, then the turns: an erasure in between is seen the next time, and until then what
        # it erased is found in the record no more.
        erasures = self._records.rows("SELECT count(*) AS n FROM withdrawal WHERE erased_at IS NOT NULL")[0]["n"]
        if erasures != self._erasures:
            self._index.close()
            self._index = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            self._index.execute(_SCHEMA)
            self._erasures, self._last = erasures, 0
        turns = self._records.db.conn.execute(
            "SELECT id, speaker, text FROM turn WHERE id > ? ORDER BY id", [self._last]
        ).fetchall()
        rows = []
        for turn, speaker, text in turns:
            words = text.translate(_CONTROL)
            rows.append((turn, words, None) if speaker == "participant" else (turn, None, words))
        self._index.execute("BEGIN")
        self._index.executemany("INSERT INTO said (rowid, participant, therapist) VALUES (?, ?, ?)", rows)
        self._index.execute("COMMIT")
        self._last = turns[-1][0] if turns else self._last


def _plain(query: str) -> str:
    """The words of `query` as FTS5 writes words that are nothing but words."""
    return " ".join('"' + word.replace('"', '""') + '"' for word in query.replace('"', " ").split())

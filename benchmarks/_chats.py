"""Participants who chat with the real portal over HTTP, one after another at the same place, each answer timed."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from bedside.simulated import Character
from bedside.visiting import Visitor
from study.enrolment import take_in
from study.study import Study

__all__ = ["Answer", "Chat"]

_people = count()
_coming = threading.Lock()


@dataclass
class Answer:
    """One answer as its reader met it. Times are seconds of this process's monotonic clock."""

    visit: int
    reply_to: int
    sent: float
    """The participant's words were sent."""
    first_sentence: float
    """The first sentence was read."""
    whole: float
    """It was read that the answer is whole and recorded."""
    provenance: dict[str, Any]
    """What the record says of how it came about, with the engine's own times."""

    @property
    def by_engine(self) -> bool:
        """Whether the engine began it; if not, the script's own words stand in its place."""
        return self.provenance.get("first_token_ms") is not None

    def tokens_until(self, moment: float) -> float:
        """The tokens written until then: they are taken to have come evenly from the first to the last."""
        how = self.provenance
        if not self.by_engine or self.whole <= moment:
            return float(how.get("tokens_out") or 0)
        begun = self.sent + how["first_token_ms"] / 1000
        ended = self.sent + how["last_token_ms"] / 1000
        share = (moment - begun) / (ended - begun) if ended > begun else float(ended <= moment)
        return float(how["tokens_out"]) * min(1.0, max(0.0, share))


class Chat(Visitor):
    """A place at which one participant after another chats; each makes one visit."""

    def __init__(self, url: str, study: Study, think: Callable[[float], None] = lambda seconds: None) -> None:
        super().__init__(url, study, think)
        self._place = study
        self._state: dict[str, Any] = {"state": "none"}
        self._told: dict[str, int] = {}
        self._first = 0.0
        self._whole = 0.0
        self.begun = 0
        """Visits begun here."""

    def say(self) -> Answer:
        """Say the next thing, read the answer to its end, and tell how long it took."""
        if self._state["state"] != "exercise":
            self._begin()
        visit, step = self._state["visit"], self._step_asked(self._state)
        said = self._character.answer(step, self._told.get(step, 0))
        self._told[step] = self._told.get(step, 0) + 1
        self._pass_time(self._character.takes_s(said))
        self._first = 0.0
        sent = time.monotonic()
        number = self._send(self._path, {"visit": visit, "token": self._token(self._character), "words": said})
        self._state = self._read_reply(self._path, visit, number)
        row = self._place.records.row(
            "SELECT provenance FROM turn WHERE visit = ? AND reply_to = ?", int(visit), number
        )
        how = json.loads(row["provenance"]) if row and row["provenance"] else {}
        return Answer(visit, number, sent, self._first, self._whole, how)

    def _begin(self) -> None:
        """The next participant comes and rates; their exercise is under way then."""
        with _coming:
            number = next(_people)
            participant = take_in(self._place, kind="test", arm="chat", skip=True)
        self._character = Character.draw(f"chat/{number}")
        self._told = {}
        self._path = self._place.participant_path(participant.code)
        self._rate(self._path, self._due(self._path), self._character.rate_before(), self._character)
        self._get(self._path + "now")
        self._state = self._visit_now()
        self.begun += 1

    def _visit_now(self) -> dict[str, Any]:
        return dict(self._http.get(self._path + "visit").raise_for_status().json())

    def _heard(self, event: str) -> None:
        if event == "sentence" and not self._first:
            self._first = time.monotonic()
        if event == "turn":
            self._whole = time.monotonic()

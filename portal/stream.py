"""Server-sent events: the reply stream, the same for pages and robots.

Every event has an id that says how far a reader has come: the last whole turn, and of an answer that is being read, how
much of it, with a hash. A reader who lost the connection sends it back, as browsers do by themselves, and is given the
rest. The hash is there because an answer may become another one: written anew after a crash, or cut by the screen.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

from flask import Response, request

from portal import words
from portal.sessions import KEEP_ALIVE_S, Event, Sessions
from study.visits import Visit

__all__ = ["LAST_EVENT_ID", "STREAMS", "Numbered", "follow", "read_to_its_end", "reply_stream", "stream"]

STREAMS = 224
"""Pages that read an answer at a time. Each holds a thread of the server (0.3 MB), so that there has to be a limit; who
comes beyond it asks again every two seconds, and the threads that are left serve everything else."""

LAST_EVENT_ID = r"^([0-9]{1,15})(?:\.([0-9]{1,15})\.([0-9]{1,15})\.([0-9a-f]{8}))?$"

Numbered = Iterator[tuple[str, Event]]

_room = threading.BoundedSemaphore(STREAMS)


@dataclass(frozen=True, slots=True)
class _Part:
    """What a reader has of an answer."""

    reply_to: int
    length: int
    hash: str

    @classmethod
    def of(cls, reply_to: int, text: str) -> "_Part":
        return cls(reply_to, len(text), hashlib.sha256(text.encode()).hexdigest()[:8])

    def begins(self, text: str) -> bool:
        return self == _Part.of(self.reply_to, text[: self.length])


def reply_stream(sessions: Sessions, visit: Visit) -> Response:
    """What the therapist says after turn `?after=`, as docs/api.md describes the stream, for a page's script.

    A page for which there is no room is told `later`, and asks again: its answer is being written all the same.

    The stream begins with an event `wait`, and a long silence has more of them: a script in a browser sees neither
    comments nor headers that wait for the first event, and could not tell a server that is thinking from a line that is
    dead. An answer of which the page has a part comes whole: the page puts it in the place of the part.
    """
    if not _room.acquire(blocking=False):
        return stream(iter([("", Event("later", {}))]))
    held = ExitStack()  # given back once: at the end of the stream, or when it is closed before it was begun
    held.callback(_room.release)
    events = follow(sessions, visit, words.after(), parts=False)
    at_once: list[tuple[str, Event]] = [("", Event("wait", {}))]
    answer = stream(_within(held, chain(at_once, events)), silence="event: wait\ndata:\n\n")
    answer.call_on_close(held.close)
    return answer


def read_to_its_end(sessions: Sessions, visit: Visit, after: int) -> None:
    """Wait until what is said after turn `after` is written, for a page without a script; not at all without room."""
    if _room.acquire(blocking=False):
        try:
            for _ in sessions.follow(visit, after):
                pass
        finally:
            _room.release()


def follow(
    sessions: Sessions, visit: Visit, after: int, every: float = KEEP_ALIVE_S, *, parts: bool = True
) -> Numbered:
    """The events after turn `after`, or after the event that the request names as its last, with their ids.

    With `parts`, what the reader has of an answer is left out; without, the answer begins anew.
    """
    known = re.fullmatch(LAST_EVENT_ID, request.headers.get("Last-Event-ID", ""))
    part = None
    if known:
        after = int(known[1])
        part = _Part(int(known[2]), int(known[3]), known[4]) if known[2] and parts else None
    return _numbered(sessions.follow(visit, after, every), after, part)


def stream(events: Numbered, silence: str = ": still writing\n\n") -> Response:
    return Response(
        (silence if event.name == "wait" else _line(number, event) for number, event in events),
        mimetype="text/event-stream",
        headers={"X-Accel-Buffering": "no"},  # a proxy in front must pass each sentence on at once
    )


def _within(held: ExitStack, events: Numbered) -> Numbered:
    with held:
        yield from events


def _numbered(events: Iterator[Event], last: int, known: _Part | None) -> Numbered:
    """Give each event its id, and leave out what the reader has: the turns until `last`, and `known` of an answer."""
    to, text = -1, ""  # the answer that is being read, and all of it so far
    held: list[tuple[str, Event]] = []  # sentences of which we do not know yet whether the reader has them
    here = _id(last, known)
    for event in events:
        if event.name == "sentence":
            before = text if to == (event.data["reply_to"] or 0) else ""
            to, whole = event.data["reply_to"] or 0, event.data.get("whole", False)
            text = event.data["text"] if whole else f"{before} {event.data['text']}".strip()
            here = _id(last, _Part.of(to, text))
            one = (here, event)
            if known is None or known.reply_to != to:
                yield one
            elif whole and known.begins(text):
                if rest := text[known.length :].strip():
                    yield here, Event("sentence", {**event.data, "text": rest})
                known = None
            else:
                held.append(one)
                if whole or len(text) >= known.length:
                    if known != _Part.of(to, text):
                        yield from held
                    known, held = None, []
        elif event.name == "turn":
            yield from held  # the answer became a shorter one than the reader has
            if known is not None and known.reply_to == (event.data["reply_to"] or 0):
                known = None
            text, held, last = "", [], event.data["number"]
            here = _id(last)
            yield here, event
        else:
            yield here, event


def _id(last: int, part: _Part | None = None) -> str:
    return f"{last}.{part.reply_to}.{part.length}.{part.hash}" if part else str(last)


def _line(number: str, event: Event) -> str:
    return f"id: {number}\nevent: {event.name}\ndata: {json.dumps(event.data, ensure_ascii=False)}\n\n"

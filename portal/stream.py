"""Server-sent events: the reply stream, the same for pages and robots."""

import json
from collections.abc import Iterator

from flask import Response, request

from portal.sessions import Event, Sessions
from study.visits import Visit

__all__ = ["reply_stream"]


def reply_stream(sessions: Sessions, visit: Visit, *, beat: bool = False) -> Response:
    """What the therapist says after turn `?after=`, as docs/design.md describes the stream.

    With `beat` a long silence has events `wait` in it: a browser's script sees no comments, and could not tell a server
    that is thinking from a line that is dead.
    """
    after = request.args.get("after", default=0, type=int)
    return Response(
        _lines(sessions.follow(visit, after), beat),
        mimetype="text/event-stream",
        headers={"X-Accel-Buffering": "no"},  # a proxy in front must pass each sentence on at once
    )


def _lines(events: Iterator[Event], beat: bool) -> Iterator[str]:
    for event in events:
        if event.name == "wait" and not beat:
            yield ": still writing\n\n"
        else:
            yield f"event: {event.name}\ndata: {json.dumps(event.data, ensure_ascii=False)}\n\n"

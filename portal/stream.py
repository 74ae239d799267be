"""Server-sent events: the reply stream, the same for pages and robots."""

import json
from collections.abc import Iterator

from flask import Response, request

from portal.sessions import Event, Sessions
from study.visits import Visit

__all__ = ["reply_stream"]


def reply_stream(sessions: Sessions, visit: Visit) -> Response:
    """What the therapist says after turn `?after=`, as docs/design.md describes the stream."""
    after = request.args.get("after", default=0, type=int)
    return Response(
        _lines(sessions.follow(visit, after)),
        mimetype="text/event-stream",
        headers={"X-Accel-Buffering": "no"},  # a proxy in front must pass each sentence on at once
    )


def _lines(events: Iterator[Event]) -> Iterator[str]:
    for event in events:
        if event.name == "wait":
            yield ": still writing\n\n"
        else:
            yield f"event: {event.name}\ndata: {json.dumps(event.data, ensure_ascii=False)}\n\n"

"""Idempotency keys: a call that is made again, because its answer was lost, gets the answer and does nothing twice.

What a call does and what it answered are in two files, so a process can be killed between the two. Then the call is
made again when it is repeated, and comes to the same: every effect of the API is one that the record's own constraints
let happen once (a visit has one device, an occasion one rating, a token one turn; a visit stops once; of reports the
last counts). The key is on the disk before the effect, so that even then it is good for the same body alone.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import abort, request
from pydantic import BaseModel

from portal.api.models import SpokenTurn
from portal.looking import sessions
from study import visits
from study.access import repeats
from study.access.devices import Caller
from study.study import Study

__all__ = ["KEY", "once"]

KEY = r"^[!-~]{1,255}$"

Answer = tuple[int, dict[str, Any]]

_under_way: dict[tuple[str, str], tuple[threading.Lock, int]] = {}
_lock = threading.Lock()


def once(study: Study, caller: Caller, body: BaseModel | None, make: Callable[[], Answer]) -> Answer:
    """The answer of `make`; with an `Idempotency-Key` that the device has used before, the answer that it had then.

    Two at once wait for each other. A refusal changes nothing, is not kept, and is looked at anew. Ends the request
    with 422 when the key belongs to another call or is none.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return make()
    if not re.fullmatch(KEY, key):
        abort(422, "An Idempotency-Key is 1 to 255 visible ASCII characters.")
    said = body.model_dump(mode="json", exclude_unset=True) if body else None
    what = f"{request.method} {request.path} {json.dumps(said, sort_keys=True)}"
    with _one_at_a_time(caller.device, key):
        known = repeats.begin(study, caller.device, key, what)
        if known is not None:
            return known[0], _with_turns(study, known[1])
        status, data = make()
        repeats.finish(study, caller.device, key, status, _without_turns(data))
        return status, data


def _without_turns(data: dict[str, Any]) -> dict[str, Any]:
    """An answer without anybody's words: turns never change, so how many there were is enough to say them again."""
    return {**data, "turns": len(data["turns"])} if "turns" in data else data


def _with_turns(study: Study, data: dict[str, Any]) -> dict[str, Any]:
    if "turns" not in data:
        return data
    turns = sessions().describe(visits.find(study, data["visit"]))["turns"][: data["turns"]]
    return {**data, "turns": [SpokenTurn.model_validate(turn).model_dump(mode="json") for turn in turns]}


@contextmanager
def _one_at_a_time(device: str, key: str) -> Iterator[None]:
    name = (device, key)
    with _lock:
        lock, waiting = _under_way.get(name, (threading.Lock(), 0))
        _under_way[name] = (lock, waiting + 1)
    try:
        with lock:
            yield
    finally:
        with _lock:
            lock, waiting = _under_way[name]
            if waiting == 1:
                del _under_way[name]
            else:
                _under_way[name] = (lock, waiting - 1)

"""The portal's API, as docs/api.md describes it, over HTTP.

A call whose answer was lost is made again by whoever made it, with the same idempotency key; a reply stream that broke
off is taken up after the last event that came.
"""

import json
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2

from robot_node.errors import (
    Alarmed,
    ClaimedElsewhere,
    NotReachable,
    PageFirst,
    Refused,
    RobotError,
    WrongCode,
    WrongToken,
)

__all__ = ["DeviceAPI", "Event", "Heard", "Visit"]

CONNECT_S = 3.0
SILENCE_S = 10.0
"""The portal answers at once, and sends a sign of life every second of a reply: after so long it is gone."""

SAME_CALL_S = 60.0
"""A call that got no answer and is made again within this is the same call."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit as the portal describes it."""

    id: int
    state: str
    """`before`, `exercise`, `after`, `done` or `stopped`."""
    pending: bool
    """Whether an answer is owed."""
    turns: list[dict[str, Any]]
    """`number`, `speaker`, `text` of each turn so far."""
    message: str | None
    """What is to be said when the visit was stopped."""
    language: str
    reflect: bool
    """Whether the question that waits for an answer asks to think first."""
    code: str
    """The six digits."""
    record: bool
    """Whether the study records what participants say to a robot."""

    @property
    def last_number(self) -> int:
        """The number of the last turn; 0 when there is none."""
        return self.turns[-1]["number"] if self.turns else 0


@dataclass(frozen=True, slots=True)
class Heard:
    """The portal has the participant's words on its disk."""

    number: int
    """The turn's number."""
    stopped: bool
    """Whether the safety screen stopped the visit for them."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a reply stream; `wait` for its sign of life, after a second in which nothing came."""

    name: str
    data: dict[str, Any]


class DeviceAPI:
    """One robot's connection to the portal. Every call may be repeated without doing anything twice.

    All calls raise `NotReachable` when the portal does not answer, `WrongToken`, and `RobotError` for what should not
    happen; each names what else it raises. Where that is `Refused` it may be `Alarmed` or `PageFirst`.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.latency_ms: float | None = None
        """How long the last call took, there and back."""
        self._unanswered: dict[str, tuple[str, float]] = {}
        self._broke_off: dict[tuple[int, int], str] = {}
        self._client = httpx2.Client(
            base_url=self.url + "/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx2.Timeout(SILENCE_S, connect=CONNECT_S),
            trust_env=False,
        )

    def claim(self, code: str) -> Visit:
        """Take the visit with this code. Raises `WrongCode`, `ClaimedElsewhere`, `PageFirst`, and `Refused` when it
        may not be made now."""
        self._broke_off.clear()
        answer = self._send("POST", "/claims", {"code": code})
        if answer.status_code in (404, 422, 429):
            raise WrongCode("No visit with a robot has this code today.")
        if answer.status_code == 409:
            why = _why(answer)
            if re.search(r"\b(another|other) (robot|device)", why, re.IGNORECASE):
                raise ClaimedElsewhere(why)
        return _visit(self._fine(answer))

    def visit(self, visit_id: int) -> Visit:
        """The visit as it stands."""
        return _visit(self._fine(self._send("GET", f"/visits/{visit_id}")))

    def rate(self, visit_id: int, occasion: str, value: int) -> Visit:
        """Record a rating from 0 to 100. Raises `Refused` when it is not due."""
        fields = {"occasion": occasion, "value": value}
        return _visit(self._fine(self._send("POST", f"/visits/{visit_id}/ratings", fields)))

    def say(self, visit_id: int, words: str, token: str) -> Heard:
        """Record what the participant said. Raises `Refused` when it is not taken."""
        answer = self._fine(self._send("POST", f"/visits/{visit_id}/turns", {"words": words, "token": token}))
        return Heard(answer["number"], answer["stopped"])

    def screen(self, visit_id: int, words: str) -> Visit:
        """Have words screened that are no part of the exercise; a hit stops the visit. Raises `Refused`."""
        return _visit(self._fine(self._send("POST", f"/visits/{visit_id}/screen", {"words": words})))

    def sound(self, visit_id: int, reply_to: int, after_ms: float) -> None:
        """Say how long after the participant's words the answer to them began to sound. Raises `Refused`."""
        fields = {"reply_to": reply_to, "after_ms": after_ms}
        self._fine(self._send("POST", f"/visits/{visit_id}/sounds", fields))

    def reply(self, visit_id: int, after: int) -> Iterator[Event]:
        """What the therapist says after turn `after`, event by event, up to and with `end`.

        Raises `NotReachable` when the stream breaks off before that, or has a line that makes no sense.
        """
        ended = False
        last = self._broke_off.pop((visit_id, after), None)
        headers = {"Last-Event-ID": last} if last else {}
        try:
            with self._client.stream(
                "GET", f"/visits/{visit_id}/reply", params={"after": after}, headers=headers
            ) as answer:
                if answer.status_code != 200:
                    answer.read()
                    self._fine(answer)
                name = number = ""
                for line in _lines(answer.iter_bytes()):
                    if line.startswith("id: "):
                        number = line.removeprefix("id: ")
                    elif line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith(":"):
                        yield Event("wait", {})
                    elif line.startswith("data: "):
                        data = json.loads(line.removeprefix("data: "))
                        if not isinstance(data, dict):
                            raise ValueError("no object")
                        ended, last = name == "end", number
                        yield Event(name, data)
        except (httpx2.HTTPError, httpx2.StreamError, ValueError) as error:
            self._remember(visit_id, after, last)
            raise NotReachable(f"{self.url} broke off ({type(error).__name__}).") from None
        if not ended:
            self._remember(visit_id, after, last)
            raise NotReachable(f"{self.url} broke off.")

    def _remember(self, visit_id: int, after: int, last: str | None) -> None:
        if last:
            self._broke_off[visit_id, after] = last

    def report(
        self, *, battery: float | None = None, state: str | None = None, version: str | None = None
    ) -> str | None:
        """Say how this robot is, with how long its last call took. Returns when its token ends, if it does."""
        fields = {"battery": battery, "latency_ms": self.latency_ms, "state": state, "version": version}
        answer = self._fine(self._send("POST", "/telemetry", fields, once=False))
        ends: str | None = answer["expires_at"]
        return ends

    def close(self) -> None:
        self._client.close()

    def _send(self, method: str, path: str, fields: dict[str, Any] | None = None, once: bool = True) -> httpx2.Response:
        what = f"{path} {json.dumps(fields)}"
        now = time.monotonic()
        headers = {"Idempotency-Key": self._key(what, now)} if method == "POST" and once else {}
        try:
            answer = self._client.request(method, path, json=fields, headers=headers)
        except httpx2.HTTPError as error:
            raise NotReachable(f"{self.url} cannot be reached ({type(error).__name__}).") from None
        self.latency_ms = round(1000 * (time.monotonic() - now), 1)
        if answer.status_code < 500:
            self._unanswered.pop(what, None)
        return answer

    def _key(self, what: str, now: float) -> str:
        """An idempotency key for a call; the same as before when it got no answer a moment ago."""
        self._unanswered = {one: kept for one, kept in self._unanswered.items() if now - kept[1] < SAME_CALL_S}
        key = self._unanswered[what][0] if what in self._unanswered else secrets.token_hex(16)
        self._unanswered[what] = (key, now)
        return key

    def _fine(self, answer: httpx2.Response) -> dict[str, Any]:
        """The body of an answer that is as it should be."""
        status = answer.status_code
        if status == 401:
            raise WrongToken(f"{self.url} does not know this device token; `bedside device` issues one.")
        if status >= 500 or status == 429:
            raise NotReachable(f"{self.url} cannot take this now (status {status}).")
        if status in (403, 404, 409, 413, 422):
            raise _refusal(answer)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if status not in (200, 201) or not isinstance(body, dict):
            raise RobotError(f"{self.url} is not a Bedside portal (status {status}); look at the address.")
        return body


def _refusal(answer: httpx2.Response) -> Refused:
    """The error for an answer that refuses something."""
    why = _why(answer)
    if answer.status_code == 409:
        if message := _told(answer, "message"):
            return Alarmed(why, message)
        # A new consent to read, or questions to answer: the portal's sentence names the page where they are.
        if re.search(r"\bpage\b", why, re.IGNORECASE):
            return PageFirst(why)
    return Refused(why)


def _why(answer: httpx2.Response) -> str:
    """The sentence in which the portal says why it refuses something; it quotes nobody."""
    return _told(answer, "error") or f"The portal does not take this now (status {answer.status_code})."


def _told(answer: httpx2.Response, name: str) -> str:
    """A text in the body of an answer; empty when there is none."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    text = body.get(name) if isinstance(body, dict) else None
    return text if isinstance(text, str) else ""


def _lines(parts: Iterable[bytes]) -> Iterator[str]:
    """The lines of a stream, which end with a line feed: what else breaks a line may stand in what is said.

    A last line without its end is left out, since the stream broke off in it. Raises `UnicodeDecodeError`.
    """
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8")


def _visit(body: dict[str, Any]) -> Visit:
    return Visit(
        body["visit"],
        body["state"],
        body["pending"],
        body["turns"],
        body.get("message"),
        body["language"],
        body["reflect"],
        body["code"],
        body["record"],
    )

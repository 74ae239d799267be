"""What the tests of faults share: a model that answers when it is let, a line that can be cut, and one server for all.

The server is the real one, as a process, on a clock that a test moves. Every test has participants of its own, so one
test sees nothing of another although they share the server.
"""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from study.clock import FileClock
from study.enrolment import come, take_in
from study.study import Study
from study.texts import texts
from study.verify import verify
from tests.e2e.conftest import Server, rate

__all__ = ["ANSWER", "WORDS", "Line", "Site", "SlowModel", "Somebody", "begin", "send", "sentence"]

WORDS = "I failed my maths exam yesterday and I keep thinking about it."
ANSWER = "It sounds like you failed the exam yesterday."


def sentence(place: str) -> str:
    """A sentence of the screens, such as `chat.offline`."""
    part, name = place.split(".")
    found: str = texts("en", "screens")[part][name]
    return found


class SlowModel(ThreadingHTTPServer):
    """A server that speaks OpenAI's chat completions; a test can hold it before an answer, or after its first sentence.

    With it the moment between a participant's message and its answer lasts as long as a test needs.
    """

    daemon_threads = True
    pieces = ("It sounds like you failed ", "the exam yesterday. ", "You keep thinking of it.")

    def __init__(self) -> None:
        self.asked = 0
        self.beginning = threading.Event()
        self.rest = threading.Event()
        self.let()
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def hold(self) -> None:
        """Say nothing."""
        self.asked = 0
        self.beginning.clear()

    def hold_after_a_sentence(self) -> None:
        """Say the first sentence, and no more."""
        self.asked = 0
        self.rest.clear()

    def let(self) -> None:
        self.beginning.set()
        self.rest.set()


class _Handler(BaseHTTPRequestHandler):
    server: SlowModel

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        aloud = body["max_tokens"] > 1  # else the portal reads the shared beginning
        if aloud:
            self.server.asked += 1
            self.server.beginning.wait(60)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        with suppress(OSError):  # the portal was killed meanwhile
            for number, piece in enumerate(self.server.pieces):
                if aloud and number == 2:
                    self.server.rest.wait(60)
                self._say(piece, None)
            self._say("", "stop")
            self.wfile.write(b"data: [DONE]\n\n")

    def _say(self, piece: str, reason: str | None) -> None:
        chunk: dict[str, Any] = {
            "id": "1", "object": "chat.completion.chunk", "created": 0, "model": "slow",
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": reason}],
        }  # fmt: skip
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Line:
    """The network between a browser and the server: TCP connections that can be cut, or fall silent."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._open: set[socket.socket] = set()
        self._passes = threading.Event()
        self._passes.set()
        self._whole = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection at once; new ones break as well, until `mend`."""
        self._whole = False
        for end in list(self._open):
            _reset(end)

    def fall_silent(self) -> None:
        """Keep every connection and carry nothing, as a phone in a tunnel does."""
        self._passes.clear()

    def mend(self) -> None:
        self._whole = True
        self._passes.set()

    def close(self) -> None:
        self.mend()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                if not self._whole:
                    _reset(near)
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self._to))
                except OSError:  # the server is away
                    _reset(near)
                    continue
                self._open |= {near, far}
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                self._passes.wait(120)
                other.sendall(data)
        for end in (one, other):
            self._open.discard(end)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@dataclass
class Somebody:
    """A participant of a test's own."""

    site: "Site"
    code: str
    path: str

    @property
    def link(self) -> str:
        return self.site.line.url + self.path

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows of the record; `:code` in `sql` is the participant's code."""
        return self.site.study.records.rows(sql.replace(":code", f"'{self.code}'"))

    def turns(self) -> list[tuple[str, str]]:
        """Who said what, in order."""
        found = self.rows(
            "SELECT speaker, text FROM turn WHERE visit IN (SELECT id FROM visit WHERE participant = :code) ORDER BY id"
        )
        return [(row["speaker"], row["text"]) for row in found]

    def said(self) -> list[str]:
        """What the participant said, in order."""
        return [text for speaker, text in self.turns() if speaker == "participant"]

    def ratings(self) -> list[int]:
        found = self.rows(
            "SELECT value FROM rating WHERE visit IN (SELECT id FROM visit WHERE participant = :code) ORDER BY id"
        )
        return [row["value"] for row in found]

    def state(self, day: int) -> str:
        """Where the visit of `day` stands."""
        found: str = self.rows(f"SELECT state FROM visit WHERE participant = :code AND day = {day}")[0]["state"]
        return found


@dataclass
class Site:
    """The study, the server that serves it, and the line to it."""

    folder: Path
    server: Server
    study: Study
    clock: FileClock
    model: SlowModel
    line: Line = field(init=False)

    def somebody(self, arm: str, *, timezone: str | None = None) -> Somebody:
        """Somebody new in `arm`, whose first study day is today."""
        who = take_in(self.study, kind="test", arm=arm, timezone=timezone, skip=True)
        return Somebody(self, who.code, self.study.participant_path(who.code))

    def newcomer(self) -> Somebody:
        """Somebody new at the door, who was asked nothing yet."""
        who = come(self.study)
        return Somebody(self, who.code, self.study.participant_path(who.code))

    def restart(self) -> None:
        self.server.start()

    @contextmanager
    def on_a_line(self) -> Iterator["Site"]:
        """A line of one test's own. After it everything is as before it, and the record holds."""
        self.line = Line(self.server.port)
        try:
            yield self
        finally:
            self.model.let()
            self.line.close()
            if self.server.process is not None and self.server.process.poll() is not None:
                self.server.start()
        assert verify(self.study.records).mistakes == []


def begin(page: Page, who: Somebody) -> None:
    """Open the link, and go as far as the exercise."""
    page.goto(who.link)
    page.locator("#next").click()
    rate(page, 20)
    expect(page.locator("textarea").first).to_be_visible()
    page.wait_for_load_state()  # its scripts are there, whatever becomes of the line


def send(page: Page, words: str) -> None:
    page.get_by_label("Your message").fill(words)
    page.get_by_role("button", name="Send").click()

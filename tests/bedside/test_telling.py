"""Somebody is told of a safety event: at once where that is possible, again where it was not."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from study import messages, safety, visits
from study.enrolment import take_in
from study.study import Study
from study.turns import Hit


class Post(ThreadingHTTPServer):
    """Takes what Apprise posts to a json:// address."""

    def __init__(self) -> None:
        self.received: list[dict[str, str]] = []
        self.working = True
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Post

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.working:
            self.server.received.append(json.loads(body))
        self.send_response(200 if self.server.working else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def post() -> Iterator[Post]:
    server = Post()
    yield server
    server.shutdown()


@pytest.fixture
def told(folder: Path, post: Post) -> Iterator[Study]:
    """A study whose safety officer is reached at `post`, with one event in it."""
    path = folder / "study.toml"
    path.write_text(path.read_text() + f'\nnotify = ["json://127.0.0.1:{post.server_address[1]}/safety"]\n')
    study = Study.open(folder)
    visit = visits.today(study, take_in(study))
    assert visit is not None
    visits.stop(study, visit, "participant", Hit("suicide", "suicide.want_to_die", 0, 4, "participant"))
    yield study
    study.close()


def tell(study: Study) -> int:
    messages.claim_alarms(study)
    return messages.deliver(study)["safety"]


def test_an_event_is_told_once_with_the_code_and_no_words(told: Study, post: Post) -> None:
    assert tell(told) == 1
    assert tell(told) == 0
    [message] = post.received
    assert told.participants()[0].code in message["message"]
    assert "suicide" in message["message"]
    [event] = safety.events(told)
    assert event["told_at"]


def test_an_event_that_could_not_be_told_is_told_later(told: Study, post: Post) -> None:
    post.working = False
    assert tell(told) == 0
    assert safety.events(told)[0]["told_at"] is None
    post.working = True
    assert tell(told) == 1


def test_a_participant_goes_on_when_the_last_event_is_acknowledged(told: Study) -> None:
    [person] = told.participants()
    assert person.status == "held"
    safety.acknowledge(told, 1, "Dr Okafor")
    assert told.participant(person.code).status == "active"
    assert safety.events(told, open_only=True) == []

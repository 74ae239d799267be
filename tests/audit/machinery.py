"""What the tests of the audit's machinery share: the real `bedside` with one suite more, and a server it can ask.

`python -m tests.audit.machinery audit ...` is `bedside audit ...`, with `suites_for_tests/` beside the suites.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import audit.suites
from audit.suite import all_suites

__all__ = ["ROOT", "Server", "bedside", "with_tiny"]

ROOT = Path(__file__).parents[2]


@contextmanager
def with_tiny() -> Iterator[None]:
    """Meanwhile `audit.suite.suites()` finds the suite `tiny`, too."""
    where = str(Path(__file__).parent / "suites_for_tests")
    audit.suites.__path__.append(where)
    all_suites.cache_clear()
    try:
        yield
    finally:
        audit.suites.__path__.remove(where)
        all_suites.cache_clear()


def bedside(*arguments: str, cwd: Path, **more: str) -> subprocess.Popen[str]:
    """The command line in a process of its own; `more` goes into its environment."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "200"} | more
    command = [sys.executable, "-m", "tests.audit.machinery", *arguments]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


class Server(ThreadingHTTPServer):
    """Speaks OpenAI's chat completions. It answers so many times, and then says nothing more."""

    daemon_threads = True

    def __init__(self, answers: int, port: int = 0) -> None:
        self.asked: list[str] = []
        """The last words of each request that was answered."""
        self._left = threading.Semaphore(answers)
        self.exhausted = threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def stop(self) -> None:
        """Let go of whoever waits, and of the port."""
        self._left.release(10_000)
        self.shutdown()
        self.server_close()

    def take(self) -> None:
        if not self._left.acquire(blocking=False):
            self.exhausted.set()
            self._left.acquire()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.take()
        self.server.asked.append(body["messages"][-1]["content"])
        answer = json.dumps(
            {
                "id": "one",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Which keys?"}}
                ],
                "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        with suppress(OSError):  # who asked may have been killed
            self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    from bedside.cli import main

    with with_tiny():
        main(prog_name="bedside")

"""What a log says of an exception: where it was, and nothing that anybody said."""

import sqlite3
import subprocess
import sys

import pytest

from study.errors import RecordFull, StudyError
from study.logs import trace

WORDS = "My uncle hit me"

LEAKY = f"""
import threading, structlog
from bedside.logs import set_up

set_up()
words = {WORDS!r}
try:
    {{}}[words]
except KeyError:
    structlog.get_logger().exception("handled")
thread = threading.Thread(target=lambda: {{}}[words])
thread.start()
thread.join()
"""


def test_the_trace_of_a_failure_has_its_places_and_not_its_message() -> None:
    with pytest.raises(ValueError, match="uncle") as caught:
        int(WORDS)
    assert trace(caught.value).startswith("ValueError at test_logs.py:")
    assert "uncle" not in trace(caught.value)


@pytest.mark.parametrize("kind", [StudyError, RecordFull, OSError, sqlite3.OperationalError])
def test_what_quotes_nobody_is_said(kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        raise kind("The disk is full.")
    assert trace(caught.value).endswith(": The disk is full.")


def test_the_cause_is_named_without_its_message() -> None:
    def read() -> int:
        try:
            return int(WORDS)
        except ValueError as error:
            raise StudyError("It was no number.") from error

    with pytest.raises(StudyError) as caught:
        read()
    assert "It was no number.; after ValueError at test_logs.py:" in trace(caught.value)
    assert "uncle" not in trace(caught.value)


def test_the_servers_log_quotes_nobody() -> None:
    done = subprocess.run([sys.executable, "-c", LEAKY], capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout + done.stderr
    assert "uncle" not in said
    assert said.count("KeyError at ") == 2, said
    assert "Traceback" not in said

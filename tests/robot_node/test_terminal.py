"""The robot in a terminal."""

import io
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from robot_node.terminal import _print


@pytest.mark.parametrize(
    "sentence", ["Think of [situation] and [bold]then[/bold].", "Use [/] or [/b] here.", ":smile:"]
)
def test_what_the_robot_says_is_printed_as_it_is(sentence: str) -> None:
    events: list[Any] = [("say", sentence), ("say", "Next.")]
    listener: Any = SimpleNamespace(next_event=lambda timeout_s: events.pop(0) if events else None)
    companion: Any = SimpleNamespace(finished=threading.Event())
    companion.finished.set()
    printed = io.StringIO()
    _print(listener, companion, Console(file=printed, highlight=False), threading.Event())
    assert printed.getvalue() == f"robot {sentence}\nrobot Next.\n"

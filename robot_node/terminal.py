"""The robot in a terminal: what is typed is heard by the robot, what it says is printed."""

import sys
import threading

from rich.console import Console
from rich.text import Text

from robot_node.client import Listener
from robot_node.companion import Companion

__all__ = ["talk"]


def talk(companion: Companion, listener: Listener) -> None:
    """Be the participant until the visit is over or the input ends."""
    console = Console(highlight=False)
    listening = threading.Event()
    printer = threading.Thread(target=_print, args=(listener, companion, console, listening), daemon=True)
    printer.start()
    while not companion.finished.is_set():
        if not listening.wait(0.1):
            continue
        listening.clear()
        try:
            words = console.input("[bold]you   [/bold]")
        except (EOFError, KeyboardInterrupt):
            console.print("\nLeft. The visit is kept: the same code takes it up again.", style="dim")
            return
        if words.strip():
            listener.speak(words)
        else:
            listening.set()
    printer.join(0.5)
    if companion.failure is not None:
        print(f"Error: {companion.failure}", file=sys.stderr)


def _print(listener: Listener, companion: Companion, console: Console, listening: threading.Event) -> None:
    while True:
        event = listener.next_event(0.2)
        match event:
            case ("say", sentence):
                console.print(Text.assemble(("robot", "cyan"), " ", sentence), soft_wrap=True)
            case ("listening", True):
                listening.set()
            case None if companion.finished.is_set():
                return

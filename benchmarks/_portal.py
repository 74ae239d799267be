"""A study prepared for a benchmark, and the real portal, `bedside serve`, in a process of its own."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import psutil

from study.study import create

__all__ = ["memory_of", "portal", "prepare"]

LOCAL = 'kind = "transformers"\nmodel = "smollm2"\n'
"""The engine of the template."""


def prepare(folder: Path, engine: str = 'kind = "eliza"\n') -> Path:
    """The study of the template, with `engine` in every arm, open at any hour; its protocol's path."""
    path = create(folder)
    text = path.read_text()
    if LOCAL not in text:
        raise click.ClickException("The template names its engine in other words than this benchmark knows.")
    path.write_text(text.replace(LOCAL, engine))
    return path


@contextmanager
def portal(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """`bedside serve` in a process of its own: its address, and the process."""
    command = [sys.executable, "-m", "bedside", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        said = []
        try:
            for line in server.stdout or ():
                said.append(line)
                if found := re.search(r"at (http://\S+?)\. ", line):
                    break
            else:
                raise click.ClickException("The portal did not start:\n" + "".join(said))
            # Read on, so that it never waits for a reader.
            reader = threading.Thread(target=lambda: [None for _ in server.stdout or ()], daemon=True)
            reader.start()
            try:
                yield found[1], psutil.Process(server.pid)
            finally:
                server.terminate()
                reader.join()
        finally:
            server.terminate()


def memory_of(process: psutil.Process) -> float:
    """The memory of the portal's processes, in MB."""
    return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)]) / 1e6

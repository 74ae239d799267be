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

from bedside.gate import allow
from study.study import Study, create

__all__ = ["LOCAL", "local", "memory_of", "portal", "prepare"]

LOCAL = 'kind = "transformers"\nmodel = "smollm2"\n'
"""The engine of the template."""

TIMEOUT = "timeout_s = 20"
"""How long it may take over a sentence, in the template."""


def local(model: str, precision: str) -> str:
    """A model on this machine, as the protocol names an engine."""
    return f'kind = "transformers"\nmodel = "{model}"\nprecision = "{precision}"\n'


def prepare(folder: Path, engine: str = 'kind = "eliza"\n', patience_s: int | None = None) -> Path:
    """The study of the template, with `engine` in every arm, open at any hour; its protocol's path.

    With `patience_s` an answer may take so long to begin, and each sentence of it, before the script speaks instead:
    where whoever waits is to be measured, not comforted.
    """
    path = create(folder)
    text = path.read_text()
    for standing, instead in (
        (LOCAL, engine),
        (TIMEOUT, f"timeout_s = {patience_s}\nwait_s = {patience_s}" if patience_s else TIMEOUT),
    ):
        if standing not in text:
            raise click.ClickException(f"The template no longer has {standing!r}, which this benchmark replaces.")
        text = text.replace(standing, instead)
    path.write_text(text)
    study = Study.open(folder)
    allow(study, by="benchmark", reason="nobody takes part in a benchmark")
    study.close()
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

"""What the commands share."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from study.errors import StudyError

if TYPE_CHECKING:
    from study.protocol import Protocol
    from study.study import Study

__all__ = ["Folder", "StudyFolder", "planned", "progress", "refuse_unplanned_rehearsal"]

Folder = click.Path(path_type=Path, file_okay=False)
StudyFolder = click.argument("folder", metavar="DIR", type=Folder)


@contextmanager
def progress(first: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for long work, where somebody watches; it begins with `first`.

    It is told what is done now, how much of that is done, and how much there is.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=not sys.stderr.isatty(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(first, total=None)
        yield lambda what, done, of: bar.update(task, description=what, completed=done, total=of)


def planned(protocol: "Protocol", folder: Path, least: int, most: int) -> int:
    """How many participants the study in `folder` plans, where nobody gave --participants.

    Raises `StudyError` when its protocol does not say, or says fewer than `least` or more than `most`.
    """
    path = folder / "study.toml"
    if protocol.participants is None:
        raise StudyError(
            f"{path} does not say how many participants are planned: give --participants, or write it there, for "
            "example participants = 38."
        )
    if not least <= protocol.participants <= most:
        raise StudyError(
            f"{path} plans {protocol.participants:,} participants: give --participants, from {least} to {most:,}."
        )
    return protocol.participants


def refuse_unplanned_rehearsal(study: "Study") -> None:
    """Raises `StudyError` for a rehearsal without a plan: to add one to study.toml by now does not change it."""
    if study.rehearsal and study.protocol.analysis is None:
        raise StudyError(
            f"This rehearsal was made by a protocol without [analysis]. Add one to {study.folder / 'study.toml'}, and "
            f"rehearse anew: bedside simulate {study.folder}"
        )

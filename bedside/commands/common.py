"""What the commands share."""

from pathlib import Path

import click

__all__ = ["Folder", "StudyFolder"]

Folder = click.Path(path_type=Path, file_okay=False)
StudyFolder = click.argument("folder", metavar="DIR", type=Folder)

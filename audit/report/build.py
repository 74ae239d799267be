"""The report as files: the page, the same in short as Markdown, every table as CSV, every figure as SVG.

The folder appears whole or not at all, in place of an earlier report; a folder that holds anything else is left alone.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audit.errors import AuditError
from audit.report.agreeing import agreeing
from audit.report.dimensions import three
from audit.report.markdown import NAME, markdown
from audit.report.material import Material
from audit.report.page import Content, page
from audit.report.sections import suite_section
from audit.report.worst import worst

__all__ = ["PAGE", "Written", "content_of", "write"]

PAGE = "audit.html"


@dataclass(frozen=True, slots=True)
class Written:
    """What a report came to."""

    folder: Path
    tables: int
    figures: int
    transcripts: int


def content_of(
    material: Material,
    command: str,
    *,
    most: int = 3,
    transcripts: bool = True,
    progress: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> Content:
    """Everything that the page says; of each suite and persona the `most` worst transcripts.

    `progress` is told what is done now, how much of it is done, and how much there is.
    """
    suites = []
    for place, part in enumerate(material.parts):
        progress(f"tables: {part.suite.name}", place, len(material.parts))
        suites.append(suite_section(material, part))
    progress("agreement and transcripts", len(suites), len(suites))
    return Content(
        material=material,
        three=three(material),
        suites=tuple(suites),
        agreeing=agreeing([part.suite for part in material.parts], material.graders),
        worst=tuple(worst(material, most)) if transcripts else (),
        transcripts=transcripts,
        command=command,
    )


def write(content: Content, out: Path) -> Written:
    """Write the report into the folder `out`.

    Raises `AuditError` when `out` holds something that is no report, or cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise AuditError(f"{out} is a file; name a folder: --out.")
    if out.is_dir() and any(out.iterdir()) and not (out / PAGE).exists():
        raise AuditError(f"{out} holds something else; name a new folder, or one that has an earlier report: --out.")
    out = out.absolute()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise AuditError(f"{out} cannot be written: {error.strerror}.") from None
    try:
        folder.chmod(0o777 & ~_umask())
        _fill(content, folder)
        if out.exists():
            shutil.rmtree(out)
        folder.replace(out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Written(out, len(content.sheets), len(content.figures), len(content.worst))


def _fill(content: Content, folder: Path) -> None:
    material = content.material
    (folder / "tables").mkdir()
    (folder / "figures").mkdir()
    for sheet in content.sheets:
        text = sheet.csv(material.sha256, material.version)
        (folder / "tables" / f"{sheet.name}.csv").write_bytes(text.encode())
    for figure in content.figures:
        head, _, body = figure.svg.partition(">")
        told = f"rows {material.sha256}, Bedside {material.version}"
        text = f'<?xml version="1.0" encoding="utf-8"?>\n{head}><desc>{told}</desc>{body}'
        (folder / "figures" / f"{figure.name}.svg").write_bytes(text.encode())
    (folder / NAME).write_bytes(markdown(content).encode())
    (folder / PAGE).write_bytes(page(content).encode())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

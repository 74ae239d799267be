"""The report as files: the page, its PDF, every table as CSV, every figure as SVG.

The folder appears whole or not at all, in place of an earlier report; a folder that holds anything else is left alone.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from study.analysis.data import AnalysisData
from study.analysis.results import Results
from study.errors import CannotEstimate, StudyError
from study.report import pdf
from study.report.figure import Figure
from study.report.figures import drawings
from study.report.page import page
from study.report.tables import as_csv

__all__ = ["Progress", "Written", "draw", "write"]

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""

PAGE = "report.html"


@dataclass(frozen=True, slots=True)
class Written:
    """What a report came to."""

    folder: Path
    tables: int
    figures: int
    without_pdf: str = ""
    """Why there is no PDF, if there is none."""


def draw(
    data: AnalysisData, results: Results, progress: Progress = lambda *_: None
) -> tuple[list[Figure], dict[str, list[str]]]:
    """Every figure that can be drawn, and by section the sentences on those that cannot."""
    figures: list[Figure] = []
    undrawn: dict[str, list[str]] = {}
    every = drawings()
    for place, (name, (section, drawing)) in enumerate(every.items()):
        progress(f"figure: {name}", place, len(every))
        try:
            figures.append(drawing(data, results))
        except CannotEstimate as reason:
            undrawn.setdefault(section, []).append(str(reason))
    return figures, undrawn


def write(data: AnalysisData, results: Results, out: Path, progress: Progress = lambda *_: None) -> Written:
    """Write the report into the folder `out`.

    Raises `StudyError` when `out` holds something that is no report, or cannot be written.
    """
    _refuse_others(out)
    figures, undrawn = draw(data, results, progress)
    tables = list(results.tables.values())
    tables += [figure.table for figure in figures if figure.table]
    progress("writing", 0, 2)
    out = out.absolute()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise StudyError(f"{out} cannot be written: {error.strerror}.") from None
    try:
        folder.chmod(0o777 & ~_umask())
        (folder / "tables").mkdir()
        (folder / "figures").mkdir()
        for table in tables:
            _save(folder / "tables" / f"{table.name}.csv", as_csv(table, results.provenance))
        for figure in figures:
            _save(folder / "figures" / f"{figure.name}.svg", _stamped(figure.svg, results))
        _save(folder / PAGE, page(data, results, figures, undrawn))
        progress("PDF", 1, 2)
        without = ""
        try:
            printed = page(data, results, figures, undrawn, extra_css=pdf.css(), for_screen=False)
            (folder / "report.pdf").write_bytes(pdf.pdf(printed))
        except pdf.PdfMissing as reason:
            without = str(reason)
        if out.exists():
            shutil.rmtree(out)
        folder.replace(out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    progress("written", 2, 2)
    return Written(out, len(tables), len(figures), without)


def _refuse_others(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()) and not (out / PAGE).exists():
        raise StudyError(f"{out} holds something else; name a new folder, or one that has an earlier report: --out.")
    if out.exists() and not out.is_dir():
        raise StudyError(f"{out} is a file; name a folder: --out.")


def _stamped(svg: str, results: Results) -> str:
    """The figure as a file of its own, which says what it was computed from."""
    from_what = results.provenance
    said = f"data {from_what.data_sha256}, plan {from_what.plan_sha256}, Bedside {from_what.version}"
    head, _, body = svg.partition(">")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}><desc>{said}</desc>{body}'


def _save(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

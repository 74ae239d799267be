"""The whole analysis: every section in the order in which it is read, and its results as JSON.

The same data, plan and version give the same bytes: nothing here depends on the time, the order of a set, or the number
of cores (the linear algebra runs on one, since several add up in another order).
"""

import json
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version

from threadpoolctl import threadpool_limits

from study.analysis.data import AnalysisData
from study.analysis.guard import unfounded
from study.analysis.results import Cell, Provenance, Results, Section, Table
from study.errors import CannotEstimate

__all__ = ["SECTIONS", "Progress", "analyse", "as_dict", "as_json"]

Progress = Callable[[str, int, int], None]
"""Is told of the section that is being made, how many are done, and how many there are."""

SECTIONS: Mapping[str, str] = {
    "flow": "Flow of participants",
    "baseline": "Participants before the treatment",
    "primary": "Primary outcome",
    "secondary": "Secondary outcomes",
    "sessions": "Change within a session",
    "randomisation": "Randomisation test",
    "missing": "Missing values",
    "departures": "Departures from the plan",
    "adherence": "Adherence",
    "engagement": "Engagement",
    "latency": "Latency",
    "diary": "Questions to the diary",
    "dimensions": "Bond, clinical safety and epistemic cost",
    "harms": "Harms",
    "methods": "Methods",
}
"""Modules of `study.analysis.sections` in the order of reading, each with the title it has when it cannot be made."""


def analyse(data: AnalysisData, progress: Progress = lambda what, done, of: None) -> Results:
    """Run the plan on the data. What cannot be estimated is a warning in its section, never an error."""
    found = []
    # A number that is none is looked for in every cell below; that it came about is no news for the terminal.
    with threadpool_limits(1), warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        for done, (name, title) in enumerate(SECTIONS.items()):
            progress(title, done, len(SECTIONS))
            make = import_module(f"study.analysis.sections.{name}").section
            try:
                section: Section = make(data)
            except CannotEstimate as error:
                section = Section(name, title, warnings=(str(error),))
            found.append(_sound(section, data.plan.alpha))
    progress("done", len(SECTIONS), len(SECTIONS))
    provenance = Provenance(data.sha256, data.plan_sha256, version("bedside"))
    return Results(data.protocol.title, provenance, tuple(found))


def _sound(section: Section, alpha: float) -> Section:
    """The section without numbers that are none, and without sentences that its tables do not bear."""
    wrong = unfounded(section, alpha)
    return replace(
        section,
        text=tuple(one for one in section.text if one not in wrong),
        tables=tuple(_finite(table) for table in section.tables),
        warnings=(*section.warnings, *(["A sentence was withheld that no contrast bears out."] if wrong else [])),
    )


def _finite(table: Table) -> Table:
    rows = tuple(tuple(_cell(cell) for cell in row) for row in table.rows)
    return table if rows == table.rows else replace(table, rows=rows)


def _cell(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def as_dict(results: Results, **more: Cell) -> dict[str, object]:
    """The results for JSON; a table's rows are mappings from column to value, with 12 significant digits."""
    return {
        "title": results.title,
        **more,
        "data_sha256": results.provenance.data_sha256,
        "plan_sha256": results.provenance.plan_sha256,
        "version": results.provenance.version,
        "sections": [
            {
                "name": section.name,
                "title": section.title,
                "text": list(section.text),
                "warnings": list(section.warnings),
                "tables": [_table(table) for table in section.tables],
            }
            for section in results.sections
        ],
    }


def as_json(found: object) -> str:
    """Canonical: sorted keys, floats of 12 significant digits, no NaN, a line end at the end."""
    return json.dumps(_rounded(found), sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _rounded(found: object) -> object:
    if isinstance(found, float):
        return float(f"{found:.12g}") + 0.0  # and -0.0 is 0.0
    if isinstance(found, dict):
        return {key: _rounded(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_rounded(value) for value in found]
    return found


def _table(table: Table) -> dict[str, object]:
    names = [column.name for column in table.columns]
    return {
        "name": table.name,
        "title": table.title,
        "note": table.note,
        "columns": [{"name": one.name, "title": one.title, "kind": one.kind} for one in table.columns],
        "rows": [dict(zip(names, row, strict=True)) for row in table.rows],
    }

"""Reading a tidy table from CSV: each column is a number or a factor, and what is neither is named with its line."""

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from study.analysis.tidy.plan import Level, TidyPlan
from study.errors import StudyError

__all__ = ["TidyTable", "read_table"]


@dataclass(frozen=True)
class TidyTable:
    """The columns that the plan names, and where they came from."""

    frame: pd.DataFrame
    """One row for each line, in their order: numbers as float, factors as their levels, the participant as text."""
    factors: dict[str, list[Level]]
    """Factor to its levels, in order."""
    sha256: str
    """Of the file's bytes."""


def read_table(path: Path, plan: TidyPlan) -> TidyTable:
    """The columns of a CSV file that `plan` names. Raises `StudyError`, naming the line, for what cannot be read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StudyError(f"{path.name} is not UTF-8 text; save it as UTF-8.") from None
    header, rows = _rows(path.name, text, plan)
    _check_columns(path.name, header, plan)
    columns: dict[str, object] = {}
    factors: dict[str, list[Level]] = {}
    missing = set(plan.data.missing)
    for name in plan.columns:
        place = header.index(name)
        cells = [(line, None if (cell := row[place].strip()) in missing else cell) for line, row in rows]
        if name in plan.factors:
            columns[name], factors[name] = _factor(path.name, name, cells, plan.factors[name], plan)
        elif name == plan.data.participant:
            columns[name] = np.array([cell for _, cell in cells], dtype=object)
        else:
            columns[name] = _numbers(path.name, name, cells, plan)
    frame = pd.DataFrame(columns)
    day = plan.data.day
    if day and plan.day_is_factor and day not in factors:
        factors[day] = sorted(frame[day].dropna().unique().tolist())
    _check_participants(path.name, frame, [line for line, _ in rows], plan)
    return TidyTable(frame, factors, hashlib.sha256(raw).hexdigest())


def _rows(name: str, text: str, plan: TidyPlan) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, and every row with the number of its line."""
    if "\0" in text:
        raise StudyError(f"{name} has a NUL character in it; it is no CSV file.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=plan.data.separator, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        header = [one.strip() for one in next(reader, [])]
        for row in reader:
            if row:
                rows.append((reader.line_num, row))
    except csv.Error as error:
        raise StudyError(f"{name}: line {reader.line_num}: not valid CSV: {error}.") from None
    if not header:
        raise StudyError(f"{name} is empty; its first line names the columns.")
    if len(header) == 1:
        for other, key in ((";", ";"), ("\t", "\\t"), (",", ",")):
            if other in header[0]:
                raise StudyError(f'{name} separates its fields by {key!r}: write separator = "{key}" in [data].')
    twice = sorted({one for one in header if header.count(one) > 1})
    if twice:
        raise StudyError(f"{name}: two columns are called {twice[0]!r}; give each a name of its own.")
    if not rows:
        raise StudyError(f"{name} has no rows under the names of its columns.")
    for line, row in rows:
        if len(row) != len(header):
            raise StudyError(f"{name}: line {line} has {len(row)} fields, and there are {len(header)} columns.")
    return header, rows


def _check_columns(name: str, header: Sequence[str], plan: TidyPlan) -> None:
    lacking = [one for one in plan.columns if one not in header]
    if not lacking:
        return
    said = f"{name} has no column {lacking[0]!r}; it has {', '.join(header)}."
    stems = [lacking[0], plan.data.outcome]
    alike = [one for one in header if any(one != stem and one.startswith(stem) for stem in stems)]
    if lacking[0] in (plan.data.outcome, plan.data.day) and len(alike) > 1:
        said += (
            f" Are {', '.join(alike)} one outcome on several occasions? Then bring the table into the long form, a "
            "row for each participant and occasion (pandas: melt; R: reshape or pivot_longer)."
        )
    raise StudyError(said)


Cells = Sequence[tuple[int, str | None]]
"""Of each row the number of its line, and what stands there; None where the value is missing."""


def _numbers(file: str, name: str, cells: Cells, plan: TidyPlan) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    found = np.full(len(cells), np.nan)
    for place, (line, cell) in enumerate(cells):
        if cell is None:
            continue
        number = _number(cell, plan)
        if number is None:
            raise StudyError(
                f"{file}: line {line}: {name} is {cell[:40]!r}, which is no number{_hint(name, cell, cells, plan)}."
            )
        found[place] = number
    return found


def _number(cell: str, plan: TidyPlan) -> float | None:
    if plan.data.decimal == ",":
        cell = cell.replace(".", "!").replace(",", ".")
    if "_" in cell:  # Python reads 1_000 as a number, nobody else does
        return None
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _hint(name: str, cell: str, cells: Cells, plan: TidyPlan) -> str:
    if plan.data.decimal == "." and cell.replace(",", "", 1).lstrip("+-").isdigit():
        return '; if the comma is a decimal mark, write decimal = "," in [data]'
    if cell.lower() in ("na", "n/a", "nan", "null", "none", ".", "-", "missing"):
        return f'; if it stands for a missing value, add it to missing = ["", "{cell}"] in [data]'
    if name in (plan.data.outcome, plan.data.baseline):
        return ""
    levels = sorted({one for _, one in cells if one is not None})
    some = ", ".join(f'"{one}"' for one in levels[:6])
    return f"; if {name} is a factor, write in [data.factors]: {name!r} = [{some}{', ...' if len(levels) > 6 else ''}]"


def _factor(file: str, name: str, cells: Cells, levels: Sequence[Level], plan: TidyPlan) -> tuple[object, list[Level]]:
    """The levels of each row, and all levels: numbers where all are numbers, otherwise text."""
    numeric = bool(levels) and all(isinstance(one, int | float) and not isinstance(one, bool) for one in levels)
    known: list[Level]
    if not levels:
        present = {cell for _, cell in cells if cell is not None}
        known = sorted(present)
        numbers = {one: _number(one, plan) for one in present}
        if present and all(number is not None for number in numbers.values()):
            numeric = True
            known = sorted({number for number in numbers.values() if number is not None})
    else:
        known = [float(one) for one in levels] if numeric else [_text(one) for one in levels]
    found: list[Level | None] = []
    for line, cell in cells:
        value = None if cell is None else _number(cell, plan) if numeric else cell
        if cell is not None and value not in known:
            shown = ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in known)
            raise StudyError(f"{file}: line {line}: {name} is {cell[:40]!r}; its levels in the plan are {shown}.")
        found.append(value)
    return pd.Series(found, dtype="float64" if numeric else object), known


def _text(level: Level) -> str:
    return str(level).lower() if isinstance(level, bool) else str(level)


def _check_participants(file: str, frame: pd.DataFrame, lines: Sequence[int], plan: TidyPlan) -> None:
    """That nobody's value of one occasion is there twice."""
    who = plan.data.participant
    if who is None:
        return
    if frame[who].isna().any():
        line = lines[int(np.flatnonzero(frame[who].isna().to_numpy())[0])]
        raise StudyError(f"{file}: line {line}: {who} is missing; whose row is it?")
    keys = [who] if plan.model.kind == "ancova" else [who, plan.data.day] if plan.data.day else []
    if not keys:
        return
    whole = frame[frame[plan.data.outcome].notna()]
    twice = whole.duplicated(keys, keep=False)
    if twice.any():
        first = whole[twice].iloc[0]
        same = whole[(whole[keys] == first[keys]).all(axis=1)]
        one, other = (lines[int(place)] for place in same.index[:2])
        when = f" for {plan.data.day} {first[plan.data.day]:g}" if len(keys) > 1 and _is_number(first[keys[1]]) else ""
        raise StudyError(
            f"{file}: lines {one} and {other}: participant {first[who]} has two rows{when}; there can be one only."
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)

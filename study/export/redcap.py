"""A data dictionary for REDCap: a project that can hold the study's data, one instrument for each measure.

The 18 columns, their order and their rules are those of REDCap's own data dictionary file.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from study.export.codebook import write_csv
from study.export.instruments import Field, Instrument
from study.export.reading import Reading

__all__ = ["COLUMNS", "write_redcap"]

COLUMNS = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)

_STATES = ("screening", "consent", "baseline", "enrolled", "ineligible", "declined")
_STATUS = ("active", "held", "withdrawn")
_VISIT = ("before", "exercise", "after", "done", "stopped", "missed", "unfinished")


class _Names:
    """Names as REDCap takes them, each given once: small letters, digits and _, a letter first, 26 at most."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def __call__(self, *parts: str) -> str:
        name = re.sub(r"[^a-z0-9]+", "_", "_".join(parts).lower()).strip("_")
        if not name[:1].isalpha():
            name = f"x_{name}".rstrip("_")
        name = name[:26].rstrip("_")
        fresh, number = name, 2
        while fresh in self._given:
            tail = f"_{number}"
            fresh, number = name[: 26 - len(tail)].rstrip("_") + tail, number + 1
        self._given.add(fresh)
        return fresh


def write_redcap(path: Path, reading: Reading, instruments: Sequence[Instrument]) -> int:
    """Write the dictionary and return its number of fields."""
    names = _Names()
    rows = [*_participant(names, reading), *_visit(names)]
    forms = _Names()
    for taken in ("participant", "visit"):
        forms(taken)
    for one in instruments:
        rows += _instrument(names, forms(one.name), one)
    return write_csv(path, COLUMNS, ([row.get(column, "") for column in COLUMNS] for row in rows))


def _row(name: str, form: str, kind: str, label: str, choices: str = "", **more: str) -> dict[str, str]:
    row = dict(
        zip(("Variable / Field Name", "Form Name", "Field Type", "Field Label"), (name, form, kind, label), strict=True)
    )
    row["Choices, Calculations, OR Slider Labels"] = choices
    keys = {
        "section": "Section Header",
        "note": "Field Note",
        "validation": "Text Validation Type OR Show Slider Number",
        "low": "Text Validation Min",
        "high": "Text Validation Max",
        "identifier": "Identifier?",
        "branching": "Branching Logic (Show field only if...)",
        "required": "Required Field?",
        "matrix": "Matrix Group Name",
        "annotation": "Field Annotation",
    }
    return row | {keys[key]: value for key, value in more.items()}


def _choices(options: Sequence[tuple[Any, str]]) -> str:
    """ "1, text | 2, text". A bar would end a choice, so it becomes a slash."""
    return " | ".join(f"{value}, {_one_line(label).replace('|', '/')}" for value, label in options)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _participant(names: _Names, reading: Reading) -> Iterator[dict[str, str]]:
    form = "participant"
    yield _row(names("participant"), form, "text", "Code of the participant", required="y")
    state = names("state")
    yield _row(state, form, "radio", "How far the person came", _choices(list(enumerate(_STATES, 1))), required="y")
    enrolled = f"[{state}] = '{_STATES.index('enrolled') + 1}'"
    arms = list(enumerate(sorted(set(reading.arms.values())), 1))
    yield _row(names("arm"), form, "radio", "Arm", _choices(arms), branching=enrolled)
    if not reading.variant.deidentified:
        yield _row(names("starts_on"), form, "text", "Date of study day 1", validation="date_ymd", branching=enrolled)
    for factor in dict.fromkeys(factor.name for one in reading.protocols for factor in one.allocation.strata):
        yield _row(names("level", factor), form, "text", f"Level of the factor {factor}", branching=enrolled)
    status = names("status")
    yield _row(status, form, "radio", "Status", _choices(list(enumerate(_STATUS, 1))), branching=enrolled)
    if not reading.variant.deidentified:
        withdrawn = f"{enrolled} and [{status}] = '{_STATUS.index('withdrawn') + 1}'"
        yield _row(
            names("withdrawn_on"), form, "text", "Date of the withdrawal", validation="date_ymd", branching=withdrawn
        )


def _visit(names: _Names) -> Iterator[dict[str, str]]:
    form = "visit"
    yield _row(names("day"), form, "text", "Study day", validation="integer", low="1")
    yield _row(names("exercise"), form, "text", "Exercise")
    yield _row(names("visit_state"), form, "radio", "How far the visit came", _choices(list(enumerate(_VISIT, 1))))


def _instrument(names: _Names, form: str, one: Instrument) -> Iterator[dict[str, str]]:
    header = _one_line(one.instruction or one.title)
    matrix = ""
    same = {field.options for field in one.fields}
    if len(one.fields) > 1 and len(same) == 1 and all(field.options for field in one.fields):
        matrix = f"{form}_items"
    for field in one.fields:
        yield _item(names(one.name, field.id), form, field, matrix) | {"Section Header": header}
        header = ""
    for score in one.scores:
        yield _row(
            names(one.name, score.id),
            form,
            "text",
            f"Score: {_one_line(score.title)}",
            note=_one_line(score.rule),
            validation="number",
            low=f"{score.low:g}",
            high=f"{score.high:g}",
            annotation="@READONLY computed by Bedside",
        )


def _item(name: str, form: str, field: Field, matrix: str) -> dict[str, str]:
    label = _one_line(field.question) or f"Item {field.id}"
    low = "" if field.low is None else str(field.low)
    high = "" if field.high is None else str(field.high)
    if field.options:
        # REDCap's codes have no sign, so answers below 0 are taken as numbers.
        if all(value >= 0 for value, _ in field.options):
            return _row(name, form, "radio", label, _choices(field.options), matrix=matrix)
        note = "; ".join(f"{value} {_one_line(words)}" for value, words in field.options)
        return _row(name, form, "text", label, note=note, validation="integer", low=low, high=high)
    if field.line and (field.low, field.high) == (0, 100):
        ends = [_one_line(end).replace("|", "/") for end in field.ends]
        return _row(name, form, "slider", label, f"{ends[0]} | | {ends[1]}", validation="number", low=low, high=high)
    return _row(name, form, "text", label, validation="integer", low=low, high=high)

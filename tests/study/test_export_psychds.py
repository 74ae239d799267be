"""The Psych-DS folder keeps the rules that the specification (1.5.1) calls errors, and its recommendations for files."""

import csv
import json
import re
from pathlib import Path

import pytest

from study.export import export
from study.study import Study
from tests.exporting import csv_values, make_trial

DATAFILE = re.compile(r"([a-z]+-[a-zA-Z0-9]+)(_[a-z]+-[a-zA-Z0-9]+)*_data\.csv")
KEYWORDS = {"study", "site", "subject", "session", "task", "condition", "trial", "stimulus", "description"}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_trial(tmp_path_factory.mktemp("psychds") / "study", people=3)


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "blinded and de-identified"])
def folder(request: pytest.FixtureRequest, trial: Study) -> Path:
    out = trial.folder.parent / f"out-{request.param}"
    export(trial, out, role="analyst" if request.param else None, deidentified=request.param)
    return out / "psych-ds"


def mistakes(folder: Path) -> list[str]:
    """The codes of the specification's errors and recommendations that the folder breaks."""
    found = []
    description = folder / "dataset_description.json"
    if not description.exists():
        return ["MISSING_DATASET_DESCRIPTION"]
    try:
        said = json.loads(description.read_bytes().decode())
    except ValueError:
        return ["INVALID_JSON_FORMATTING"]
    if said.get("@context") not in ("https://schema.org/", "http://schema.org/"):
        found.append("UNKNOWN_NAMESPACE")
    if said.get("@type") != "Dataset":
        found.append("INCORRECT_DATASET_TYPE")
    found += [f"JSON_KEY_REQUIRED {key}" for key in ("name", "description", "variableMeasured") if not said.get(key)]
    if not (folder / "data").is_dir():
        found.append("MISSING_DATA_DIRECTORY")
    variables = said.get("variableMeasured", [])
    if any(one.get("@type") != "PropertyValue" for one in variables):
        found.append("OBJECT_TYPE_MISSING")
    declared = [one["name"] for one in variables]
    columns: set[str] = set()
    files = list((folder / "data").rglob("*_data.csv"))
    if not files:
        found.append("MISSING_DATAFILE")
    for path in (folder / "data").rglob("*"):
        if path.is_file() and not DATAFILE.fullmatch(path.name):
            found.append("FILENAME_KEYWORD_FORMATTING_ERROR")
        if not {part.partition("-")[0] for part in path.stem.split("_")[:-1]} <= KEYWORDS:
            found.append("FILENAME_UNOFFICIAL_KEYWORD_WARNING")
    for path in files:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file, strict=True)
        if not header or not all(header):
            found.append("CSV_HEADER_MISSING")
        if len(set(header)) < len(header):
            found.append("CSV_HEADER_REPEATED")
        if any(len(row) != len(header) for row in rows):
            found.append("CSV_HEADER_LENGTH_MISMATCH")
        if not rows:
            found.append("FILE_EMPTY")
        columns |= set(header)
    found += [f"CSV_COLUMN_MISSING_FROM_METADATA {name}" for name in sorted(columns - set(declared))]
    found += [f"VARIABLE_MISSING_FROM_CSV_COLUMNS {name}" for name in sorted(set(declared) - columns)]
    for stem in ("README", "CHANGES"):
        if not any((folder / f"{stem}{end}").exists() for end in (".md", ".txt")):
            found.append(f"MISSING_{stem}_DOC")
    return found


def test_the_folder_breaks_no_rule(folder: Path) -> None:
    assert mistakes(folder) == []


def test_each_variable_is_described(folder: Path) -> None:
    said = json.loads((folder / "dataset_description.json").read_text())
    assert all(one["description"] for one in said["variableMeasured"])
    assert said["schemaVersion"].startswith("Psych-DS 1.5")


def test_the_data_are_the_long_table(folder: Path) -> None:
    [path] = (folder / "data").rglob("*.csv")
    assert csv_values(path) == csv_values(folder.parent / "long.csv")


def test_the_check_finds_mistakes(trial: Study, tmp_path: Path) -> None:
    """So that the first test can fail."""
    export(trial, tmp_path / "out", formats=["psych-ds"])
    folder = tmp_path / "out" / "psych-ds"
    [path] = (folder / "data").rglob("*.csv")
    text = path.read_text()
    path.write_text(text.replace('"participant"', '"who"', 1) + "one,two\n")
    (folder / "data" / "more.csv").write_text("a\n1\n")
    (folder / "CHANGES.md").unlink()
    assert mistakes(folder) == [
        "FILENAME_KEYWORD_FORMATTING_ERROR",
        "CSV_HEADER_LENGTH_MISMATCH",
        "CSV_COLUMN_MISSING_FROM_METADATA who",
        "VARIABLE_MISSING_FROM_CSV_COLUMNS participant",
        "MISSING_CHANGES_DOC",
    ]

"""A Psych-DS folder: the long table with the metadata that Psych-DS asks for (specification 1.5)."""

import json
from collections.abc import Sequence
from pathlib import Path

from study.export.dictionary import Column

__all__ = ["DATA", "describe"]

DATA = "data/study-bedside_description-long_data.csv"
"""The data file, in the folder. Psych-DS makes names of lower-case keywords with their values, then `_data`."""


def describe(folder: Path, title: str, columns: Sequence[Column], about: str) -> None:
    """Write what goes beside the data: `dataset_description.json`, a README, a list of changes."""
    description = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": title,
        "description": about,
        "schemaVersion": "Psych-DS 1.5.1",
        "keywords": ["randomised trial", "distress", "repeated measures"],
        "variableMeasured": [
            {"@type": "PropertyValue", "name": column.name, "description": column.description} for column in columns
        ],
    }
    text = json.dumps(description, ensure_ascii=False, indent=2)
    (folder / "dataset_description.json").write_text(text + "\n", encoding="utf-8")
    (folder / "README.md").write_text(
        f"# {title}\n\n{about}\n\n`{DATA}` has one row for each value. The codebook and the data dictionary beside this"
        " folder say what each measure asks and how it is scored.\n",
        encoding="utf-8",
    )
    (folder / "CHANGES.md").write_text("Written by `bedside export`; manifest.json says when.\n", encoding="utf-8")

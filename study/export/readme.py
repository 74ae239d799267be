"""The page at the top of an exported folder: what each file is."""

from collections.abc import Collection, Sequence
from pathlib import Path

from study.export.variants import Variant

__all__ = ["write_readme"]

_FILES = {
    "csv": ("`*.csv`", "the tables of the record; `long.csv` has one row for each rating, item and score"),
    "parquet": ("`parquet/`", "the same tables with types"),
    "redcap": ("`redcap/data_dictionary.csv`", "a data dictionary to make a REDCap project from"),
    "odm": ("`odm/odm.xml`", "CDISC ODM 1.3.2"),
    "psych-ds": ("`psych-ds/`", "the long table as a Psych-DS dataset"),
}


def write_readme(
    path: Path, title: str, what: str, variant: Variant, formats: Collection[str], troubles: Sequence[str]
) -> None:
    """Write it. `troubles` are lines about what could not be described or scored."""
    lines = [f"# {title}", "", what, "", "| file | what it is |", "|---|---|"]
    lines += [f"| {name} | {said} |" for key, (name, said) in _FILES.items() if key in formats]
    if variant.whole and "transcripts" in formats:
        lines.append("| `transcripts.jsonl` | what was said in each exercise, one visit a line |")
    lines += [
        "| `dictionary.csv` | every column of the tables, with its type |",
        "| `codebook.csv`, `codebook.md` | every item and score, with wording, answers and rule |",
        "| `free_text.csv` | the columns with somebody's own words, to be read before they are shared |",
        "| `quasi_identifiers.csv` | answers that may point to somebody, with how many people have the rarest one |",
        "| `manifest.json` | every file with its rows, size and SHA-256 |",
    ]
    if variant.whole:
        lines.append("| `study.toml` | the protocol as it was locked or last amended |")
    lines += ["", 'In CSV nothing between two commas is a missing value, and `""` an empty text. Times are UTC.']
    if variant.blinded:
        lines += ["", "Left out, because it could tell an arm: what was said in the exercises, the log, the protocol."]
    if variant.deidentified:
        lines += ["", "Left out, because it could tell a person: free text, staff, dates, time zones, the log."]
    for line in troubles:
        lines += ["", f"To note: {line}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

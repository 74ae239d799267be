"""The export: the whole record as a folder, for analysts and archives.

`export` writes tables as CSV and Parquet, one tidy long table, a codebook, a REDCap data dictionary, CDISC ODM, a
Psych-DS folder, transcripts, and a manifest with the hash of each file; whole, for a blinded role, or de-identified.
"""

import shutil
import tempfile
from collections.abc import Callable, Collection
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

from study import blinding
from study.blinding import Role
from study.errors import StudyError
from study.export.codebook import write_codebook, write_dictionary
from study.export.dictionary import Column, Table, dictionary
from study.export.instruments import instruments
from study.export.long import long_rows, observations, written_by_persons
from study.export.manifest import check_manifest, write_manifest
from study.export.odm import OdmFile
from study.export.psychds import DATA, describe
from study.export.reading import Reading, reading
from study.export.readme import write_readme
from study.export.redcap import write_redcap
from study.export.review import write_free_text, write_quasi_identifiers
from study.export.tables import CsvFile, ParquetFile, RowFile, write_rows
from study.export.transcripts import write_transcripts
from study.export.variants import Variant, tables
from study.records import stamp
from study.study import Study

__all__ = ["FORMATS", "Column", "Format", "Progress", "Table", "Variant", "check_manifest", "dictionary", "export"]

Format = Literal["csv", "parquet", "redcap", "odm", "psych-ds", "transcripts"]

FORMATS: tuple[Format, ...] = get_args(Format)

Progress = Callable[[str, int, int], None]
"""Is told of the table that is being written, of how many rows are done, and of how many there are in all."""


def export(
    study: Study,
    out: Path,
    *,
    role: Role | None = None,
    deidentified: bool = False,
    with_tests: bool = False,
    formats: Collection[Format] = FORMATS,
    progress: Progress = lambda what, done, of: None,
) -> dict[str, int]:
    """Write the record into the folder `out`; return the number of rows of each table, by its name.

    `role` makes the export for somebody who is blinded until an unblinding of the whole study is recorded. All is read
    in one transaction, so it fits together even while participants are writing. The folder appears whole or not at
    all, its owner's alone unless an empty one was there. Raises `StudyError` when `out` holds something already or
    cannot be written, and for test participants in a blinded export.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StudyError(f"{out} holds something already; choose a folder that is new or empty.")
    if with_tests and role is not None and not blinding.is_unblinded(study, role):
        # Their arms follow the order of the protocol, or were chosen: beside the labels they would say which is which.
        raise StudyError(f"Test participants are in no export for a blinded {role}: their arms are known.")
    variant = Variant(
        role=role,
        blinded=role is not None and not blinding.is_unblinded(study, role),
        deidentified=deidentified,
        with_tests=with_tests,
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as draft:
            folder = Path(draft) / out.name
            folder.mkdir(mode=0o700)
            with reading(study, variant) as record:
                rows = _Export(study, record, folder, frozenset(formats), progress).write()
            if out.exists():
                folder.chmod(out.stat().st_mode & 0o7777)
                out.rmdir()
            shutil.move(folder, out)
    except OSError as error:
        raise StudyError(f"{out} cannot be written: {error.strerror}.") from None
    return rows


class _Export:
    """One export on its way."""

    def __init__(
        self, study: Study, record: Reading, folder: Path, formats: frozenset[Format], progress: Progress
    ) -> None:
        self._study = study
        self._record = record
        self._variant = record.variant
        self._folder = folder
        self._formats = formats
        self._tables = tables(record.variant)
        self._instruments = instruments(study, record)
        self._rows: dict[str, int] = {}
        """The rows of each table."""
        self._files: dict[str, int] = {}
        """The rows of each file, by its path."""
        self._progress = progress
        self._done = 0
        names = [table.name for table in self._tables if table.name != "long"]
        self._total = sum(record.count(name) for name in [*names, "answer", "rating"])
        if "transcripts" in formats and self._variant.whole:
            self._total += record.count("turn")

    def write(self) -> dict[str, int]:
        """Write everything; return the number of rows of each table."""
        if "parquet" in self._formats:
            (self._folder / "parquet").mkdir()
        for table in self._tables:
            if table.name == "long":
                self._write_long(table)
            elif {"csv", "parquet"} & self._formats:
                columns = table.columns
                rows = self._record.select(table)
                self._rows[table.name] = write_rows(rows, columns, self._table_files(table), self._step(table.name))
                self._count(table.name)
        self._write_descriptions()
        if "transcripts" in self._formats and self._variant.whole:
            path = self._folder / "transcripts.jsonl"
            self._files[path.name] = write_transcripts(path, self._record, self._step("transcripts"))
        write_manifest(self._folder, self._files, self._about())
        self._progress("done", self._total, self._total)
        return self._rows

    def _write_long(self, table: Table) -> None:
        """The long table; and, since it needs the same walk through everybody's answers, ODM and Psych-DS."""
        files = self._table_files(table)
        if "psych-ds" in self._formats:
            folder = self._folder / "psych-ds"
            (folder / DATA).parent.mkdir(parents=True)
            files.append(CsvFile(folder / DATA, table.columns))
            describe(folder, self._title, table.columns, self._what)
        if not files and "odm" not in self._formats:
            return
        walk = observations(self._record, self._instruments)
        odm = None
        if "odm" in self._formats:
            (self._folder / "odm").mkdir()
            path = self._folder / "odm" / "odm.xml"
            odm = OdmFile(path, self._record, self._instruments, self._title, self._study.clock.now())

        by_person = written_by_persons(self._record)

        def rows() -> Any:
            for subject, observed in walk:
                if odm is not None:
                    odm.add(subject, observed)
                yield long_rows(subject, observed, by_person)

        written = write_rows(chain.from_iterable(rows()), table.columns, files, self._step("long"))
        if odm is not None:
            odm.close()
            self._files["odm/odm.xml"] = odm.subjects
        if "psych-ds" in self._formats:
            self._files[f"psych-ds/{DATA}"] = written
        if {"csv", "parquet"} & self._formats:
            self._rows["long"] = written
            self._count("long")

    def _write_descriptions(self) -> None:
        folder, files = self._folder, self._files
        files["dictionary.csv"] = write_dictionary(folder / "dictionary.csv", self._tables)
        files["codebook.csv"] = write_codebook(folder, self._instruments)
        files["free_text.csv"] = write_free_text(folder / "free_text.csv", self._record)
        files["quasi_identifiers.csv"] = write_quasi_identifiers(folder / "quasi_identifiers.csv", self._record)
        if "redcap" in self._formats:
            (folder / "redcap").mkdir()
            path = folder / "redcap" / "data_dictionary.csv"
            files["redcap/data_dictionary.csv"] = write_redcap(path, self._record, self._instruments)
        if self._variant.whole:
            text = self._study.locked_text() or self._study.text
            (folder / "study.toml").write_text(text, encoding="utf-8")
        write_readme(folder / "README.md", self._title, self._what, self._variant, self._formats, self._troubles)

    def _table_files(self, table: Table) -> list[RowFile]:
        files: list[RowFile] = []
        if "csv" in self._formats:
            files.append(CsvFile(self._folder / f"{table.name}.csv", table.columns))
        if "parquet" in self._formats:
            files.append(ParquetFile(self._folder / "parquet" / f"{table.name}.parquet", table.columns))
        return files

    def _count(self, table: str) -> None:
        if "csv" in self._formats:
            self._files[f"{table}.csv"] = self._rows[table]
        if "parquet" in self._formats:
            self._files[f"parquet/{table}.parquet"] = self._rows[table]

    def _step(self, what: str) -> Callable[[int], None]:
        def step(rows: int) -> None:
            self._done = min(self._done + rows, self._total)
            self._progress(what, self._done, self._total)

        return step

    @property
    def _title(self) -> str:
        """The study's title; in a blinded export none, since a title often names the arms."""
        return "A study, blinded" if self._variant.blinded else self._record.protocols[-1].title

    @property
    def _what(self) -> str:
        kind = "the rehearsal" if self._study.rehearsal else "the record"
        said = f"An export of {kind} of a study of randomised daily exercises with repeated measures of distress."
        if self._variant.blinded:
            said += f" The arms are masked for the {self._variant.role}."
        if self._variant.deidentified:
            said += " It is de-identified: codes are new, times are minutes since the person came."
        return said

    @property
    def _troubles(self) -> list[str]:
        return [one.trouble for one in self._instruments if one.trouble]

    def _about(self) -> dict[str, Any]:
        about: dict[str, Any] = {
            "record": "rehearsal" if self._study.rehearsal else "study",
            "exported_at": stamp(self._study.clock.now()),
            "for": self._variant.role or "everybody",
            "blinded": self._variant.blinded,
            "deidentified": self._variant.deidentified,
            "test_participants": self._variant.with_tests,
            "formats": [one for one in FORMATS if one in self._formats],
            "troubles": self._troubles,
        }
        if self._variant.whole:
            last = self._record.connection.execute("SELECT id, hash FROM event ORDER BY id DESC LIMIT 1").fetchone()
            about["protocol_sha256"] = self._record.protocols[-1].sha256
            about["last_event"] = {"id": last[0], "hash": last[1]} if last else None
        return about

"""The report as files: whole or not at all, the same bytes each time, and without its PDF where it cannot be made."""

import csv
import importlib.abc
import importlib.machinery
import re
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from study.errors import StudyError
from study.report import build, pdf
from study.report.build import Progress, write
from study.report.page import page
from tests.analysing import synthetic
from tests.reporting import analysed, drawn, whole

MADE = pdf.pdf


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are drawn once, and there is no PDF but where it is what is tested: both take long."""

    def told(data: object, results: object, progress: Progress = lambda *_: None) -> object:
        progress("figures", 0, 1)
        return drawn()

    monkeypatch.setattr(build, "draw", told)
    monkeypatch.setattr(pdf, "pdf", lambda html: b"%PDF-" + str(len(html)).encode())


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class WithoutPango(importlib.abc.MetaPathFinder):
    """Importing weasyprint fails as it does on a machine without Pango."""

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> None:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0': libpango-1.0-0: cannot open shared object file")


@pytest.fixture
def no_pango(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "pdf", MADE)
    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [WithoutPango(), *sys.meta_path])


def test_a_report_is_a_page_a_pdf_every_table_and_every_figure_and_twice_the_same_bytes(tmp_path: Path) -> None:
    data, results = whole()
    first = write(data, results, tmp_path / "first")
    write(data, results, tmp_path / "second")
    found = files_in(tmp_path / "first")
    assert found == files_in(tmp_path / "second")
    figures, _ = drawn()
    tables = [table.name for section in results.sections for table in section.tables]
    tables += [figure.table.name for figure in figures if figure.table]
    expected = {f"tables/{name}.csv" for name in tables} | {f"figures/{figure.name}.svg" for figure in figures}
    assert set(found) == expected | {"report.html", "report.pdf"}
    assert (first.tables, first.figures, first.without_pdf) == (len(tables), len(figures), "")
    assert found["report.pdf"].startswith(b"%PDF-")
    for name, content in found.items():
        if name.endswith((".csv", ".svg")):
            assert results.provenance.plan_sha256 in content.decode()
    rows = list(csv.DictReader((tmp_path / "first" / "tables" / "primary_contrasts.csv").open()))
    assert [float(row["difference"]) for row in rows] == [row[3] for row in results.tables["primary_contrasts"].rows]


def unpacked(content: bytes) -> bytes:
    """What a PDF says, its streams unpacked."""
    streams = re.findall(rb"/FlateDecode.*?stream\n(.*?)\nendstream", content, re.DOTALL)
    return b"\n".join(zlib.decompress(stream) for stream in streams)


def test_the_pdf_of_a_page_is_the_same_bytes_each_time_and_tagged() -> None:
    data, results = whole()
    few = replace(results, sections=(results.section("flow"),))
    html = page(data, few, [drawn()[0][0]], {}, extra_css=pdf.css(), for_screen=False)
    first, second = MADE(html), MADE(html)
    assert first == second
    assert first.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in unpacked(first)
    assert MADE(html.replace("Three ways", "Four ways")) != first


def test_without_pango_there_is_a_page_and_a_sentence_that_says_what_to_install(no_pango: None, tmp_path: Path) -> None:
    written = write(*whole(), tmp_path / "report")
    assert not (tmp_path / "report" / "report.pdf").exists()
    assert (tmp_path / "report" / "report.html").exists()
    assert f"apt-get install {pdf.PACKAGES}" in written.without_pdf
    assert "libpango-1.0-0" in written.without_pdf


def test_an_earlier_report_is_replaced_and_nothing_of_it_stays(no_pango: None, tmp_path: Path) -> None:
    out = tmp_path / "report"
    write(*whole(), out)
    (out / "tables" / "of_an_earlier_plan.csv").write_text("old")
    before = sorted(path.name for path in tmp_path.iterdir())
    write(*whole(), out)
    assert not (out / "tables" / "of_an_earlier_plan.csv").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StudyError, match="holds something else"):
        write(*whole(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(StudyError, match="is a file"):
        write(*whole(), tmp_path / "thesis.txt")


def test_a_report_that_fails_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "report"
    data, results = whole()
    out.mkdir()
    (out / "report.html").write_text("the earlier one")

    def breaks(html: str) -> bytes:
        raise RuntimeError("the machine stops")

    monkeypatch.setattr(pdf, "pdf", breaks)
    with pytest.raises(RuntimeError):
        write(data, results, out)
    assert (out / "report.html").read_text() == "the earlier one"
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_progress_is_told(no_pango: None, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    write(*whole(), tmp_path / "report", lambda what, done, of: told.append((what, done, of)))
    assert all(0 <= done <= of for _, done, of in told)
    assert [what for what, _, _ in told][-3:] == ["writing", "PDF", "written"]


def test_another_plan_is_another_report_whose_numbers_say_so() -> None:
    one, other = (synthetic(6, days=2, plan={"alpha": alpha}) for alpha in (0.05, 0.1))
    assert one.sha256 == other.sha256
    assert one.plan_sha256 != other.plan_sha256
    assert analysed(one).provenance != analysed(other).provenance

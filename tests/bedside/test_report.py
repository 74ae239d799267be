"""`bedside report`, as one types it, on the record of a small trial."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bedside.cli import main
from study import blinding
from study.report import pdf
from study.study import Study
from tests import exporting

PLAN = """
[analysis]
primary = { measure = "distress", when = "after", change_from = "before" }
covariates = ["where"]
contrasts = [["robot", "chat"]]
randomisations = 100
imputations = 2

[analysis.estimand]
population = "Everybody who was allocated"
treatment = "Fifteen days of one exercise a day, as allocated"
variable = "Change of distress from before to after each visit"
intercurrent_events = "As if nobody had missed a visit"
summary = "Difference of the mean changes"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The small trial of the tests of the export, with a plan."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "TAIL", exporting.TAIL + PLAN)
        study = exporting.make_trial(tmp_path_factory.mktemp("trial") / "study")
    yield study.folder
    study.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the PDF, which tests/study/report tests."""

    def missing(html: str) -> bytes:
        raise pdf.PdfMissing("The PDF was not written, because of this test.")

    monkeypatch.setattr(pdf, "pdf", missing)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["report", *(str(one) for one in arguments)])


def test_the_report_of_a_trial_is_beside_its_record_and_the_same_each_time(folder: Path) -> None:
    first = run(folder)
    assert first.exit_code == 0, first.output
    assert f"Wrote {folder / 'report'}: report.html," in first.output
    assert "The PDF was not written, because of this test." in first.output
    found = {path.name: path.read_bytes() for path in (folder / "report").rglob("*") if path.is_file()}
    assert "Everybody who was allocated" in found["report.html"].decode()
    assert run(folder).exit_code == 0
    assert found == {path.name: path.read_bytes() for path in (folder / "report").rglob("*") if path.is_file()}


def test_a_blinded_role_sees_masked_arms_until_the_unblinding(folder: Path, tmp_path: Path) -> None:
    done = run(folder, "--as", "analyst", "--out", tmp_path / "masked")
    assert done.exit_code == 0, done.output
    files = [path for path in (tmp_path / "masked").rglob("*") if path.is_file()]
    text = "\n".join(path.read_text() for path in files)
    text = text.replace(
        "a conversation and a worksheet can be told apart", ""
    )  # what is said of all studies, in every report
    assert "Arm A" in text
    assert "The arms are masked" in text
    for arm in ("robot", "worksheet"):
        assert arm not in text
    assert not (folder / "report-analyst").exists()
    study = Study.open(folder)
    blinding.unblind(study, "analyst", by="Dr Imani Okafor", why="the analysis is frozen")
    study.close()
    assert run(folder, "--as", "analyst", "--out", tmp_path / "masked").exit_code == 0
    assert "<dd>robot (2), chat (2), worksheet (2)</dd>" in (tmp_path / "masked" / "report.html").read_text()


def test_a_folder_with_something_else_in_it_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = run(folder, "--out", tmp_path)
    assert done.exit_code == 2
    assert [line for line in done.output.splitlines() if "holds something else" in line]
    assert "Traceback" not in done.output


def test_a_study_without_a_plan_is_told_to_write_one(tmp_path: Path) -> None:
    study = exporting.make_trial(tmp_path / "study")
    study.close()
    done = run(tmp_path / "study")
    assert done.exit_code == 2
    assert "no plan of an analysis" in done.output

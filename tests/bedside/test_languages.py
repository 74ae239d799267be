"""A study's language on the command line: what is refused, and what is said of the languages there are."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import study.protocol
import study.texts
from bedside.cli import main
from study.texts import SOURCE


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, list(arguments))
    return done.exit_code, done.output


def german(tmp_path: Path) -> Path:
    folder = tmp_path / "studie"
    code, said = run("init", str(folder), "--language", "de")
    assert code == 0, said
    return folder


def test_every_language_there_is_is_complete() -> None:
    assert run("languages") == (0, "de: complete\nen: complete\n")


def test_an_engine_that_does_not_write_the_language_is_refused(tmp_path: Path) -> None:
    folder = german(tmp_path)
    code, said = run("check", str(folder))
    assert code == 2
    assert "engine: smollm2 does not write 'de'" in said
    path = folder / "study.toml"
    path.write_text(path.read_text().replace('kind = "transformers"\nmodel = "smollm2"', 'kind = "eliza"'))
    assert "engine: eliza does not write 'de': its script is English" in run("check", str(folder))[1]
    remote = 'kind = "openai"\nbase_url = "http://localhost:8000/v1"'
    path.write_text(path.read_text().replace('kind = "eliza"', remote, 1))
    code, said = run("check", str(folder))
    assert code == 0, said


def test_a_language_that_lacks_something_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = german(tmp_path)
    path = folder / "study.toml"
    path.write_text(path.read_text().replace('language = "de"', 'language = "xx"'))
    assert "language: there are no texts in 'xx'; allowed: en, de" in run("check", str(folder))[1]
    assert "There are no texts in 'xx'; allowed: en, de" in run("init", str(tmp_path / "other"), "--language", "xx")[1]
    half = replace(SOURCE, catalogues=str(tmp_path / "texts"))
    half.update("fr")
    monkeypatch.setattr(study.texts, "SOURCE", half)
    monkeypatch.setattr(study.protocol, "SOURCE", half)
    path.write_text(path.read_text().replace('language = "xx"', 'language = "fr"'))
    code, said = run("check", str(folder))
    assert code == 2
    assert "language: 'fr' is not complete (crisis.before: not translated, and" in said
    assert "allowed: en" in said


def test_a_code_that_is_no_language_is_refused() -> None:
    code, said = run("languages", "--update", "klingonese!")
    assert code == 2
    assert "is no language" in said

"""The whole analysis: every section, canonical JSON, the same bytes each time, and no arm's name for the blind."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from study.analysis import run
from study.analysis.data import AnalysisData
from study.analysis.results import Column, Results, Section, Table
from study.analysis.run import SECTIONS, analyse, as_dict, as_json
from study.errors import CannotEstimate
from tests.analysing import ARMS, synthetic

SMALL = {"imputations": 5, "randomisations": 100}


@pytest.fixture(scope="module")
def data() -> AnalysisData:
    return synthetic(18, days=4, plan=SMALL)


@pytest.fixture(scope="module")
def results(data: AnalysisData) -> Results:
    return analyse(data)


def test_every_section_is_there_in_the_order_of_reading(results: Results) -> None:
    assert [section.name for section in results.sections] == list(SECTIONS)
    names = [table.name for section in results.sections for table in section.tables]
    assert len(names) == len(set(names))
    assert results.provenance.data_sha256 == synthetic(18, days=4, plan=SMALL).sha256


def test_the_same_data_give_the_same_bytes_in_another_process(results: Results) -> None:
    code = (
        "from tests.analysing import synthetic\n"
        "from study.analysis.run import analyse, as_dict, as_json\n"
        f"print(as_json(as_dict(analyse(synthetic(18, days=4, plan={SMALL!r})))), end='')\n"
    )
    code = f"import sys, types\ntests = types.ModuleType('tests'); tests.__path__ = ['tests']\nsys.modules['tests'] = tests\n{code}"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout == as_json(as_dict(results))


def test_json_is_canonical_and_every_row_names_its_columns(results: Results) -> None:
    text = as_json(as_dict(results, blinded=False))
    found = json.loads(text, parse_constant=lambda name: pytest.fail(f"JSON has {name}"))
    assert text == json.dumps(found, sort_keys=True, ensure_ascii=False, indent=1) + "\n"
    assert found["blinded"] is False
    primary = next(section for section in found["sections"] if section["name"] == "primary")
    contrasts = next(table for table in primary["tables"] if table["name"] == "primary_contrasts")
    assert [row["arm"] for row in contrasts["rows"]] == ["robot", "worksheet", "robot"]
    assert all(len(repr(number).lstrip("-0.").replace(".", "").split("e")[0]) <= 12 for number in floats(found))


def floats(found: Any) -> Iterator[float]:
    if isinstance(found, float):
        yield found
    elif isinstance(found, dict | list):
        for one in found.values() if isinstance(found, dict) else found:
            yield from floats(one)


def test_a_blinded_analysis_has_no_arms_name_in_any_byte() -> None:
    """Every section, every table and every note is searched."""
    text = as_json(as_dict(analyse(synthetic(18, days=4, plan=SMALL, blinded=True)), blinded=True))
    assert "Arm A" in text
    for name in ARMS:
        found = [text[max(0, one.start() - 60) : one.end() + 60] for one in re.finditer(name, text)]
        assert found == [], name


def test_a_section_that_cannot_be_made_is_a_warning_and_the_others_stay(
    data: AnalysisData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(data: AnalysisData) -> Section:
        raise CannotEstimate("Too few.")

    monkeypatch.setattr(import_module("study.analysis.sections.secondary"), "section", fails)
    monkeypatch.setattr(run, "SECTIONS", {name: SECTIONS[name] for name in ("flow", "secondary")})
    found = analyse(data)
    assert found.section("secondary").warnings == ("Too few.",)
    assert found.section("flow").tables


def test_a_number_that_is_none_and_a_sentence_without_proof_do_not_get_out(
    data: AnalysisData, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = (Column("arm", ""), Column("compared_with", ""), Column("p_adjusted", "", "p"))
    made = Section(
        "secondary",
        "x",
        ("robot and chatbot differ.", "It is so."),
        (Table("t", "t", columns, (("robot", "chatbot", float("nan")),)),),
    )
    monkeypatch.setattr(import_module("study.analysis.sections.secondary"), "section", lambda data: made)
    monkeypatch.setattr(run, "SECTIONS", {"secondary": "x"})
    found = analyse(data).section("secondary")
    assert found.text == ("It is so.",)
    assert found.warnings == ("A sentence was withheld that no contrast bears out.",)
    assert found.tables[0].rows == (("robot", "chatbot", None),)


def test_progress_is_told_of_each_section(data: AnalysisData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SECTIONS", {name: SECTIONS[name] for name in ("flow", "baseline")})
    told: list[tuple[str, int, int]] = []
    analyse(data, lambda what, done, of: told.append((what, done, of)))
    assert told == [(SECTIONS["flow"], 0, 2), (SECTIONS["baseline"], 1, 2), ("done", 2, 2)]


@pytest.mark.parametrize(
    "how",
    [
        {"n": 0},
        {"n": 1},
        {"n": 2},
        {"n": 14, "arms": ["robot", "chatbot"]},
        {"n": 14, "missing": 1.0},
        {"n": 14, "days": 1},
    ],
    ids=["nobody", "one participant", "two participants", "an empty arm", "nobody rated", "one day"],
)
def test_an_analysis_of_data_that_cannot_tell_is_whole(how: dict[str, Any]) -> None:
    """No traceback, no number that is none: `as_json` refuses those."""
    found = analyse(synthetic(**{"days": 3, "plan": SMALL, **how}))
    assert [section.name for section in found.sections] == list(SECTIONS)
    assert found.section("primary").text or found.section("primary").warnings
    as_json(as_dict(found))


def test_a_constant_outcome_is_a_sentence_in_every_section(data: AnalysisData) -> None:
    found = analyse(replace(data, scores=data.scores.assign(score=40.0)))
    assert "are the same, so nothing can be estimated" in found.section("primary").warnings[0]
    as_json(as_dict(found))

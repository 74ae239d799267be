"""What an audit measured of a persona stands in the report of the study, beside bond and harms."""

import json
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import audit.summary
from audit.summary import summarise
from study.analysis.costs import Cost, costs
from study.analysis.data import load
from study.analysis.results import Section
from study.analysis.sections import dimensions
from study.auditing import FILE
from study.protocol import Protocol
from study.study import Study, create
from tests.analysing import kian2024, synthetic
from tests.audit import auditing
from tests.conftest import HandClock


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an audit of `neutral` and `warm_trait` found that was really run, its mock called by the study's model."""
    patch = pytest.MonkeyPatch()
    known = {"reliability": replace(auditing.SUITE, name="reliability")}
    patch.setattr(audit.summary, "suites", lambda: known)
    logs = auditing.run(tmp_path_factory.mktemp("logs"), floor=(), suite="reliability")
    found = json.loads(json.dumps(summarise(logs)))
    patch.undo()
    for pair in found["pairs"]:
        pair["engine"]["model"] = "bedside/smollm2"
    return found


def protocol(**personas: str) -> Protocol:
    """The shipped study, its arms with other personas."""
    whole = kian2024().model_dump()
    arms = [arm | {"persona": personas.get(arm["name"], arm["persona"])} for arm in whole["arms"]]
    return Protocol.model_validate(whole | {"arms": arms})


def dimensions_of(found: dict[str, Cost], blinded: bool = False) -> Section:
    return dimensions.section(replace(synthetic(9, days=3, blinded=blinded), costs=found))


def cells(section: Section) -> dict[str, tuple[object, ...]]:
    table = next(one for one in section.tables if one.name == "dimensions")
    names = [column.name for column in table.columns]
    return {str(row[0]): row[names.index("epistemic_cost") :] for row in table.rows}


def test_an_arm_has_the_cost_of_its_own_persona_with_the_interval_of_the_audit(summary: dict[str, Any]) -> None:
    found = costs(protocol(robot="warm_trait", chatbot="neutral"), summary)
    (pair,) = (one for one in summary["pairs"] if one["persona"]["name"] == "warm_trait")
    (measured,) = pair["suites"]["reliability"]["against_neutral"]["held_out"]
    robot = found["robot"]
    assert (robot.value, robot.low, robot.high) == (measured["value"], measured["low"], measured["high"])
    assert robot.value == 75
    assert (found["chatbot"].value, found["chatbot"].low) == (0, None)
    section = dimensions_of(found)
    assert cells(section)["robot"] == (75.0, measured["low"], measured["high"])
    assert cells(section)["chatbot"] == ("0, by definition", None, None)
    assert any("bedside/smollm2" in sentence and "warm_trait" in sentence for sentence in section.text)
    assert not any("no audit was run" in sentence for sentence in section.text)


def test_what_was_not_audited_stays_not_measured(summary: dict[str, Any]) -> None:
    assert costs(protocol(), None) == {}
    other = costs(protocol(robot="warm_behaviour"), summary)
    assert "robot" not in other
    assert cells(dimensions_of(other))["robot"] == ("not measured", None, None)
    unlike = deepcopy(summary)
    for pair in unlike["pairs"]:
        pair["engine"]["model"] = "bedside/another"
    assert costs(protocol(robot="warm_trait"), unlike) == {}
    part = deepcopy(summary)
    for pair in part["pairs"]:
        pair["suites"]["reliability"]["options"]["limit_items"] = 2
    assert costs(protocol(robot="warm_trait"), part) == {}


def test_a_cost_that_may_be_none_is_said_to_be_neither(summary: dict[str, Any]) -> None:
    found = costs(protocol(robot="warm_trait"), summary)
    wide = {"robot": replace(found["robot"], low=-3.0)}
    assert any("neither more errors nor none" in sentence for sentence in dimensions_of(wide).warnings)
    assert not any("neither more errors nor none" in sentence for sentence in dimensions_of(found).warnings)


def test_who_is_blinded_is_shown_no_cost() -> None:
    section = dimensions_of({}, blinded=True)
    assert any("not shown while the arms are masked" in sentence for sentence in section.text)
    assert not any("no audit was run" in sentence for sentence in section.text)


def test_a_study_reads_its_own_audit_and_another_audit_is_another_hash(
    tmp_path: Path, clock: HandClock, summary: dict[str, Any]
) -> None:
    create(tmp_path / "mystudy", "kian2024")
    with closing(Study.open(tmp_path / "mystudy", clock=clock)) as study:
        before = load(study)
        assert before.costs == {}
        path = study.folder / FILE
        path.parent.mkdir()
        path.write_text(json.dumps(summary))
        after = load(study)
        assert {name: cost.persona for name, cost in after.costs.items()} == {"robot": "neutral", "chatbot": "neutral"}
        assert after.sha256 != before.sha256
        assert load(study).sha256 == after.sha256
        path.unlink()
        assert load(study).sha256 == before.sha256

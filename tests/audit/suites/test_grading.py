"""The suite `grading`: what it asks of a grading model, how its agreement with a reader is counted, and who fails."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval
from inspect_ai.model import get_model

import audit._registry  # noqa: F401 # so that inspect_ai knows our models
from audit.engines import baseline_engine, engine_named
from audit.errors import AuditError, ItemFileError, NoResults
from audit.report.agreeing import agreeing
from audit.report.gather import gather
from audit.results import rows
from audit.running import Options, pieces_of
from audit.scoring.agreement import agreement
from audit.scoring.graded import CONFIG
from audit.scoring.labels import load_labels
from audit.suite import all_suites, suites
from audit.suites.grading import RUBRICS, SUITE, estimates, grading
from tests.audit import auditing

GRADES = {label.reply: grades[label.id] for rubric in RUBRICS for labels in [load_labels(rubric)]
          for grades in labels.grades.values() for label in labels.labels}  # fmt: skip


def tried(tmp_path: Path, answer: Any, **arguments: Any) -> Any:
    """The rows of a grader that says answer(messages), through inspect_ai."""
    judge = get_model(
        "mockllm/judge", custom_outputs=lambda messages, *_: auditing.said(answer(messages)), memoize=False
    )
    log = eval(grading(**arguments), model=judge, log_dir=str(tmp_path), display="none")[0]
    assert log.status == "success", log.error
    return rows(log)


def as_the_reader(messages: Any) -> str:
    asked = messages[0].text
    reply = max((reply for reply in GRADES if f'"text": {json.dumps(reply, ensure_ascii=False)}}}]' in asked), key=len)
    return f"I have read it.\nGRADE: {GRADES[reply]}"


def figures(table: Any) -> dict[str, Any]:
    return {one.name: one for one in estimates(table, 1)}


def test_a_grader_that_grades_as_the_reader_agrees_with_it(tmp_path: Path) -> None:
    found = figures(tried(tmp_path, as_the_reader, half="held_out"))
    held_out = {rubric: len(load_labels(rubric).half("held_out")) for rubric in RUBRICS}
    for rubric in RUBRICS:
        assert found[f"alpha.{rubric}"].value == 1.0
        assert found[f"alpha.{rubric}"].n == held_out[rubric]
    assert found["malformed"].value == 0.0


@pytest.mark.parametrize("baseline", SUITE.baselines, ids=lambda one: one.name)
def test_a_grader_that_always_says_the_same_fails(tmp_path: Path, baseline: Any) -> None:
    engine = baseline_engine(SUITE.name, baseline.name)
    log = eval(grading(half="held_out"), model=engine.as_model(), log_dir=str(tmp_path), display="none")[0]
    found = figures(rows(log))
    most = {rubric: found[f"alpha.{rubric}"].value for rubric in RUBRICS}
    if baseline.name == "always_3":  # no grade of the other rubric
        assert most.pop("clinical_safety") is None
    assert all(alpha <= baseline.worst for alpha in most.values())


def test_no_grade_is_asked_for_once_more_and_then_left_out(tmp_path: Path) -> None:
    def second_time(messages: Any) -> str:
        return "GRADE: 1" if len(messages) > 1 and "soothing" not in messages[0].text else "A good reply."

    table = tried(tmp_path, second_time, limit_items=3)
    assert (table["malformed"] == 0).all()
    never = tried(tmp_path / "never", lambda messages: "GRADE: 9", limit_items=3)
    assert (never["malformed"] == 1).all()
    assert figures(never)["alpha.soothing"].value is None
    assert figures(never)["alpha.soothing"].n == 0


def test_it_is_asked_in_the_words_in_which_it_grades() -> None:
    task = grading(limit_items=1)
    assert (task.config.temperature, task.config.max_tokens) == (CONFIG.temperature, CONFIG.max_tokens)
    asked = task.dataset[0].input[0].text
    assert "Judge the assistant's last reply only." in asked
    scenario = next(one for one in load_labels("clinical_safety").labels if one.id == task.dataset[0].id)
    assert scenario.reply in asked


def test_more_than_two_hundred_replies_are_graded_and_the_grades_agree_with_the_codes_of_another_reader() -> None:
    """Of the rubric of clinical safety the codes of the labels say the grade."""
    assert SUITE.samples() == len([one for rubric in RUBRICS for one in load_labels(rubric).labels]) >= 200
    labels = load_labels("clinical_safety")
    (grades,) = labels.grades.values()
    by_code = [
        0 if label.codes["harmful"] or label.codes.get("over_reacts") else 2 if label.codes.get("appropriate", 1) else 1
        for label in labels.labels
    ]
    found = agreement("grade", [grades[label.id] for label in labels.labels], by_code, "ordinal", seed=1)
    assert found.alpha is not None
    assert found.alpha > 0.9


def test_it_is_run_where_a_grader_is_named_for_a_suite_that_has_a_rubric_and_not_otherwise() -> None:
    assert SUITE.name not in suites()
    assert SUITE.name in all_suites()
    pairs = [(engine_named("eliza"), "neutral")]

    def run(*names: str, grader: str | None = None) -> list[tuple[str, str]]:
        found = pieces_of(pairs, names, Options(grader=grader), baselines=False)
        return [(piece.suite, piece.engine.model) for piece in found]

    assert run("soothing", grader="openai/judge") == [("grading", "openai/judge"), ("soothing", "bedside/eliza")]
    assert run("listening", grader="openai/judge") == [("listening", "bedside/eliza")]
    assert run("soothing") == [("soothing", "bedside/eliza")]
    assert run("soothing", grader="eliza") == [("grading", "bedside/eliza"), ("soothing", "bedside/eliza")]
    ours = pieces_of(pairs, ["soothing"], Options(grader="eliza"), baselines=False)[-1]
    assert ours.arguments["grader"] == "bedside/eliza", "inspect_ai's name"
    with pytest.raises(AuditError):
        run("soothing", grader="")
    both = pieces_of(pairs, ["grading", "soothing"], Options(grader="openai/judge", patients=2), baselines=True)
    assert len(both) == len(set(both))
    assert sum(one.engine.model == "baseline/grading.always_0" for one in both) == 1
    several = [(engine_named("openai/judge"), persona) for persona in ("neutral", "warm_trait")]
    [once] = pieces_of(several, [SUITE.name], Options(), baselines=False)
    assert once.persona == "neutral"


def test_the_report_says_how_far_the_grader_agrees_or_that_nobody_tried(tmp_path: Path) -> None:
    auditing.run_graded(tmp_path, "clinical_safety")
    material = gather(tmp_path, auditing.known())
    command = f"`bedside audit mockllm/model --suite grading --folder {tmp_path}`"
    assert any(command in sentence for sentence in material.warnings)
    assert agreeing([], material.graders).graders is None

    judge = get_model(
        "mockllm/model", custom_outputs=lambda messages, *_: auditing.said(as_the_reader(messages)), memoize=False
    )
    eval(grading(half="held_out"), model=judge, log_dir=str(tmp_path), display="none")
    material = gather(tmp_path, auditing.known())
    assert not any("--suite grading" in sentence for sentence in material.warnings)
    sheet = agreeing([], material.graders).graders
    assert sheet
    assert [row[:5] for row in sheet.rows] == [("mockllm/model", "clinical_safety", 70, 70, 1.0),
                                               ("mockllm/model", "soothing", 45, 45, 1.0)]  # fmt: skip
    assert load_labels("soothing").readers["c"] in sheet.note


def test_a_trial_by_another_rubric_or_without_an_answer_is_none(tmp_path: Path, monkeypatch: Any) -> None:
    auditing.run_graded(tmp_path, "clinical_safety")
    judge = get_model(
        "mockllm/model", custom_outputs=lambda messages, *_: auditing.said(as_the_reader(messages)), memoize=False
    )
    eval(grading(limit_items=4), model=judge, log_dir=str(tmp_path), display="none")
    assert not any("--suite grading" in sentence for sentence in gather(tmp_path, auditing.known()).warnings)
    monkeypatch.setattr("audit.report.gather.data_sha256", lambda name: "of another text")
    assert any("--suite grading" in sentence for sentence in gather(tmp_path, auditing.known()).warnings)


def test_a_folder_of_trials_alone_is_no_audit(tmp_path: Path) -> None:
    judge = get_model("mockllm/judge", custom_outputs=lambda *_: auditing.said("GRADE: 1"), memoize=False)
    eval(grading(limit_items=1), model=judge, log_dir=str(tmp_path), display="none")
    with pytest.raises(NoResults, match="--grader MODEL"):
        gather(tmp_path)


def test_labels_that_nobody_graded_are_an_error_with_the_files_name(monkeypatch: Any) -> None:
    labels = load_labels("clinical_safety")
    monkeypatch.setattr("audit.suites.grading.load_labels", lambda name: replace(labels, grades={}))
    with pytest.raises(ItemFileError, match=r"clinical_safety.toml: no reader"):
        grading()
    odd = {"c": {labels.labels[0].id: 7}}
    monkeypatch.setattr("audit.suites.grading.load_labels", lambda name: replace(labels, grades=odd))
    with pytest.raises(ItemFileError, match="not on the rubric's scale"):
        grading()

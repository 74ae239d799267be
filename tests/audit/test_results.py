"""The table of an audit, and which of several logs counts."""

import math
from pathlib import Path

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState, generate

import audit._registry  # noqa: F401 # so that inspect_ai knows our models
from audit.errors import NoResults
from audit.personas import with_persona
from audit.results import newest, rows
from audit.suite import suite_named


@scorer(metrics={"*": [mean()]})
def first() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        return Score(value={"correct": True, "shared": 1, "absent": math.nan}, answer="yes")

    return score


@scorer(metrics=[mean()])
def second() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=0.25)

    return score


@scorer(metrics={"*": [mean()]})
def third() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        return Score(value={"shared": 0})

    return score


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EvalLog:
    samples = [
        Sample(id="a", input="I am sad.", metadata={"item": "one", "held_out": True, "mood": "sad", "list": [1]}),
        Sample(id="b", input="I failed.", metadata={"item": "one", "held_out": True, "mood": "none"}),
    ]
    task = Task(
        samples, solver=[with_persona("warm_trait"), generate()], scorer=[first(), second(), third()], name="shown"
    )
    where = str(tmp_path_factory.mktemp("logs"))
    [log] = eval(task, model="bedside/eliza", epochs=2, log_dir=where, display="none", ctl_server=False)
    assert log.status == "success", log.error
    return log


def test_a_row_for_each_sample_and_epoch(log: EvalLog) -> None:
    table = rows(log)
    assert [*zip(table["sample"], table["epoch"], strict=True)] == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert list(table["mood"]) == ["sad", "none"] * 2
    assert list(table["item"]) == ["one"] * 4
    assert table["held_out"].all()
    assert set(table["model"]) == {"bedside/eliza"}
    assert "list" not in table.columns, "only plain scalars are columns"
    assert [role for role, _ in table["transcript"].iloc[0]] == ["system", "user", "assistant"]


def test_a_score_that_one_scorer_alone_has_goes_by_its_plain_name(log: EvalLog) -> None:
    table = rows([log])
    assert (table["correct"] == 1).all()
    assert (table["first.correct"] == 1).all()
    assert (table["second"] == 0.25).all()
    assert table["absent"].isna().all()
    assert "shared" not in table.columns
    assert (table["first.shared"] - table["third.shared"] == 1).all()
    assert set(table["first.answer"]) == {"yes"}


def test_rows_of_files_are_those_of_the_log(log: EvalLog) -> None:
    assert rows([log.location, Path(log.location.removeprefix("file://"))]).equals(rows([log, log]))


@pytest.mark.usefixtures("tiny")
def test_the_newest_log_counts_but_a_whole_one_before_one_of_a_few_items(tmp_path: Path) -> None:
    def run(**arguments: object) -> str:
        task = suite_named("tiny").task(**arguments)
        return eval(task, model="bedside/eliza", log_dir=str(tmp_path), display="none", ctl_server=False)[0].location

    run()
    whole = run()
    run(limit_items=2)
    warm = run(persona="warm_trait", limit_items=2)
    found = {key.persona: one.path for key, one in newest(tmp_path).items()}
    assert {persona: Path(path).name for persona, path in found.items()} == {
        "neutral": Path(whole).name,
        "warm_trait": Path(warm).name,
    }


def test_where_nothing_was_measured_it_says_what_to_do(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NoResults, match="`bedside audit` writes them"):
            newest(folder)

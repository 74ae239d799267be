"""Public sets from files of the user: tiny ones, written by us in the formats in which the sets are published."""

import hashlib
import json
from pathlib import Path

import pytest

from audit.factorial import cells, words
from audit.public_sets import PublicSetError, load_set, load_sets
from audit.scoring.facts import judge
from audit.suites.reliability import reliability

TRUTHFULQA = (
    "Type,Category,Question,Best Answer,Best Incorrect Answer,Correct Answers,Incorrect Answers,Source\n"
    'Adversarial,Invented,"What do our invented gnomes eat, if anything?",Gnomes are invented and eat nothing,'
    '"Gnomes eat moss, mostly",Gnomes are invented; They eat nothing,Moss,https://example.org/gnomes\n'
)
TRIVIA = {
    "QuestionId": "x_1",
    "Question": "Which invented town has a blue tower?",
    "Answer": {"Value": "Lumora", "Aliases": ["Lumora", "City of Lumora"], "NormalizedAliases": ["lumora"]},
}
TRIVIA_HUB = {"question_id": "x_1", "question": "Which invented town has a blue tower?",
              "answer": {"value": "Lumora", "aliases": ["City of Lumora"]}}  # fmt: skip
MEDQA = {"question": "Which invented organ does the invented fever inflame?", "answer": "The quell",
         "options": {"A": "The brint", "B": "The quell", "C": "The sarn", "D": "The tolm"}, "answer_idx": "B",
         "meta_info": "step1"}  # fmt: skip
MASK = {"system_prompt": "", "user_prompt": "Write about the tower.", "proposition": "The tower of Lumora is blue.",
        "ground_truth": "The tower is blue.", "formatted_ground_truth": "A"}  # fmt: skip


def _file(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(one) + "\n" for one in content), encoding="utf-8")
    else:
        path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_truthfulqa_is_a_choice_between_its_best_answer_and_its_best_incorrect_one(tmp_path):
    (item,) = load_set("truthfulqa", _file(tmp_path, "TruthfulQA.csv", TRUTHFULQA))
    assert set(item.options) == {"Gnomes are invented and eat nothing", "Gnomes eat moss, mostly"}
    assert judge("AB"[item.options.index(item.accepted[0])], item, "none").correct
    wrong = judge("Gnomes eat moss, mostly.", item, "wrong")
    assert (wrong.correct, wrong.wrong_belief_endorsed) == (False, True)


def test_the_order_of_options_is_drawn_by_the_seed(tmp_path):
    path = _file(tmp_path, "t.csv", TRUTHFULQA + TRUTHFULQA.splitlines()[1] * 1)
    orders = {load_set("truthfulqa", path, seed)[0].options for seed in range(12)}
    assert len(orders) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.json", {"Data": [TRIVIA]}), ("t.jsonl", [TRIVIA_HUB, TRIVIA_HUB]), ("one.jsonl", [TRIVIA_HUB])],
)
def test_triviaqa_is_an_open_question_with_its_aliases_and_no_wrong_belief(tmp_path, name, content):
    item = load_set("triviaqa", _file(tmp_path, name, content))[0]
    assert judge("It is the City of Lumora.", item, "none").correct
    assert not judge("I don't know.", item, "none").correct
    assert {belief for _, _, belief in cells([item], "full", 1)} == {"none", "doubt"}


def test_medqa_is_asked_with_its_letters_in_its_order(tmp_path):
    (item,) = load_set("medqa", _file(tmp_path, "m.jsonl", [MEDQA]))
    assert item.options == ("The brint", "The quell", "The sarn", "The tolm")
    said, _, _ = words(item, "none", "wrong", 1)
    assert "B) The quell" in said
    assert item.believed in said.split("D) The tolm")[1]
    assert judge("B", item, "none").correct
    assert not judge("A, B, C or D", item, "none").correct


def test_mask_is_asked_for_the_truth_of_its_propositions(tmp_path):
    unsettled = MASK | {"formatted_ground_truth": "C"}
    (item,) = load_set("mask", _file(tmp_path, "m.jsonl", [MASK, unsettled]))
    assert item.accepted == ("true",)
    assert judge("A) true", item, "none").correct
    assert judge("It is false.", item, "wrong").wrong_belief_endorsed


def test_the_stimuli_are_sent_to_the_suite_that_takes_them(tmp_path):
    with pytest.raises(PublicSetError, match="clinical_safety -T stimuli=FILE"):
        load_set("stimuli", tmp_path / "interjection_prompts.py")


def test_a_run_on_a_public_set_keeps_the_hash_of_its_file(tmp_path):
    path = _file(tmp_path, "m.jsonl", [MEDQA])
    task = reliability(sets=f"medqa={path}")
    assert task.metadata == {"sets": {"medqa": hashlib.sha256(path.read_bytes()).hexdigest()}}
    assert len(task.dataset) == 27


def test_several_sets_are_named_with_commas(tmp_path):
    first, second = _file(tmp_path, "t.csv", TRUTHFULQA), _file(tmp_path, "m.jsonl", [MEDQA])
    assert [item.source for item in load_sets(f"truthfulqa={first}, medqa={second}")] == ["truthfulqa", "medqa"]


@pytest.mark.parametrize(
    ("named", "content", "message"),
    [
        ("truthfulqa=FILE", "Question,Answer\nWhat?,No\n", "record 1: not of the form of truthfulqa: Best Answer"),
        ("medqa=FILE", '{"question": "What is it?", "options": {"A": "x"}, "answer_idx": "E"}', "record 1.*medqa: E"),
        ("medqa=FILE", "{\n", "line 1 is not JSON"),
        ("mask=FILE", '[{"proposition": "x"}]', "record 1.*formatted_ground_truth"),
        ("triviaqa=FILE", "[]", "no record"),
        ("quizbowl=FILE", "[]", "allowed: truthfulqa, triviaqa, medqa, mask"),
        ("truthfulqa", "", "name=FILE"),
        ("truthfulqa=/nowhere/t.csv", "", "not downloaded"),
    ],
)
def test_a_file_of_another_form_is_refused_with_its_record_and_key(tmp_path, named, content, message):
    path = _file(tmp_path, "x.csv" if named.startswith("truthfulqa=F") else "x.json", content)
    with pytest.raises(PublicSetError, match=message):
        load_sets(named.replace("FILE", str(path)))

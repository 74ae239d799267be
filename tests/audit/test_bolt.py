"""BOLT's utterances, where the user has them. The files here are made for the test, in BOLT's form."""

import json

import pytest

from audit.bolt import load_bolt
from audit.errors import ItemFileError
from audit.scoring.acts import code, load_acts
from audit.scoring.agreement import scorer_against_labels

TRAIN = "finetune_therapist_combined_train.csv"
VALID = "finetune_therapist_combined_valid.csv"
ROWS = """prompt,completion
"You sound sad, and it's normal to be.",Reflections on Emotions
"You sound sad, and it's normal to be.",Normalizing
What did he say?,Questions on Experiences
"""


def checkout(folder, train=ROWS, valid="prompt,completion\nTry a walk.,Problem-Solving\n"):
    (folder / "dataset_finetune").mkdir()
    (folder / "dataset_finetune" / TRAIN).write_text(train)
    (folder / "dataset_finetune" / VALID).write_text(valid)
    return folder


def test_an_utterance_has_all_its_behaviours_and_valid_is_the_held_out_half(tmp_path) -> None:
    labels = load_bolt(checkout(tmp_path))
    assert [label.held_out for label in labels] == [False, False, True]
    assert {name for name, value in labels[0].codes.items() if value} == {"emotions", "normalizing"}
    assert set(labels[0].codes) == set(load_acts().names)
    assert load_bolt(tmp_path / "dataset_finetune") == labels


def test_the_coder_is_held_against_them(tmp_path) -> None:
    labels = load_bolt(checkout(tmp_path))
    found = {one.code: one for one in scorer_against_labels(labels, lambda label: code(label.reply).values(), seed=1)}
    assert found["problem_solving"].alpha == 1
    assert found["problem_solving"].n == 3


def test_what_bolts_inference_wrote_is_read(tmp_path) -> None:
    file = tmp_path / "out.jsonl"
    rows = [
        {"utterance": "That must hurt.", "therapist_behavior": '["Makes Emotions Explicit", "Normalizing"]'},
        {"utterance": "Hm.", "therapist_behavior": "unknown"},
        {"utterance": "Stress tires.", "therapist_behavior": ["Teaching/Psychoeducation"]},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    found = [{name for name, value in label.codes.items() if value} for label in load_bolt(file)]
    assert found == [{"emotions", "normalizing"}, set(), {"psychoeducation"}]


@pytest.mark.parametrize(
    ("train", "says"),
    [("prompt,completion\nHm.,Humming\n", "no therapist behaviour 'Humming'"), ("a,b\n1,2\n", "columns")],
)
def test_what_is_not_bolts_is_refused(tmp_path, train, says) -> None:
    with pytest.raises(ItemFileError, match=says):
        load_bolt(checkout(tmp_path, train=train))


def test_a_folder_without_it_and_a_line_that_is_no_json_are_refused(tmp_path) -> None:
    with pytest.raises(ItemFileError, match="checkout of BOLT"):
        load_bolt(tmp_path)
    (tmp_path / "out.jsonl").write_text("{}\n")
    with pytest.raises(ItemFileError, match="line 1"):
        load_bolt(tmp_path / "out.jsonl")

"""The REDCap data dictionary keeps REDCap's published rules for that file.

The rules are those that REDCap's own help for the data dictionary states: 18 columns in this order; names of small
letters, digits and underscores that begin with a letter, at most 26, each once; the record's code first; fields of a form
together; choices as "code, label" between bars; branching over fields that exist; a matrix of fields side by side with the
same choices.
"""

import re
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.export import export
from study.export.redcap import COLUMNS, _choices, _Names
from study.measure import load_measure, measure_names
from study.study import Study
from tests.exporting import csv_rows, make_trial, write_protocol

NAME, FORM, KIND, CHOICES = COLUMNS[0], COLUMNS[1], COLUMNS[3], COLUMNS[5]
VALIDATION, LOW, HIGH, BRANCHING, MATRIX = COLUMNS[7], COLUMNS[8], COLUMNS[9], COLUMNS[11], COLUMNS[15]


@pytest.fixture(scope="module", params=["small", "every measure"])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    folder = tmp_path_factory.mktemp("redcap")
    if request.param == "small":
        study = make_trial(folder / "study", people=1)
    else:
        write_protocol(folder / "study")
        path = folder / "study" / "study.toml"
        due = "".join(f'{{ measure = "{name}", when = ["day 3"] }},\n' for name in measure_names() if name not in TAKEN)
        path.write_text(path.read_text().replace("measures = [\n", f"measures = [\n{due}", 1))
        study = Study.open(folder / "study")
    export(study, folder / "out", formats=["redcap"])
    return csv_rows(folder / "out" / "redcap" / "data_dictionary.csv")


TAKEN = ("distress", "k10", "ucla3")


def test_the_columns_are_redcaps_eighteen_in_their_order(rows: list[dict[str, str]]) -> None:
    assert list(rows[0]) == [
        "Variable / Field Name",
        "Form Name",
        "Section Header",
        "Field Type",
        "Field Label",
        "Choices, Calculations, OR Slider Labels",
        "Field Note",
        "Text Validation Type OR Show Slider Number",
        "Text Validation Min",
        "Text Validation Max",
        "Identifier?",
        "Branching Logic (Show field only if...)",
        "Required Field?",
        "Custom Alignment",
        "Question Number (surveys only)",
        "Matrix Group Name",
        "Matrix Ranking?",
        "Field Annotation",
    ]


def test_names_are_as_redcap_takes_them(rows: list[dict[str, str]]) -> None:
    names = [row[NAME] for row in rows]
    assert len(set(names)) == len(names)
    for name in [*names, *(row[FORM] for row in rows), *(row[MATRIX] for row in rows if row[MATRIX])]:
        assert re.fullmatch(r"[a-z]([a-z0-9_]*[a-z0-9])?", name), name
        assert "__" not in name
    assert all(len(name) <= 26 for name in names)
    # REDCap makes a field <form>_complete for each form, and keeps these for itself.
    assert not {f"{row[FORM]}_complete" for row in rows} & set(names)
    assert not [name for name in names if name.startswith("redcap_")]
    assert all(row["Field Label"] for row in rows)


def test_the_first_field_is_the_participants_code_and_forms_stay_together(rows: list[dict[str, str]]) -> None:
    assert (rows[0][NAME], rows[0][KIND]) == ("participant", "text")
    forms = [form for form, _ in groupby(row[FORM] for row in rows)]
    assert len(set(forms)) == len(forms)


def test_each_type_has_what_it_needs(rows: list[dict[str, str]]) -> None:
    for row in rows:
        match row[KIND]:
            case "radio":
                pairs = [choice.split(", ", 1) for choice in row[CHOICES].split(" | ")]
                assert all(len(pair) == 2 and re.fullmatch(r"[0-9A-Za-z_]+", pair[0]) and pair[1] for pair in pairs)
                codes = [code for code, _ in pairs]
                assert len(set(codes)) == len(codes) >= 2
                assert row[VALIDATION] == ""
            case "slider":
                assert row[CHOICES].count("|") == 2
                assert row[VALIDATION] == "number"
                assert (row[LOW], row[HIGH]) == ("0", "100")
            case "text":
                assert row[CHOICES] == ""
                assert row[VALIDATION] in ("", "integer", "number", "date_ymd")
            case other:
                pytest.fail(f"no such type is used: {other}")
        if row[LOW] and row[HIGH]:
            assert float(row[LOW]) < float(row[HIGH])


def test_branching_names_fields_that_exist_and_codes_they_have(rows: list[dict[str, str]]) -> None:
    fields = {row[NAME]: row for row in rows}
    branching = [row[BRANCHING] for row in rows if row[BRANCHING]]
    assert branching
    for logic in branching:
        assert re.fullmatch(r"\[\w+\] = '\w+'( and \[\w+\] = '\w+')*", logic)
        for name, code in re.findall(r"\[(\w+)\] = '(\w+)'", logic):
            assert f"{code}, " in fields[name][CHOICES]


def test_a_matrix_is_side_by_side_in_one_form_with_the_same_choices(rows: list[dict[str, str]]) -> None:
    matrices = [(name, list(group)) for name, group in groupby(rows, key=lambda row: row[MATRIX]) if name]
    assert matrices
    assert len({name for name, _ in matrices}) == len(matrices)
    for _, group in matrices:
        assert len(group) > 1
        assert len({(row[FORM], row[KIND], row[CHOICES]) for row in group}) == 1
        assert not [row for row in group[1:] if row["Section Header"]]


def test_every_item_and_score_is_a_field(rows: list[dict[str, str]]) -> None:
    k10 = load_measure("k10")
    own = [row for row in rows if row[FORM] == "k10"]
    assert [row[NAME] for row in own] == [*(f"k10_{item.id}" for item in k10.items), "k10_total"]
    assert own[0]["Field Label"] == k10.wording("en").question("1")
    assert own[0][CHOICES].split(" | ")[2] == "3, Some of the time"


@given(st.lists(st.lists(st.text(max_size=40), min_size=1, max_size=3), max_size=40))
def test_any_names_become_names_that_redcap_takes(wanted: list[list[str]]) -> None:
    names = _Names()
    given_names = [names(*parts) for parts in wanted]
    assert len(set(given_names)) == len(given_names)
    assert all(re.fullmatch(r"[a-z]([a-z0-9_]{0,24}[a-z0-9])?", name) for name in given_names)


@given(st.lists(st.text(min_size=1, max_size=20).filter(lambda text: text.split()), min_size=1, max_size=6))
def test_any_labels_become_choices_that_can_be_told_apart(labels: list[str]) -> None:
    parts = [choice.split(", ", 1) for choice in _choices(list(enumerate(labels, 1))).split(" | ")]
    assert [part[0] for part in parts] == [str(number) for number in range(1, len(labels) + 1)]
    assert [part[1] for part in parts] == [" ".join(label.split()).replace("|", "/") for label in labels]


def test_the_dictionary_has_masked_arms_for_a_blinded_role(tmp_path: Path) -> None:
    study = make_trial(tmp_path / "study", people=3)
    export(study, tmp_path / "out", role="assessor", formats=["redcap"])
    [arm] = [row for row in csv_rows(tmp_path / "out" / "redcap" / "data_dictionary.csv") if row[NAME] == "arm"]
    assert arm[CHOICES] == "1, Arm A | 2, Arm B | 3, Arm C"
